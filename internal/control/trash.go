package control

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/gatehouse"
)

// trashStore keeps deleted managed deployments until their data is freed.
type trashStore interface {
	// Trash lists them, the last deleted first.
	Trash(ctx context.Context) ([]gatehouse.DeletedDeployment, error)
	FindDeleted(ctx context.Context, idOrName string) (gatehouse.DeletedDeployment, error)
	RestoreDeployment(ctx context.Context, d gatehouse.DeletedDeployment, token gatehouse.StoredToken, events ...gatehouse.AuditEvent) error
	FreeDeployment(ctx context.Context, id string, event gatehouse.AuditEvent) error
}

// Trash lists the deployments that can be restored, the last deleted first: all, or those that the actor's API key is for.
func (c *Control) Trash(ctx context.Context, actor gatehouse.Actor) ([]gatehouse.DeletedDeployment, error) {
	if err := c.authorizeSomewhere(ctx, actor, gatehouse.ViewTrash); err != nil {
		return nil, err
	}
	all, err := c.store.Trash(ctx)
	return slices.DeleteFunc(all, func(d gatehouse.DeletedDeployment) bool {
		return !actor.CanOn(gatehouse.ViewTrash, d.Deployment.ID)
	}), err
}

// Deleted finds a deployment in the trash by ID, or else the one last deleted of this name.
func (c *Control) Deleted(ctx context.Context, actor gatehouse.Actor, idOrName string) (gatehouse.DeletedDeployment, error) {
	return c.deletedFor(ctx, actor, gatehouse.ViewTrash, idOrName)
}

// deletedFor finds the deployment in the trash for which the actor needs the right.
func (c *Control) deletedFor(ctx context.Context, actor gatehouse.Actor, right gatehouse.Right, idOrName string) (gatehouse.DeletedDeployment, error) {
	d, err := c.store.FindDeleted(ctx, idOrName)
	if !actor.CanSomewhere(right) {
		return gatehouse.DeletedDeployment{}, c.deny(ctx, actor, right, deploymentTarget(d.Deployment)) // the same where there is none
	}
	if err == nil {
		err = c.authorizeOn(ctx, actor, right, deploymentTarget(d.Deployment))
	}
	if err != nil {
		return gatehouse.DeletedDeployment{}, err
	}
	return d, nil
}

// RestoreDeployment takes a deployment out of the trash, with its ID, settings, rule files and data, and starts it. Its old tokens
// stay revoked; it gets a new default access token. name is for when the old one is in use by now; empty keeps it.
func (c *Control) RestoreDeployment(ctx context.Context, actor gatehouse.Actor, idOrName, name string) (gatehouse.Deployment, error) {
	deleted, err := c.deletedFor(ctx, actor, gatehouse.ChangeDeployments, idOrName)
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	if deleted.Damaged {
		return gatehouse.Deployment{}, gatehouse.Errorf(gatehouse.Conflict, "what is stored of this deployment is damaged, so it cannot be restored; copy its data from the trash folder before it is freed")
	}
	d := &deleted.Deployment
	before := d.Name
	if name != "" {
		d.Name = name
	}
	if err := gatehouse.CheckName(d.Name); err != nil {
		return gatehouse.Deployment{}, err
	}
	d.StoppedBy, d.State = "", gatehouse.State{Status: gatehouse.Provisioning}
	token, _, err := c.mint(actor, gatehouse.NewToken{DeploymentID: d.ID, Name: gatehouse.DefaultTokenName, Access: gatehouse.ReadWrite})
	if err != nil {
		return gatehouse.Deployment{}, err
	}
	e := event(actor, gatehouse.DeploymentRestored, d.ID, d.Name)
	e.DeploymentID = d.ID
	e.Details = map[string]string{"deleted_at": deleted.DeletedAt.Format(time.RFC3339), "deleted_by": deleted.DeletedBy}
	e.Before, e.After = differences(map[string]string{"name": before}, map[string]string{"name": d.Name})
	if err := c.store.RestoreDeployment(ctx, deleted, token, e, tokenEvent(actor, gatehouse.TokenCreated, token.Token)); err != nil {
		return gatehouse.Deployment{}, err
	}
	c.correctState(d)
	return *d, c.publish(ctx)
}

// FreeDeployment gives up a deployment in the trash. A running server removes its data within a minute; it cannot be restored.
func (c *Control) FreeDeployment(ctx context.Context, actor gatehouse.Actor, idOrName string) error {
	deleted, err := c.deletedFor(ctx, actor, gatehouse.ChangeDeployments, idOrName)
	if err != nil {
		return err
	}
	return c.free(ctx, actor, deleted)
}

func (c *Control) free(ctx context.Context, actor gatehouse.Actor, deleted gatehouse.DeletedDeployment) error {
	e := event(actor, gatehouse.DataFreed, deleted.Deployment.ID, deleted.Deployment.Name)
	e.DeploymentID = deleted.Deployment.ID
	e.Details = map[string]string{"deleted_at": deleted.DeletedAt.Format(time.RFC3339), "deleted_by": deleted.DeletedBy}
	return c.store.FreeDeployment(ctx, deleted.Deployment.ID, e)
}

// FreeTrash gives up all deployments that were deleted before a time, and tells how many.
func (c *Control) FreeTrash(ctx context.Context, actor gatehouse.Actor, before time.Time) (freed int, err error) {
	if err := c.authorize(ctx, actor, gatehouse.ChangeDeployments); err != nil {
		return 0, err
	}
	all, err := c.store.Trash(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range all {
		if !d.DeletedAt.Before(before) {
			continue
		}
		switch err := c.free(ctx, actor, d); gatehouse.ErrorCode(err) {
		case "":
			freed++
		case gatehouse.NotFound: // restored in this moment
		default:
			return freed, err
		}
	}
	return freed, nil
}
