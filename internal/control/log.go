package control

import (
	"context"

	"gatehouse/internal/gatehouse"
)

// engines is what control asks of those who run the programs of managed deployments.
type engines interface {
	// CanRun is nil, or says what to put where so that managed deployments of the type can run.
	CanRun(t gatehouse.DeploymentType) error
	// Evaluation is the zero value for a deployment whose rules nobody evaluates.
	Evaluation(ctx context.Context, deploymentID string) (gatehouse.Evaluation, error)
	// ProgramLog gives the last lines of a log, oldest first.
	ProgramLog(deploymentID string, log gatehouse.LogName, lines int) ([]string, error)
}

// Log gives the last lines of one of a deployment's logs, at most that many, oldest first.
func (c *Control) Log(ctx context.Context, actor gatehouse.Actor, deploymentID string, log gatehouse.LogName, lines int) ([]string, error) {
	d, err := c.deploymentFor(ctx, actor, gatehouse.ViewLogs, deploymentID)
	if err != nil {
		return nil, err
	}
	if d.Connected() && log != gatehouse.VmalertLog {
		return nil, gatehouse.Errorf(gatehouse.NotFound, "this deployment runs elsewhere, and so do its logs; look for them where it runs")
	}
	if c.engines == nil {
		return nil, gatehouse.Errorf(gatehouse.Unavailable, "no server runs here that has logs; ask the console of the one that does")
	}
	return c.engines.ProgramLog(d.ID, log, lines)
}
