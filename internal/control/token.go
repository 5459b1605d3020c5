package control

import (
	"context"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// tokenStore keeps access tokens.
type tokenStore interface {
	CreateToken(ctx context.Context, t gatehouse.StoredToken, event gatehouse.AuditEvent) error
	// CreateTokens makes all or none. Its errors name the token.
	CreateTokens(ctx context.Context, tokens []gatehouse.StoredToken, events ...gatehouse.AuditEvent) error
	Token(ctx context.Context, id string) (gatehouse.Token, error)
	Tokens(ctx context.Context, q gatehouse.TokenQuery) (tokens []gatehouse.Token, total int, err error)
	RevealToken(ctx context.Context, id string, event gatehouse.AuditEvent) (sealed []byte, err error)
	RevokeToken(ctx context.Context, id string, event gatehouse.AuditEvent) error
}

// CreateToken makes an access token. It works at once; its secret is returned here and by RevealToken, nowhere else.
func (c *Control) CreateToken(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewToken) (gatehouse.Token, secret.Secret, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeTokens, n.DeploymentID)
	if err != nil {
		return gatehouse.Token{}, secret.Secret{}, err
	}
	n.DeploymentID = d.ID
	if err := n.Check(d.Type); err != nil {
		return gatehouse.Token{}, secret.Secret{}, err
	}
	stored, value, err := c.mint(actor, n)
	if err != nil {
		return gatehouse.Token{}, secret.Secret{}, err
	}
	if err := c.store.CreateToken(ctx, stored, tokenEvent(actor, gatehouse.TokenCreated, stored.Token)); err != nil {
		return gatehouse.Token{}, secret.Secret{}, err
	}
	return stored.Token, value, c.publish(ctx)
}

// MostTokensAtOnce bounds what CreateTokens makes in one transaction.
const MostTokensAtOnce = 1000

// CreateTokens makes several access tokens of a deployment, all or none, and gives them and their secrets in the same order.
func (c *Control) CreateTokens(ctx context.Context, actor gatehouse.Actor, deploymentID string, all []gatehouse.NewToken) ([]gatehouse.Token, []secret.Secret, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeTokens, deploymentID)
	if err != nil {
		return nil, nil, err
	}
	if len(all) == 0 || len(all) > MostTokensAtOnce {
		return nil, nil, gatehouse.InvalidField("tokens", "the list has %d tokens; send 1 to %d at once", len(all), MostTokensAtOnce)
	}
	var tokens []gatehouse.Token
	var secrets []secret.Secret
	var stored []gatehouse.StoredToken
	var events []gatehouse.AuditEvent
	for i, n := range all {
		n.DeploymentID = d.ID
		if err := n.Check(d.Type); err != nil {
			return nil, nil, gatehouse.InvalidField(gatehouse.ErrorField(err), "token %d of the list: %s", i+1, gatehouse.ErrorMessage(err))
		}
		one, value, err := c.mint(actor, n)
		if err != nil {
			return nil, nil, err
		}
		tokens, secrets = append(tokens, one.Token), append(secrets, value)
		stored, events = append(stored, one), append(events, tokenEvent(actor, gatehouse.TokenCreated, one.Token))
	}
	if err := c.store.CreateTokens(ctx, stored, events...); err != nil {
		return nil, nil, err
	}
	return tokens, secrets, c.publish(ctx)
}

// mint makes a token and its secret in memory.
func (c *Control) mint(actor gatehouse.Actor, n gatehouse.NewToken) (gatehouse.StoredToken, secret.Secret, error) {
	value := secret.New(secret.AccessToken)
	t := gatehouse.Token{
		ID: uuid.NewString(), DeploymentID: n.DeploymentID, Name: n.Name, Access: n.Access, Tenant: n.Tenant, TenantSent: n.TenantSent,
		Mask: value.Mask(), CreatedAt: now(), CreatedBy: actor.Creator(),
	}
	sealed, err := c.sealer.Seal(value, t.ID)
	return gatehouse.StoredToken{Token: t, Hash: value.Hash(), Sealed: sealed}, value, err
}

// Tokens lists access tokens of a deployment without their secrets, and counts all that match.
func (c *Control) Tokens(ctx context.Context, actor gatehouse.Actor, q gatehouse.TokenQuery) (tokens []gatehouse.Token, total int, err error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ViewTokens, q.DeploymentID)
	if err != nil {
		return nil, 0, err
	}
	q.DeploymentID = d.ID
	return c.store.Tokens(ctx, q)
}

// Token finds an access token, without its secret.
func (c *Control) Token(ctx context.Context, actor gatehouse.Actor, id string) (gatehouse.Token, error) {
	return c.tokenFor(ctx, actor, gatehouse.ViewTokens, id)
}

// tokenFor finds the token for which the actor needs the right. It is the first line of the methods that take one.
func (c *Control) tokenFor(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, id string) (gatehouse.Token, error) {
	t, err := c.store.Token(ctx, id)
	if !actor.CanSomewhere(right) {
		return gatehouse.Token{}, c.deny(ctx, actor, right, tokenTarget(t)) // the answer is the same where there is none
	}
	if err != nil {
		return gatehouse.Token{}, err
	}
	if err := c.authorizeOn(ctx, actor, right, tokenTarget(t)); err != nil {
		return gatehouse.Token{}, err
	}
	return t, nil
}

// RevealToken gives the secret of an access token. That is recorded.
func (c *Control) RevealToken(ctx context.Context, actor gatehouse.Actor, id string) (secret.Secret, error) {
	t, err := c.tokenFor(ctx, actor, gatehouse.RevealTokens, id)
	if err != nil {
		return secret.Secret{}, err
	}
	if actor.ReadOnly && t.Access != gatehouse.Read {
		if err := c.deny(ctx, actor, gatehouse.RevealTokens, tokenTarget(t)); gatehouse.ErrorCode(err) != gatehouse.Forbidden {
			return secret.Secret{}, err
		}
		return secret.Secret{}, gatehouse.Errorf(gatehouse.Forbidden,
			"this API key is read-only, and the secret would let it write; use a Read/Write key, or a token with the access r")
	}
	sealed, err := c.store.RevealToken(ctx, t.ID, tokenEvent(actor, gatehouse.TokenRevealed, t))
	if err != nil {
		return secret.Secret{}, err
	}
	return c.sealer.Open(sealed, t.ID)
}

// RevokeToken deletes an access token. The next request with it fails, and those that are running are cut off.
func (c *Control) RevokeToken(ctx context.Context, actor gatehouse.Actor, id string) error {
	t, err := c.tokenFor(ctx, actor, gatehouse.ChangeTokens, id)
	if err != nil {
		return err
	}
	if err := c.store.RevokeToken(ctx, t.ID, tokenEvent(actor, gatehouse.TokenRevoked, t)); err != nil {
		return err
	}
	return c.publish(ctx)
}

func tokenEvent(actor gatehouse.Actor, action gatehouse.Action, t gatehouse.Token) gatehouse.AuditEvent {
	e := event(actor, action, t.ID, t.Name)
	e.DeploymentID = t.DeploymentID
	e.Details = map[string]string{"access": string(t.Access), "key": t.Mask}
	if t.Tenant != nil {
		e.Details["tenant"] = t.Tenant.String()
	}
	return e
}
