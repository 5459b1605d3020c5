package main

import (
	"context"
	"time"

	"gatehouse/internal/gatehouse"
)

const auditHeadEvery = time.Hour

// noteAuditHead writes the head of the audit log to the server's log when it has changed: at the start, hourly, and when ctx ends.
// Somebody who replaces the whole audit log cannot take those lines back, and gatehouse audit verify --anchor finds them out.
func (s *server) noteAuditHead(ctx context.Context) {
	var noted gatehouse.AuditHead
	note := func() {
		head, err := s.store.AuditHead(context.WithoutCancel(ctx))
		switch {
		case err != nil:
			s.log.Error("the head of the audit log could not be read; the next try is in an hour", "error", err)
		case head != noted:
			s.log.Info("audit log", "head", headText(head))
			noted = head
		}
	}
	every(ctx, auditHeadEvery, note)
	note()
}
