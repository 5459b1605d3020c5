package control

import (
	"context"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// CreateToken makes an access token. It works at once; its secret is returned here and by RevealToken, nowhere else.
func (c *Control) CreateToken(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewToken) (gatehouse.Token, secret.Secret, error) {
	if err := authorize(actor, gatehouse.ChangeTokens); err != nil {
		return gatehouse.Token{}, secret.Secret{}, err
	}
	d, err := c.store.FindDeployment(ctx, n.DeploymentID)
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

// mint makes a token and its secret in memory.
func (c *Control) mint(actor gatehouse.Actor, n gatehouse.NewToken) (gatehouse.StoredToken, secret.Secret, error) {
	value := secret.New(secret.AccessToken)
	t := gatehouse.Token{
		ID: uuid.NewString(), DeploymentID: n.DeploymentID, Name: n.Name, Access: n.Access, Tenant: n.Tenant,
		Mask: value.Mask(), CreatedAt: now(), CreatedBy: actor.Creator(),
	}
	sealed, err := c.sealer.Seal(value, t.ID)
	return gatehouse.StoredToken{Token: t, Hash: value.Hash(), Sealed: sealed}, value, err
}

// Tokens lists access tokens of a deployment without their secrets, and counts all that match.
func (c *Control) Tokens(ctx context.Context, actor gatehouse.Actor, q gatehouse.TokenQuery) (tokens []gatehouse.Token, total int, err error) {
	if err := authorize(actor, gatehouse.ViewTokens); err != nil {
		return nil, 0, err
	}
	return c.store.Tokens(ctx, q)
}

// Token finds an access token, without its secret.
func (c *Control) Token(ctx context.Context, actor gatehouse.Actor, id string) (gatehouse.Token, error) {
	if err := authorize(actor, gatehouse.ViewTokens); err != nil {
		return gatehouse.Token{}, err
	}
	return c.store.Token(ctx, id)
}

// RevealToken gives the secret of an access token. That is recorded.
func (c *Control) RevealToken(ctx context.Context, actor gatehouse.Actor, id string) (secret.Secret, error) {
	if err := authorize(actor, gatehouse.RevealTokens); err != nil {
		return secret.Secret{}, err
	}
	t, err := c.store.Token(ctx, id)
	if err != nil {
		return secret.Secret{}, err
	}
	sealed, err := c.store.RevealToken(ctx, t.ID, tokenEvent(actor, gatehouse.TokenRevealed, t))
	if err != nil {
		return secret.Secret{}, err
	}
	return c.sealer.Open(sealed, t.ID)
}

// RevokeToken deletes an access token. The next request with it fails, and those that are running are cut off.
func (c *Control) RevokeToken(ctx context.Context, actor gatehouse.Actor, id string) error {
	if err := authorize(actor, gatehouse.ChangeTokens); err != nil {
		return err
	}
	t, err := c.store.Token(ctx, id)
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
