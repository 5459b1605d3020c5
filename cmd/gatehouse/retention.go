package main

import (
	"context"
	"time"

	"gatehouse/internal/gatehouse"
)

const pruneEvery = 24 * time.Hour

// pruneAudit removes old records of the audit log, at once and then daily, until ctx ends.
func (s *server) pruneAudit(ctx context.Context) {
	if s.auditRetention == (gatehouse.Retention{}) {
		return // kept for ever
	}
	actor := gatehouse.Actor{Kind: gatehouse.System, Name: "audit retention", Role: gatehouse.Admin}
	every(ctx, pruneEvery, func() {
		removed, err := s.control.PruneAudit(ctx, actor, before(time.Now(), s.auditRetention))
		switch {
		case ctx.Err() != nil:
		case err != nil:
			s.log.Error("old records of the audit log could not be removed; the next try is in a day", "error", err)
		case removed > 0:
			s.log.Info("removed old records of the audit log", "records", removed)
		}
	})
}

// before gives the time that lies a retention before at. The shortest is a day, which control.PruneAudit wants to have passed wholly.
func before(at time.Time, r gatehouse.Retention) time.Time {
	if r.Unit == "m" {
		return at.AddDate(0, -int(r.Value), 0)
	}
	return at.AddDate(0, 0, -int(r.Value)).Add(-time.Second)
}

// auditRetention reads the flag, where 0 stands for ever.
func (k *serveCommand) auditRetention() (gatehouse.Retention, error) {
	if k.AuditRetention == "0" || k.AuditRetention == "" {
		return gatehouse.Retention{}, nil
	}
	r, err := gatehouse.ParseRetention(k.AuditRetention)
	if err != nil {
		return r, gatehouse.Errorf(gatehouse.Invalid, "the value of --audit-retention is not valid; write days like 400d, months like 24m, or 0 to keep all").WithCause(err)
	}
	return r, nil
}
