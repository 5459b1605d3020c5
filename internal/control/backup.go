package control

import (
	"context"

	"gatehouse/internal/gatehouse"
)

// serverStore is what concerns the database as a whole.
type serverStore interface {
	BackupTo(ctx context.Context, path string, event gatehouse.AuditEvent) error
}

// Backup writes a consistent copy of the database to a new file.
func (c *Control) Backup(ctx context.Context, actor gatehouse.Actor, path string) error {
	if err := c.authorize(ctx, actor, gatehouse.ManageServer); err != nil {
		return err
	}
	return c.store.BackupTo(ctx, path, event(actor, gatehouse.BackedUp, "", ""))
}

// FinishRestore is the first thing done with a restored database: it ends the sessions of the time of the backup, which may have
// been ended since for good reasons, and records the restore.
func (c *Control) FinishRestore(ctx context.Context, actor gatehouse.Actor) error {
	if err := c.authorize(ctx, actor, gatehouse.ManageServer); err != nil {
		return err
	}
	return c.store.EndAllSessions(ctx, event(actor, gatehouse.Restored, "", ""))
}
