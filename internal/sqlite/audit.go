package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// AddAudit writes a record of something that changed nothing else, such as a failed sign-in.
func (s *Store) AddAudit(ctx context.Context, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(*sql.Tx) error { return nil }, event)
}

// insertAudit appends a record to the chain. The transaction has the only write lock, so nobody else appends in between.
func insertAudit(ctx context.Context, tx *sql.Tx, e gatehouse.AuditEvent) error {
	if err := checkKeyStillWorks(ctx, tx, e); err != nil {
		return err
	}
	var previous string
	err := tx.QueryRowContext(ctx, `
		SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0), coalesce((SELECT max(seq) FROM audit), 0)) + 1,
			coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), (SELECT hash FROM audit_floor))`).Scan(&e.Seq, &previous)
	if err != nil {
		return err
	}
	details, before, after := facts(e.Details), facts(e.Before), facts(e.After)
	_, err = tx.ExecContext(ctx, `
		INSERT INTO audit (`+auditColumns+`, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Seq, micros(e.At), e.Actor.Kind, e.Actor.ID, e.Actor.Name, e.Actor.Addr, e.Action, e.ObjectID, e.ObjectName, e.DeploymentID,
		details, before, after, chainHash(previous, e, details, before, after))
	return err
}

// checkKeyStillWorks undoes what is done with an API key that was revoked, or has expired, since it was looked up: every change has
// an event. A key may revoke itself, and what a refused one has tried is recorded.
func checkKeyStillWorks(ctx context.Context, tx *sql.Tx, e gatehouse.AuditEvent) error {
	revokesItself := e.Action == gatehouse.APIKeyRevoked && e.ObjectID == e.Actor.ID
	if e.Actor.Kind != gatehouse.KeyHolder || e.Action == gatehouse.APIKeyRefused || revokesItself {
		return nil
	}
	var works bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM api_keys WHERE id = ? AND (expires_at IS NULL OR expires_at > ?))`,
		e.Actor.ID, micros(time.Now())).Scan(&works)
	if err == nil && !works {
		return gatehouse.Errorf(gatehouse.Unauthenticated, "the API key has just been revoked or has expired, and nothing was changed; ask an admin for another one")
	}
	return err
}

// facts stores a map as a JSON object, with its keys in order.
func facts(m map[string]string) string {
	if len(m) == 0 {
		return "{}"
	}
	text, _ := json.Marshal(m) // strings always marshal
	return string(text)
}

const auditColumns = `seq, at, actor_kind, actor_id, actor_name, actor_addr, action, object_id, object_name, deployment_id, details, before, after`

// scanAudit reads a record without its details, before and after, whose texts it gives as they are stored.
func scanAudit(row scanner, more ...any) (e gatehouse.AuditEvent, texts [3]string, err error) {
	var at int64
	err = row.Scan(append([]any{&e.Seq, &at, &e.Actor.Kind, &e.Actor.ID, &e.Actor.Name, &e.Actor.Addr, &e.Action,
		&e.ObjectID, &e.ObjectName, &e.DeploymentID, &texts[0], &texts[1], &texts[2]}, more...)...)
	e.At = fromMicros(at)
	return e, texts, err
}

func readAudit(rows *sql.Rows) ([]gatehouse.AuditEvent, error) {
	return collect(rows, func(e *gatehouse.AuditEvent) (err error) {
		var texts [3]string
		if *e, texts, err = scanAudit(rows); err != nil {
			return err
		}
		for i, target := range []*map[string]string{&e.Details, &e.Before, &e.After} {
			// What somebody has made unreadable must not hide the other records; VerifyAudit finds it.
			if json.Unmarshal([]byte(texts[i]), target) != nil {
				*target = map[string]string{"unreadable": texts[i]}
			}
			if len(*target) == 0 {
				*target = nil
			}
		}
		return nil
	})
}

// Audit lists records, the newest first, and counts all that match, whatever the limit.
func (s *Store) Audit(ctx context.Context, q gatehouse.AuditQuery, only []string) (events []gatehouse.AuditEvent, total int, err error) {
	where, args := auditWhere(q, only)
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM audit`+where, args...).Scan(&total); err != nil {
		return nil, 0, explain(err)
	}
	limit := q.Limit
	if limit <= 0 {
		limit = -1
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit`+where+` ORDER BY seq DESC LIMIT ? OFFSET ?`,
		append(args, limit, q.Offset)...)
	if err != nil {
		return nil, 0, explain(err)
	}
	events, err = readAudit(rows)
	return events, total, err
}

// AuditAfter gives the oldest records after one and up to another, at most limit of them.
func (s *Store) AuditAfter(ctx context.Context, q gatehouse.AuditQuery, only []string, after, upTo int64, limit int) ([]gatehouse.AuditEvent, error) {
	where, args := auditWhere(q, only)
	rows, err := s.read.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit`+where+` AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
		append(args, after, upTo, limit)...)
	if err != nil {
		return nil, explain(err)
	}
	return readAudit(rows)
}

// auditWhere is the condition for what q chooses. Parts of a text are found by instr, for which nothing is a wildcard.
func auditWhere(q gatehouse.AuditQuery, only []string) (where string, args []any) {
	var all []string
	add := func(condition string, values ...any) {
		all = append(all, condition)
		args = append(args, values...)
	}
	add(`1`)
	if !q.From.IsZero() {
		add(`at >= ?`, micros(q.From))
	}
	if !q.To.IsZero() {
		add(`at < ?`, micros(q.To))
	}
	if q.Action != "" {
		add(`action = ?`, q.Action)
	}
	if q.DeploymentID != "" {
		add(`deployment_id <> '' AND deployment_id = ?`, q.DeploymentID) // the first half lets SQLite use the partial index
	}
	if q.ObjectID != "" {
		add(`object_id <> '' AND object_id = ?`, q.ObjectID) // likewise
	}
	if only != nil {
		add(`deployment_id <> '' AND deployment_id IN (SELECT value FROM json_each(?))`, list(only))
	}
	if q.Actor != "" {
		add(`instr(lower(actor_name), lower(?)) > 0`, q.Actor)
	}
	if q.Text != "" {
		add(`(instr(lower(object_name), lower(?)) > 0 OR instr(lower(object_id), lower(?)) > 0 OR instr(lower(actor_addr), lower(?)) > 0
			OR details <> '{}' AND json_valid(details) AND EXISTS (SELECT 1 FROM json_each(details) WHERE instr(lower(value), lower(?)) > 0))`,
			q.Text, q.Text, q.Text, q.Text)
	}
	return ` WHERE ` + strings.Join(all, ` AND `), args
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
