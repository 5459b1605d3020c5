package control

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/gatehouse"
)

// authorize is the first line of every method that concerns no single deployment. What it refuses is recorded.
func (c *Control) authorize(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right) error {
	if actor.Can(right) {
		return nil
	}
	return c.deny(ctx, actor, right, target{})
}

// authorizeOn is the first line of every method that concerns one deployment.
func (c *Control) authorizeOn(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, on target) error {
	if actor.CanOn(right, on.deploymentID) {
		return nil
	}
	return c.deny(ctx, actor, right, on)
}

// authorizeSomewhere is the first line of methods that find out by themselves which deployment they concern. They must call
// authorizeOn once they know.
func (c *Control) authorizeSomewhere(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right) error {
	if actor.CanSomewhere(right) {
		return nil
	}
	return c.deny(ctx, actor, right, target{})
}

// authorizeSelf is the first line of methods that concern the actor's own account, which only people have.
func (c *Control) authorizeSelf(ctx context.Context, actor gatehouse.Actor) error {
	const right gatehouse.Right = "change their own account" // that every role carries
	if actor.Kind == gatehouse.Person && slices.Contains(gatehouse.Roles, actor.Role) {
		return nil
	}
	if err := c.recordDenied(ctx, actor, right, target{}); err != nil {
		return err
	}
	return gatehouse.Errorf(gatehouse.Forbidden, "only people who sign in to the console have a password and sessions of their own; sign in there")
}

// deny records a refused attempt and explains it.
func (c *Control) deny(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, on target) error {
	if err := c.recordDenied(ctx, actor, right, on); err != nil {
		return err
	}
	return refusal(actor, right)
}

// recordDenied records a refused attempt, unless the same one was recorded a moment ago. Whoever has not signed in is not recorded
// here: there is nobody to name, and anybody could fill the log.
func (c *Control) recordDenied(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, on target) error {
	if actor.Role == "" {
		return gatehouse.Errorf(gatehouse.Unauthenticated, "sign in first")
	}
	e := event(actor, gatehouse.Denied, on.id, on.name)
	e.DeploymentID = on.deploymentID
	e.Details = map[string]string{"right": string(right)}
	if !c.denials.mayRecord(e, c.recordDenials) {
		return nil
	}
	return c.store.AddAudit(context.WithoutCancel(ctx), e)
}

// actorNow gives the actor with the rights of this moment, for what goes on for long after it was allowed.
func (c *Control) actorNow(ctx context.Context, actor gatehouse.Actor) (gatehouse.Actor, error) {
	gone := gatehouse.Errorf(gatehouse.Forbidden, "your account or API key was disabled, revoked or deleted in the meantime; ask an admin")
	switch actor.Kind {
	case gatehouse.Person:
		u, _, err := c.store.User(ctx, actor.ID)
		if gatehouse.ErrorCode(err) == gatehouse.NotFound || err == nil && u.Disabled {
			return actor, gone
		}
		return personAt(u, actor.Addr), err
	case gatehouse.KeyHolder:
		k, err := c.store.APIKey(ctx, actor.ID)
		if gatehouse.ErrorCode(err) == gatehouse.NotFound || err == nil && k.Expired(time.Now()) {
			return actor, gone
		}
		return k.Actor(actor.Addr), err
	}
	return actor, nil
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
