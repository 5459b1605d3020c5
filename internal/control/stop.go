package control

import (
	"context"

	"gatehouse/internal/gatehouse"
)

// StopDeployment stops the engine of a managed deployment until StartDeployment starts it, also across restarts of Gatehouse. Its
// data and tokens stay; requests with them are answered 503. Stopping it twice is recorded and changes nothing.
func (c *Control) StopDeployment(ctx context.Context, actor gatehouse.Actor, idOrName string) error {
	return c.setStopped(ctx, actor, idOrName, gatehouse.DeploymentStopped)
}

// StartDeployment undoes StopDeployment.
func (c *Control) StartDeployment(ctx context.Context, actor gatehouse.Actor, idOrName string) error {
	return c.setStopped(ctx, actor, idOrName, gatehouse.DeploymentStarted)
}

func (c *Control) setStopped(ctx context.Context, actor gatehouse.Actor, idOrName string, action gatehouse.Action) error {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeDeployments, idOrName)
	if err != nil {
		return err
	}
	if d.Connected() {
		return gatehouse.Errorf(gatehouse.Invalid, "a connected deployment is stopped and started where it runs; to keep clients out, revoke their access tokens")
	}
	if action == gatehouse.DeploymentStarted {
		if err := c.canRun(d.Type); err != nil {
			return err
		}
	}
	err = c.store.UpdateDeployment(ctx, d.ID, func(stored *gatehouse.Deployment) (gatehouse.AuditEvent, error) {
		switch {
		case action == gatehouse.DeploymentStarted:
			stored.StoppedBy = ""
		case stored.StoppedBy == "":
			stored.StoppedBy = actor.Creator()
		}
		e := event(actor, action, d.ID, stored.Name)
		e.DeploymentID = d.ID
		return e, nil
	})
	if err != nil {
		return err
	}
	return c.publish(ctx)
}
