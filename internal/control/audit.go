package control

import (
	"context"
	"time"

	"gatehouse/internal/gatehouse"
)

// auditStore keeps the audit log. only, when not nil, leaves out what concerns no deployment or another one.
type auditStore interface {
	AddAudit(ctx context.Context, event gatehouse.AuditEvent) error
	Audit(ctx context.Context, q gatehouse.AuditQuery, only []string) (events []gatehouse.AuditEvent, total int, err error)
	AuditHead(ctx context.Context) (gatehouse.AuditHead, error)
	// AuditAfter gives the oldest records after one and up to another, at most limit of them.
	AuditAfter(ctx context.Context, q gatehouse.AuditQuery, only []string, after, upTo int64, limit int) ([]gatehouse.AuditEvent, error)
	VerifyAudit(ctx context.Context, anchor gatehouse.AuditHead) (head gatehouse.AuditHead, records int, err error)
	PruneAudit(ctx context.Context, olderThan time.Time, event gatehouse.AuditEvent) (removed int, err error)
}

// Audit lists records of the audit log, the newest first, and counts all that match, whatever the limit. A key for some deployments
// sees the records of those.
func (c *Control) Audit(ctx context.Context, actor gatehouse.Actor, q gatehouse.AuditQuery) ([]gatehouse.AuditEvent, int, error) {
	if err := c.authorizeAudit(ctx, actor, q); err != nil {
		return nil, 0, err
	}
	return c.store.Audit(ctx, q, actor.Deployments)
}

func (c *Control) authorizeAudit(ctx context.Context, actor gatehouse.Actor, q gatehouse.AuditQuery) error {
	if q.DeploymentID != "" {
		return c.authorizeOn(ctx, actor, gatehouse.ViewAudit, target{deploymentID: q.DeploymentID})
	}
	return c.authorizeSomewhere(ctx, actor, gatehouse.ViewAudit)
}

// exportPage is how many records are read at once. Between pages nothing is held, however slowly the client takes them.
const exportPage = 1000

// ExportAudit hands every record that matches to each, the oldest first, until each returns an error, or the actor loses the right.
// Limit and Offset are passed over. The export is itself recorded, before the first record is handed out.
func (c *Control) ExportAudit(ctx context.Context, actor gatehouse.Actor, q gatehouse.AuditQuery, each func(gatehouse.AuditEvent) error) error {
	if err := c.authorizeAudit(ctx, actor, q); err != nil {
		return err
	}
	e := event(actor, gatehouse.AuditExported, "", "")
	e.DeploymentID, e.Details = q.DeploymentID, filters(q)
	if err := c.store.AddAudit(ctx, e); err != nil {
		return err
	}
	head, err := c.store.AuditHead(ctx)
	if err != nil {
		return err
	}
	for last := int64(0); ; {
		page, err := c.store.AuditAfter(ctx, q, actor.Deployments, last, head.Seq, exportPage)
		if err != nil {
			return err
		}
		for _, e := range page {
			if err := each(e); err != nil {
				return err
			}
			last = e.Seq
		}
		if len(page) < exportPage {
			return nil
		}
		if actor, err = c.actorNow(ctx, actor); err != nil {
			return err
		}
		if err := c.authorizeAudit(ctx, actor, q); err != nil {
			return err
		}
	}
}

// filters tells, for the record, what was chosen.
func filters(q gatehouse.AuditQuery) map[string]string {
	chosen := map[string]string{}
	set := func(name, value string) {
		if value != "" {
			chosen[name] = value
		}
	}
	if !q.From.IsZero() {
		set("from", q.From.UTC().Format(time.RFC3339))
	}
	if !q.To.IsZero() {
		set("to", q.To.UTC().Format(time.RFC3339))
	}
	set("actor", q.Actor)
	set("action", string(q.Action))
	set("object", q.ObjectID)
	set("text", q.Text)
	return chosen
}

// VerifyAudit follows the chain of hashes through the whole audit log, and gives its last record and the number of records. The
// error names the first record where the chain breaks. anchor, unless zero, is a head that was noted earlier and elsewhere, and must
// be in the chain; without one, whoever rewrites the whole database file, hashes included, is not found.
func (c *Control) VerifyAudit(ctx context.Context, actor gatehouse.Actor, anchor gatehouse.AuditHead) (head gatehouse.AuditHead, records int, err error) {
	if err := c.authorize(ctx, actor, gatehouse.ViewAudit); err != nil {
		return gatehouse.AuditHead{}, 0, err
	}
	return c.store.VerifyAudit(ctx, anchor)
}

// MinAuditRetention is what PruneAudit leaves in any case, so that nobody can wipe their own traces away at once.
const MinAuditRetention = 24 * time.Hour

// PruneAudit removes the records from before olderThan, from the oldest on up to the first that is younger. That is recorded, and
// the chain of hashes goes on from where it was cut.
func (c *Control) PruneAudit(ctx context.Context, actor gatehouse.Actor, olderThan time.Time) (removed int, err error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageServer); err != nil {
		return 0, err
	}
	e := event(actor, gatehouse.AuditPruned, "", "")
	olderThan = olderThan.Truncate(time.Microsecond) // as the event's time is, so that just a day ago is old enough
	if olderThan.After(e.At.Add(-MinAuditRetention)) {
		return 0, gatehouse.InvalidField("retention",
			"the audit log keeps at least the records of the last %d hours; choose a longer retention", int(MinAuditRetention.Hours()))
	}
	return c.store.PruneAudit(ctx, olderThan, e)
}
