package main

import (
	"context"
	"fmt"
	"path/filepath"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type rekeyCommand struct{}

// Run makes a new sealing key. One at a time: of two, the second would forget the key of the first.
func (rekeyCommand) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		lock, err := lockFile(filepath.Join(c.DataDir, "rekey.lock"), "another gatehouse rekey is under way; wait until it has ended")
		if err != nil {
			return err
		}
		defer lock.Close()
		resealed, lost, err := ctl.Rekey(ctx, actor)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "Secrets sealed with the new key: %d. Backups from before need the keyset that is in them.\n", resealed)
		if lost > 0 {
			fmt.Fprintf(s.err, "%d secrets could not be opened before, and cannot now; delete those tokens and generate new ones\n", lost)
		}
		return nil
	})
}
