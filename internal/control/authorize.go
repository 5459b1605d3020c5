package control

import (
	"context"
	"slices"

	"gatehouse/internal/gatehouse"
)

// authorize is the first line of every method that concerns no single deployment. What it refuses is recorded.
func (c *Control) authorize(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right) error {
	if actor.Can(right) {
		return nil
	}
	return c.deny(ctx, actor, right, "")
}

// authorizeOn is the first line of every method that concerns one deployment.
func (c *Control) authorizeOn(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, deploymentID string) error {
	if actor.CanOn(right, deploymentID) {
		return nil
	}
	return c.deny(ctx, actor, right, deploymentID)
}

// authorizeSomewhere is the first line of methods that find out by themselves which deployment they concern. They must call
// authorizeOn once they know.
func (c *Control) authorizeSomewhere(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right) error {
	if actor.CanSomewhere(right) {
		return nil
	}
	return c.deny(ctx, actor, right, "")
}

// authorizeSelf is the first line of methods that concern the actor's own account, which only people have.
func (c *Control) authorizeSelf(ctx context.Context, actor gatehouse.Actor) error {
	const right gatehouse.Right = "change their own account" // that every role carries
	if actor.Kind == gatehouse.Person && slices.Contains(gatehouse.Roles, actor.Role) {
		return nil
	}
	if err := c.recordDenied(ctx, actor, right, ""); err != nil {
		return err
	}
	return gatehouse.Errorf(gatehouse.Forbidden, "only people who sign in to the console have a password and sessions of their own; sign in there")
}

// deny records a refused attempt and explains it.
func (c *Control) deny(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, deploymentID string) error {
	if err := c.recordDenied(ctx, actor, right, deploymentID); err != nil {
		return err
	}
	return refusal(actor, right)
}

// recordDenied records a refused attempt. Whoever has not signed in is not recorded here: there is nobody to name, and anybody
// could fill the log.
func (c *Control) recordDenied(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, deploymentID string) error {
	if actor.Role == "" {
		return gatehouse.Errorf(gatehouse.Unauthenticated, "sign in first")
	}
	e := event(actor, gatehouse.Denied, "", "")
	e.DeploymentID = deploymentID
	e.Details = map[string]string{"right": string(right)}
	return c.store.AddAudit(context.WithoutCancel(ctx), e)
}

func refusal(actor gatehouse.Actor, right gatehouse.Right) error {
	switch {
	case actor.Kind != gatehouse.KeyHolder:
		return gatehouse.Errorf(gatehouse.Forbidden, "your role %q may not %s; ask an admin", actor.Role, right)
	case actor.CanSomewhere(right):
		return gatehouse.Errorf(gatehouse.Forbidden,
			"this API key is for other deployments and may not %s here; use one for all deployments, or for this one", right)
	}
	return gatehouse.Errorf(gatehouse.Forbidden, "this API key is read-only and may not %s; use one with Read/Write permissions", right)
}
