package control

import (
	"context"
	"strconv"
	"time"

	"gatehouse/internal/gatehouse"
)

// rekeyStore changes how secrets are sealed.
type rekeyStore interface {
	// Reseal replaces each sealed secret by what reseal makes of it, in one transaction, and leaves those of which it makes nil.
	Reseal(ctx context.Context, reseal func(gatehouse.Sealed) ([]byte, error), event func(resealed, left int) gatehouse.AuditEvent) (resealed, left int, err error)
}

// settleTime is longer than a change of another process takes between sealing a secret and storing it, which SQLite's busy timeout
// bounds. From the new key on they all seal with it, but one may be under way.
const settleTime = 6 * time.Second

// Rekey makes a new sealing key, seals all secrets with it, and forgets the old one, one at a time in all processes. A running server
// goes on. Whenever this is interrupted, the keyset file opens everything that is stored. It gives the number of secrets that were
// sealed anew, and of those that the old keyset could not open either: while there are any, the old key stays.
func (c *Control) Rekey(ctx context.Context, actor gatehouse.Actor) (resealed, lost int, err error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageServer); err != nil {
		return 0, 0, err
	}
	err = c.sealer.ChangeKey(func() (all bool, err error) {
		select {
		case <-time.After(c.settle):
		case <-ctx.Done():
			return false, ctx.Err()
		}
		resealed, lost, err = c.store.Reseal(ctx, c.reseal, func(resealed, lost int) gatehouse.AuditEvent {
			e := event(actor, gatehouse.Rekeyed, "", "")
			e.Details = map[string]string{"secrets": strconv.Itoa(resealed)}
			if lost > 0 {
				e.Details["unreadable"] = strconv.Itoa(lost)
			}
			return e
		})
		return lost == 0, err
	})
	if err != nil {
		return 0, 0, err
	}
	return resealed, lost, nil
}

func (c *Control) reseal(old gatehouse.Sealed) ([]byte, error) {
	value, err := c.sealer.Open(old.Sealed, old.Row)
	if err != nil {
		return nil, nil // it is lost already, and must not keep the others from their new key
	}
	return c.sealer.Seal(value, old.Row)
}
