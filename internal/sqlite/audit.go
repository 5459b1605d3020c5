package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"gatehouse/internal/gatehouse"
)

// AddAudit writes a record of something that changed nothing else, such as a failed sign-in.
func (s *Store) AddAudit(ctx context.Context, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(*sql.Tx) error { return nil }, event)
}

func insertAudit(ctx context.Context, tx *sql.Tx, e gatehouse.AuditEvent) error {
	details := []byte("{}")
	if len(e.Details) > 0 {
		var err error
		if details, err = json.Marshal(e.Details); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO audit (at, actor_kind, actor_id, actor_name, actor_addr, action, object_id, object_name, deployment_id, details)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		micros(e.At), e.Actor.Kind, e.Actor.ID, e.Actor.Name, e.Actor.Addr, e.Action, e.ObjectID, e.ObjectName, e.DeploymentID, string(details))
	return err
}

// Audit lists the newest records first.
func (s *Store) Audit(ctx context.Context, limit int) ([]gatehouse.AuditEvent, error) {
	rows, err := s.read.QueryContext(ctx, `
		SELECT seq, at, actor_kind, actor_id, actor_name, actor_addr, action, object_id, object_name, deployment_id, details
		FROM audit ORDER BY seq DESC LIMIT ?`, limit)
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(e *gatehouse.AuditEvent) error {
		var at int64
		var details []byte
		err := rows.Scan(&e.Seq, &at, &e.Actor.Kind, &e.Actor.ID, &e.Actor.Name, &e.Actor.Addr, &e.Action,
			&e.ObjectID, &e.ObjectName, &e.DeploymentID, &details)
		if err != nil {
			return err
		}
		e.At = fromMicros(at)
		return json.Unmarshal(details, &e.Details)
	})
}

// collect reads all rows into a slice and closes them.
func collect[T any](rows *sql.Rows, scan func(*T) error) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		var one T
		if err := scan(&one); err != nil {
			return nil, explain(err)
		}
		all = append(all, one)
	}
	return all, explain(rows.Err())
}
