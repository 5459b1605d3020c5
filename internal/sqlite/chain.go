package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// chainHash is the hash of a record of the audit log: the SHA-256, in hexadecimal, of the hash of the record before and all fields,
// each as its length in bytes in decimal, a colon and its text, so that no two records have the same encoding. The hash is not a
// secret: the chain finds whoever changes, removes, inserts or reorders records, but not whoever works out all later hashes as well.
// Noting the head elsewhere finds those too.
func chainHash(previous string, e gatehouse.AuditEvent, details, before, after string) string {
	h := sha256.New()
	for _, field := range []string{previous, strconv.FormatInt(e.Seq, 10), strconv.FormatInt(micros(e.At), 10),
		string(e.Actor.Kind), e.Actor.ID, e.Actor.Name, e.Actor.Addr, string(e.Action), e.ObjectID, e.ObjectName, e.DeploymentID, details, before, after} {
		fmt.Fprintf(h, "%d:%s", len(field), field)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// chainBegins is the migration that makes the audit log a chain.
const chainBegins = "migrations/0002_control_plane.sql"

// chainOldRecords gives the records of the time before the chain their hashes. A chain that took records without one would take
// every log whose hashes somebody has emptied.
func chainOldRecords(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+auditColumns+` FROM audit ORDER BY seq`)
	if err != nil {
		return err
	}
	hashes := map[int64]string{}
	var previous string
	_, err = collect(rows, func(e *gatehouse.AuditEvent) error {
		one, texts, err := scanAudit(rows)
		previous = chainHash(previous, one, texts[0], texts[1], texts[2])
		hashes[one.Seq] = previous
		return err
	})
	if err != nil {
		return err
	}
	var guard string
	if err := tx.QueryRowContext(ctx, `SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'audit_no_update'`).Scan(&guard); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DROP TRIGGER audit_no_update`); err != nil {
		return err
	}
	for seq, hash := range hashes {
		if _, err := tx.ExecContext(ctx, `UPDATE audit SET hash = ? WHERE seq = ?`, hash, seq); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, guard)
	return err
}

// AuditHead gives the last record, or the zero value when there is none.
func (s *Store) AuditHead(ctx context.Context) (head gatehouse.AuditHead, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0), coalesce((SELECT hash FROM audit ORDER BY seq DESC LIMIT 1), '') FROM audit`).
		Scan(&head.Seq, &head.Hash)
	return head, explain(err)
}

// VerifyAudit follows the chain through all records. anchor, unless zero, must be in it.
func (s *Store) VerifyAudit(ctx context.Context, anchor gatehouse.AuditHead) (head gatehouse.AuditHead, records int, err error) {
	tx, err := s.read.BeginTx(ctx, nil) // one snapshot, while others go on writing
	if err != nil {
		return head, 0, explain(err)
	}
	defer tx.Rollback()
	var c chain
	if err := c.begin(ctx, tx, anchor); err != nil {
		return head, 0, explain(err)
	}
	rows, err := tx.QueryContext(ctx, `SELECT `+auditColumns+`, hash FROM audit ORDER BY seq`)
	if err != nil {
		return head, 0, explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := c.follow(rows); err != nil {
			return c.head, c.records, explain(err)
		}
	}
	if err := rows.Err(); err != nil {
		return c.head, c.records, explain(err)
	}
	return c.head, c.records, c.end()
}

// chain is how far the chain has been followed.
type chain struct {
	head     gatehouse.AuditHead
	records  int
	floor    int64 // the oldest record that the retention has left; 0: it never removed any
	told     int64 // what the last record of a removal says about the floor
	last     int64 // the last record ever written
	anchor   gatehouse.AuditHead
	anchored bool // the anchor has been found
}

