package control

import (
	"context"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// importStore stores what comes from elsewhere.
type importStore interface {
	TokensByHash(ctx context.Context, hashes []gatehouse.SecretHash) (map[gatehouse.SecretHash]gatehouse.Token, error)
	Import(ctx context.Context, deployments []gatehouse.Deployment, tokens []gatehouse.StoredToken, events ...gatehouse.AuditEvent) error
}

// ImportPlan is what to connect, and the tokens that are to let in the clients of another program with the secrets that they have.
type ImportPlan struct {
	Deployments []gatehouse.NewDeployment // a cluster may lack one of its two parts
	Tokens      []ImportToken
}

// ImportToken is a token to be. Names that are taken get a number.
type ImportToken struct {
	Deployment int // index in the plan
	Name       string
	Access     gatehouse.Access
	Tenant     *gatehouse.Tenant
	Secret     secret.Secret
}

// Imported is what an ImportPlan came to, in the order of the plan.
type Imported struct {
	Deployments []ImportedDeployment
	Tokens      []ImportedToken
}

// ImportedDeployment is a deployment of an import.
type ImportedDeployment struct {
	gatehouse.Deployment
	Existed bool // connected before, with the same URLs and credentials
}

// ImportedToken is a token of an import.
type ImportedToken struct {
	gatehouse.Token
	Existed bool // its secret is that of a token with the same rights already
}

// Import carries out a plan, all of it or nothing. What a former import has made is found again and stays as it is.
func (c *Control) Import(ctx context.Context, actor gatehouse.Actor, p ImportPlan) (Imported, error) {
	i, err := c.prepareImport(ctx, actor, p)
	if err != nil {
		return Imported{}, err
	}
	if err := c.store.Import(ctx, i.deployments, i.tokens, i.events...); err != nil {
		return Imported{}, err
	}
	return i.Imported, c.publish(ctx)
}

// PreviewImport says what Import would do, and refuses what it would refuse.
func (c *Control) PreviewImport(ctx context.Context, actor gatehouse.Actor, p ImportPlan) (Imported, error) {
	i, err := c.prepareImport(ctx, actor, p)
	if err != nil {
		return Imported{}, err
	}
	return i.Imported, nil
}

// preparedImport is an import before it is stored.
type preparedImport struct {
	Imported
	deployments []gatehouse.Deployment
	tokens      []gatehouse.StoredToken
	events      []gatehouse.AuditEvent
	names       map[string]map[string]bool // deployment ID to the names of its tokens
}

func (c *Control) prepareImport(ctx context.Context, actor gatehouse.Actor, p ImportPlan) (*preparedImport, error) {
	for _, right := range []gatehouse.Right{gatehouse.ChangeDeployments, gatehouse.ChangeTokens} {
		if err := c.authorize(ctx, actor, right); err != nil {
			return nil, err
		}
	}
	i := &preparedImport{names: map[string]map[string]bool{}}
	if err := c.prepareDeployments(ctx, actor, p, i); err != nil {
		return nil, err
	}
	return i, c.prepareTokens(ctx, actor, p, i)
}

// prepareDeployments finds the deployments that are there, and makes the others with their default access tokens.
func (c *Control) prepareDeployments(ctx context.Context, actor gatehouse.Actor, p ImportPlan, i *preparedImport) error {
	existing, err := c.store.Deployments(ctx)
	if err != nil {
		return err
	}
	taken := map[string]bool{}
	for at := range existing {
		taken[existing[at].Name] = true
		if err := OpenUpstream(c.sealer, &existing[at]); err != nil {
			return err
		}
	}
	for _, n := range p.Deployments {
		if at := slices.IndexFunc(existing, func(d gatehouse.Deployment) bool { return sameBackends(d, n) }); at >= 0 {
			i.Deployments = append(i.Deployments, ImportedDeployment{existing[at], true})
			if err := c.readNames(ctx, existing[at].ID, i); err != nil {
				return err
			}
			continue
		}
		if err := checkImport(n); err != nil {
			return err
		}
		n.Name = freeName(n.Name, taken)
		taken[n.Name] = true
		d, token, err := c.newDeployment(actor, n, false)
		if err != nil {
			return err
		}
		i.names[d.ID] = map[string]bool{token.Name: true}
		i.Deployments = append(i.Deployments, ImportedDeployment{d, false})
		i.deployments = append(i.deployments, d)
		i.tokens = append(i.tokens, token)
		i.events = append(i.events, deploymentEvent(actor, d), tokenEvent(actor, gatehouse.TokenCreated, token.Token))
	}
	return nil
}

// checkImport is CheckConnected, but for a cluster of which only one part is known.
func checkImport(n gatehouse.NewDeployment) error {
	if n.Type == gatehouse.Cluster && len(n.InsertURLs) == 0 {
		n.InsertURLs = n.SelectURLs
	}
	if n.Type == gatehouse.Cluster && len(n.SelectURLs) == 0 {
		n.SelectURLs = n.InsertURLs
	}
	return n.CheckConnected()
}

func sameBackends(d gatehouse.Deployment, n gatehouse.NewDeployment) bool {
	return d.Connected() && d.Type == n.Type && d.Upstream == n.Upstream && slices.Equal(d.URLs, trimURLs(n.URLs)) &&
		slices.Equal(d.InsertURLs, trimURLs(n.InsertURLs)) && slices.Equal(d.SelectURLs, trimURLs(n.SelectURLs))
}

func (c *Control) readNames(ctx context.Context, deploymentID string, i *preparedImport) error {
	tokens, _, err := c.store.Tokens(ctx, gatehouse.TokenQuery{DeploymentID: deploymentID})
	if err != nil {
		return err
	}
	i.names[deploymentID] = map[string]bool{}
	for _, t := range tokens {
		i.names[deploymentID][t.Name] = true
	}
	return nil
}

// prepareTokens seals the secrets that are new. One that belongs to a token with other rights stops the import: which is right?
func (c *Control) prepareTokens(ctx context.Context, actor gatehouse.Actor, p ImportPlan, i *preparedImport) error {
	hashes := make([]gatehouse.SecretHash, len(p.Tokens))
	for at, t := range p.Tokens {
		hashes[at] = t.Secret.Hash()
	}
	existing, err := c.store.TokensByHash(ctx, hashes)
	if err != nil {
		return err
	}
	for at, t := range p.Tokens {
		d := i.Deployments[t.Deployment]
		if old, known := existing[hashes[at]]; known {
			if old.DeploymentID != d.ID || old.Access != t.Access || !sameTenant(old.Tenant, t.Tenant) {
				return gatehouse.Errorf(gatehouse.Conflict,
					"the secret of %q belongs to the access token %q already, which has other rights or another deployment; delete that token first, or take the user out of the file", t.Name, old.Name)
			}
			i.Tokens = append(i.Tokens, ImportedToken{old, true})
			continue
		}
		name := freeName(t.Name, i.names[d.ID])
		i.names[d.ID][name] = true
		stored, err := c.importToken(actor, d.Deployment, t, name)
		if err != nil {
			return err
		}
		i.Tokens = append(i.Tokens, ImportedToken{stored.Token, false})
		i.tokens = append(i.tokens, stored)
		i.events = append(i.events, tokenEvent(actor, gatehouse.TokenImported, stored.Token))
	}
	return nil
}

func (c *Control) importToken(actor gatehouse.Actor, d gatehouse.Deployment, t ImportToken, name string) (gatehouse.StoredToken, error) {
	n := gatehouse.NewToken{DeploymentID: d.ID, Name: name, Access: t.Access, Tenant: t.Tenant}
	if err := n.Check(d.Type); err != nil {
		return gatehouse.StoredToken{}, err
	}
	token := gatehouse.Token{
		ID: uuid.NewString(), DeploymentID: d.ID, Name: name, Access: t.Access, Tenant: t.Tenant,
		Mask: t.Secret.Mask(), CreatedAt: now(), CreatedBy: actor.Creator(),
	}
	sealed, err := c.sealer.Seal(t.Secret, token.ID)
	return gatehouse.StoredToken{Token: token, Hash: t.Secret.Hash(), Sealed: sealed}, err
}

func sameTenant(a, b *gatehouse.Tenant) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// freeName gives the name, or else the name with the first number that makes it free.
func freeName(name string, taken map[string]bool) string {
	free := name
	for n := 2; taken[free]; n++ {
		number := " " + strconv.Itoa(n)
		short := []rune(name)
		if most := gatehouse.MaxNameLength - len(number); len(short) > most {
			short = short[:most]
		}
		free = string(short) + number
	}
	return free
}
