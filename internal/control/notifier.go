package control

import (
	"context"

	"gatehouse/internal/gatehouse"
)

// SetNotifier says which Alertmanager gets the alerts of a deployment's rules. Empty: none does.
func (c *Control) SetNotifier(ctx context.Context, actor gatehouse.Actor, deploymentID, url string) error {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ChangeRules, deploymentID)
	if err != nil {
		return err
	}
	if url, err = gatehouse.ParseNotifier(url); err != nil {
		return err
	}
	err = c.store.UpdateDeployment(ctx, d.ID, func(stored *gatehouse.Deployment) (gatehouse.AuditEvent, error) {
		e := event(actor, gatehouse.DeploymentChanged, stored.ID, stored.Name)
		e.DeploymentID = stored.ID
		e.Before, e.After = differences(map[string]string{"notifier_url": stored.NotifierURL}, map[string]string{"notifier_url": url})
		stored.NotifierURL = url
		return e, nil
	})
	if err != nil {
		return err
	}
	return c.publish(ctx)
}
