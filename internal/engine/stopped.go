package engine

import (
	"context"
	"fmt"
	"os"

	"gatehouse/internal/gatehouse"
)

func stoppedSpec(d gatehouse.Deployment) string { return fmt.Sprintf("stopped by %q", d.StoppedBy) }

// keepStopped says who has stopped a deployment. Its engine has ended with its worker; one that a killed Gatehouse has left behind
// is ended here.
func (s *Supervisor) keepStopped(ctx context.Context, d gatehouse.Deployment, states *reporter) {
	detail := "stopped by " + d.StoppedBy + "; start it to write to it or query it"
	states.report(ctx, gatehouse.Stopped, detail, "", nil)
	dir := s.folder(d.ID)
	if _, err := os.Stat(dir); err != nil {
		return // it was never started
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		s.cfg.Log.Warn("cannot look whether the engine of a stopped deployment still runs", "deployment", d.ID, "error", err)
		return
	}
	defer unlock()
	if err := endLeftover(ctx, dir, s.cfg.Log); err != nil {
		states.report(ctx, gatehouse.Failed, gatehouse.ErrorMessage(err), "", nil)
	}
}
