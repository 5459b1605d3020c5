package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gatehouse/internal/gatehouse"
)

// Snapshot tells apply of every deployment and token, and gives the number of the last change that this holds. A row that cannot
// be read is told as Broken and does not stop the others.
func (s *Store) Snapshot(ctx context.Context, apply func(gatehouse.Change)) (seq int64, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM changes`).Scan(&seq); err != nil {
			return err
		}
		if err := each(ctx, tx, apply, readDeployment, `SELECT `+deploymentColumns+` FROM deployments`); err != nil {
			return err
		}
		return each(ctx, tx, apply, readCredential, `SELECT `+credentialColumns+` FROM tokens`)
	})
	return seq, explain(err)
}

// Changes tells apply of what changed after the change numbered since, in order, and gives the number of the last one.
func (s *Store) Changes(ctx context.Context, since int64, apply func(gatehouse.Change)) (seq int64, err error) {
	seq = since
	var changes []gatehouse.Change
	err = s.view(ctx, func(tx *sql.Tx) error {
		notes, err := readNotes(ctx, tx, since)
		if err != nil {
			return err
		}
		collect := func(c gatehouse.Change) { changes = append(changes, c) }
		for _, n := range notes {
			if err := n.follow(ctx, tx, collect); err != nil {
				return err
			}
			seq = n.seq
		}
		return nil
	})
	if err != nil {
		return since, explain(err)
	}
	for _, c := range changes { // after the transaction, which must not wait for what apply does
		apply(c)
	}
	return seq, nil
}

// view runs fn in a read transaction, in which all statements see the same state.
func (s *Store) view(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return fn(tx)
}

// note is one row of the table changes: what changed, but not how.
type note struct {
	seq  int64
	kind string
	id   string
	hash []byte
}

func readNotes(ctx context.Context, tx *sql.Tx, since int64) ([]note, error) {
	rows, err := tx.QueryContext(ctx, `SELECT seq, kind, id, hash FROM changes WHERE seq > ? ORDER BY seq`, since)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(n *note) error { return rows.Scan(&n.seq, &n.kind, &n.id, &n.hash) })
}

// follow reads what the note speaks of. What is gone by now is passed over: a later note says so.
func (n note) follow(ctx context.Context, tx *sql.Tx, apply func(gatehouse.Change)) error {
	switch n.kind {
	case "deployment":
		return each(ctx, tx, apply, readDeployment, `SELECT `+deploymentColumns+` FROM deployments WHERE id = ?`, n.id)
	case "token":
		return each(ctx, tx, apply, readCredential, `SELECT `+credentialColumns+` FROM tokens WHERE id = ?`, n.id)
	case "gone_deployment":
		apply(gatehouse.Change{GoneDeployment: n.id})
	case "gone_token":
		if len(n.hash) == len(gatehouse.SecretHash{}) { // a broken row never was in the table
			apply(gatehouse.Change{GoneToken: (*gatehouse.SecretHash)(n.hash)})
		}
	}
	return nil
}

func each(ctx context.Context, tx *sql.Tx, apply func(gatehouse.Change), read func(*sql.Rows) gatehouse.Change, query string, args ...any) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		apply(read(rows))
	}
	return rows.Err()
}

func readDeployment(rows *sql.Rows) gatehouse.Change {
	d, err := scanDeployment(rows)
	if err != nil {
		return gatehouse.Change{Broken: fmt.Errorf("deployment %q cannot be read: %w", d.ID, err)}
	}
	return gatehouse.Change{Deployment: &d}
}

const credentialColumns = `id, deployment_id, name, hash, access, tenant`

func readCredential(rows *sql.Rows) gatehouse.Change {
	var c gatehouse.Credential
	var hash []byte
	var access string
	var tenant sql.NullString
	err := rows.Scan(&c.TokenID, &c.DeploymentID, &c.Name, &hash, &access, &tenant)
	if err == nil && len(hash) != len(c.Hash) {
		err = errors.New("its hash has the wrong length")
	}
	if err == nil {
		copy(c.Hash[:], hash)
		c.Access, err = gatehouse.ParseAccess(access)
	}
	if err == nil {
		c.Tenant, err = parseTenant(tenant)
	}
	if err != nil {
		return gatehouse.Change{Broken: fmt.Errorf("access token %q cannot be read: %w", c.TokenID, err)}
	}
	return gatehouse.Change{Token: &c}
}

// changesKept is how many rows of the table changes a server leaves at its start: many more than a second server or a slow follower
// could be behind.
const changesKept = 100_000

// PruneChanges forgets old changes. A server calls it before its Snapshot.
func (s *Store) PruneChanges(ctx context.Context) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM changes WHERE seq <= (SELECT max(seq) FROM changes) - ?`, changesKept)
		return err
	})
}
