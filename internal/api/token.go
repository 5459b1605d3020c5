package api

import (
	"cmp"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

type token struct {
	ID          string    `json:"id" doc:"UUID of the access token." example:"7c0ad8c9-2f0f-4e5e-8e6b-0a53d5a0a2cf"`
	Value       string    `json:"value" doc:"The secret. In the list: its first four random characters only." example:"7e22"`
	Type        string    `json:"type" doc:"What it may do with data." enum:"r,w,rw" example:"r"`
	Description string    `json:"description" doc:"Name of the access token, unique within the deployment." example:"grafana"`
	CreatedBy   string    `json:"created_by" doc:"Who made it." example:"ops@example.com"`
	CreatedAt   time.Time `json:"created_at" doc:"When it was made." example:"2026-11-24T12:00:00Z"`
	TenantID    string    `json:"tenant_id,omitempty" doc:"The only tenant that it may use, as it was sent. Left out: any."`
	LastUsedAt  time.Time `json:"last_used_at" doc:"When it was last used. 0001-01-01T00:00:00Z: never." example:"0001-01-01T00:00:00Z"`
}

// tokenOf gives t with its secret, or with what a list may show of it.
func tokenOf(t gatehouse.Token, value string) token {
	out := token{
		ID: t.ID, Value: value, Type: string(t.Access), Description: t.Name, CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, TenantID: t.TenantSent,
	}
	if t.Tenant != nil {
		out.TenantID = cmp.Or(t.TenantSent, t.Tenant.String())
	}
	if t.LastUse != nil {
		out.LastUsedAt = t.LastUse.At.UTC()
	}
	return out
}

func (a *api) listTokens(c call[none]) ([]token, error) {
	d, err := c.deployment(a)
	if err != nil {
		return nil, err
	}
	all, _, err := a.Control.Tokens(c.ctx, c.actor, gatehouse.TokenQuery{DeploymentID: d.ID})
	tokens := make([]token, 0, len(all))
	for _, t := range all {
		tokens = append(tokens, tokenOf(t, t.Mask))
	}
	return tokens, err
}

type newToken struct {
	Type        string `json:"type" doc:"What it may do with data: r reads, w writes, rw does both." required:"true" enum:"r,w,rw" example:"r"`
	Description string `json:"description" doc:"Name of the access token, 1 to 100 characters, unique within the deployment." required:"true" example:"grafana"`
	TenantID    string `json:"tenant_id" doc:"The only tenant that it may use, accountID or accountID:projectID; clusters only. One space at the end is passed over, with which VictoriaMetrics Cloud's client lets it through."`
}

func (n newToken) parse() (gatehouse.NewToken, error) {
	parsed := gatehouse.NewToken{Name: n.Description, Access: gatehouse.Access(n.Type)}
	if n.TenantID == "" {
		return parsed, nil
	}
	tenant, err := gatehouse.ParseTenant(strings.TrimSuffix(n.TenantID, " "))
	if err != nil {
		return parsed, err
	}
	parsed.Tenant = &tenant
	if n.TenantID != tenant.String() {
		parsed.TenantSent = n.TenantID
	}
	return parsed, nil
}

// tokenFields are the names that fields of a token have in this API.
var tokenFields = map[string]string{"name": "description", "access": "type", "tenant": "tenant_id"}

// explainToken puts the field's name in front of an error about it.
func explainToken(err error) error {
	if field, ok := tokenFields[gatehouse.ErrorField(err)]; ok {
		return gatehouse.Errorf(gatehouse.ErrorCode(err), "%s: %s", field, gatehouse.ErrorMessage(err)).WithCause(err)
	}
	return err
}

func (a *api) createToken(c call[newToken]) (token, error) {
	d, err := c.deployment(a)
	if err != nil {
		return token{}, err
	}
	n, err := c.in.parse()
	if err != nil {
		return token{}, explainToken(err)
	}
	n.DeploymentID = d.ID
	t, value, err := a.Control.CreateToken(c.ctx, c.actor, n)
	if err != nil {
		return token{}, explainToken(err)
	}
	return tokenOf(t, value.Reveal()), nil
}

type newTokens struct {
	Tokens []newToken `json:"tokens" doc:"The access tokens to make, 1 to 1000." required:"true"`
}

func (a *api) createTokens(c call[newTokens]) ([]token, error) {
	d, err := c.deployment(a)
	if err != nil {
		return nil, err
	}
	var all []gatehouse.NewToken
	for i, one := range c.in.Tokens {
		n, err := one.parse()
		if err != nil {
			return nil, gatehouse.InvalidField("tenant", "token %d of the list: %s", i+1, gatehouse.ErrorMessage(err))
		}
		all = append(all, n)
	}
	made, secrets, err := a.Control.CreateTokens(c.ctx, c.actor, d.ID, all)
	if err != nil {
		return nil, explainToken(err)
	}
	var tokens []token
	for i, t := range made {
		tokens = append(tokens, tokenOf(t, secrets[i].Reveal()))
	}
	return tokens, nil
}

// token finds the access token that the path names, and sees to it that it belongs to the deployment.
func (c call[In]) token(a *api) (gatehouse.Token, error) {
	d, err := c.deployment(a)
	if err != nil {
		return gatehouse.Token{}, err
	}
	id, ok := canonicalID(c.path("tid"))
	if !ok {
		return gatehouse.Token{}, noSuchToken()
	}
	t, err := a.Control.Token(c.ctx, c.actor, id)
	if gatehouse.ErrorCode(err) == gatehouse.NotFound || err == nil && t.DeploymentID != d.ID {
		return gatehouse.Token{}, noSuchToken()
	}
	return t, err
}

func noSuchToken() error {
	return gatehouse.Errorf(gatehouse.NotFound, "the deployment has no access token with this ID; list its access tokens to see what there is")
}

func (a *api) revealToken(c call[none]) (token, error) {
	t, err := c.token(a)
	if err != nil {
		return token{}, err
	}
	value, err := a.Control.RevealToken(c.ctx, c.actor, t.ID)
	if err != nil {
		return token{}, err
	}
	return tokenOf(t, value.Reveal()), nil
}

func (a *api) deleteToken(c call[none]) (none, error) {
	t, err := c.token(a)
	if err != nil {
		return none{}, err
	}
	return none{}, a.Control.RevokeToken(c.ctx, c.actor, t.ID)
}

type use struct {
	At        time.Time `json:"at" doc:"When." example:"2026-11-24T12:00:00Z"`
	Address   string    `json:"address" doc:"From where: the client's address." example:"10.0.0.7"`
	UserAgent string    `json:"user_agent" doc:"What the client calls itself." example:"vmagent"`
}

func useOf(u *gatehouse.Use) *use {
	if u == nil {
		return nil
	}
	return &use{u.At.UTC(), u.Addr, u.UserAgent}
}

type tokenUsage struct {
	FirstUsed *use `json:"first_used" doc:"The first request that came with it. null: there was none."`
	LastUsed  *use `json:"last_used" doc:"The last request that came with it. null: there was none."`
}

func (a *api) tokenUsage(c call[none]) (tokenUsage, error) {
	t, err := c.token(a)
	if err != nil {
		return tokenUsage{}, err
	}
	return tokenUsage{useOf(t.FirstUse), useOf(t.LastUse)}, nil
}
