package main

import (
	"context"
	"fmt"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type rekeyCommand struct{}

// Run makes a new sealing key.
func (rekeyCommand) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		resealed, lost, err := ctl.Rekey(ctx, actor)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Secrets sealed with the new key: %d. Backups from before need the keyset that is in them.\n", resealed)
		if lost > 0 {
			fmt.Fprintf(s.err, "%d secrets could not be opened before, and cannot now, so the old key was kept too; "+
				"delete those tokens, API keys and deployments, make new ones, and run gatehouse rekey again\n", lost)
		}
		return nil
	})
}