func (c *chain) begin(ctx context.Context, tx *sql.Tx, anchor gatehouse.AuditHead) error {
	err := tx.QueryRowContext(ctx, `SELECT seq, hash, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'audit'), 0) FROM audit_floor`).
		Scan(&c.floor, &c.head.Hash, &c.last)
	if err != nil {
		return err
	}
	c.head.Seq = max(c.floor-1, 0)
	c.anchor, c.anchored = anchor, anchor == gatehouse.AuditHead{}
	if anchor.Seq < c.head.Seq && !c.anchored {
		return gatehouse.Errorf(gatehouse.NotFound, "record %d, which was noted, has been removed by the retention; give a later one", anchor.Seq)
	}
	return c.meetAnchor()
}

// follow checks the next record.
func (c *chain) follow(rows *sql.Rows) error {
	var hash string
	e, texts, err := scanAudit(rows, &hash)
	if err != nil {
		return broken(c.head.Seq+1, "it cannot be read").WithCause(err)
	}
	switch next := c.head.Seq + 1; {
	case e.Seq > next:
		return broken(next, "it is missing")
	case e.Seq < next:
		return broken(e.Seq, "it should not be there")
	}
	if hash != chainHash(c.head.Hash, e, texts[0], texts[1], texts[2]) {
		return broken(e.Seq, "it, or the one before, is not what was written")
	}
	c.head, c.records = gatehouse.AuditHead{Seq: e.Seq, Hash: hash}, c.records+1
	if e.Action == gatehouse.AuditPruned {
		var details map[string]string
		_ = json.Unmarshal([]byte(texts[0]), &details) // the hash has vouched for them
		c.told, _ = strconv.ParseInt(details[keptFrom], 10, 64)
	}
	return c.meetAnchor()
}

func (c *chain) meetAnchor() error {
	if c.anchored || c.anchor.Seq != c.head.Seq {
		return nil
	}
	c.anchored = true
	if !strings.EqualFold(c.anchor.Hash, c.head.Hash) {
		return broken(c.head.Seq, "its hash is not the one that was noted")
	}
	return nil
}

func (c *chain) end() error {
	switch {
	case c.head.Seq != c.last:
		return broken(c.head.Seq+1, "it is missing")
	case !c.anchored:
		return broken(c.head.Seq+1, fmt.Sprintf("it is missing, as are all up to record %d, which was noted", c.anchor.Seq))
	case c.told != c.floor:
		return broken(c.floor, "the removal of those before it is not recorded")
	}
	return nil
}

func broken(seq int64, why string) *gatehouse.Error {
	return gatehouse.Errorf(gatehouse.Conflict,
		"the audit log was tampered with: at record %d the chain breaks, %s; keep this file and compare it with a backup", seq, why)
}

// PruneAudit removes the oldest records up to the first that is not older than the time, and records that.
func (s *Store) PruneAudit(ctx context.Context, olderThan time.Time, event gatehouse.AuditEvent) (removed int, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		var floor int64
		err := tx.QueryRowContext(ctx, `
			SELECT coalesce((SELECT min(seq) FROM audit WHERE at >= ?), (SELECT max(seq) + 1 FROM audit), 0)`, micros(olderThan)).Scan(&floor)
		if err != nil {
			return err
		}
		var until int64
		err = tx.QueryRowContext(ctx, `SELECT count(*), coalesce(max(at), 0) FROM audit WHERE seq < ?`, floor).Scan(&removed, &until)
		if removed == 0 || err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE audit_floor SET seq = ?1, hash = (SELECT hash FROM audit WHERE seq = ?1 - 1)`, floor); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM audit WHERE seq < ?`, floor); err != nil {
			return err
		}
		event.Details = map[string]string{
			"records": strconv.Itoa(removed), "up_to": fromMicros(until).Format(time.RFC3339), keptFrom: strconv.FormatInt(floor, 10),
		}
		return insertAudit(ctx, tx, event)
	})
	if err != nil {
		return 0, err
	}
	return removed, nil
}

// keptFrom is the detail of a removal that names the oldest record left, so that nobody removes records by raising the floor alone.
const keptFrom = "kept_from"
