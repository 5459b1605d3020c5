package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"gatehouse/internal/gatehouse"
)

// putInTrash keeps what is needed to restore a managed deployment that is about to be deleted. One whose row is damaged cannot be
// restored; it is kept so that its data is freed in time.
func putInTrash(ctx context.Context, tx *sql.Tx, id string, event gatehouse.AuditEvent) error {
	d, err := scanDeployment(tx.QueryRowContext(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE id = ?`, id))
	damaged := err != nil
	if d.Connected() { // also when there is no such deployment, which the deletion itself says
		return nil
	}
	files, err := ruleFiles(ctx, tx, id)
	if err != nil {
		return err
	}
	deployment, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if damaged {
		deployment = nil
	}
	ruleFiles, err := json.Marshal(files)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO deleted_deployments (id, name, deleted_at, deleted_by, deployment, rule_files) VALUES (?, ?, ?, ?, ?, ?)`,
		d.ID, d.Name, micros(event.At), event.Actor.Creator(), string(deployment), string(ruleFiles))
	return err
}

const selectDeleted = `SELECT id, name, deployment, rule_files, deleted_at, deleted_by FROM deleted_deployments `

// scanDeleted reads one deployment in the trash. Of a damaged one it gives ID and name, so that it does not hide the others.
func scanDeleted(row scanner) (gatehouse.DeletedDeployment, error) {
	var deleted gatehouse.DeletedDeployment
	var id, name string
	var deployment, ruleFiles []byte
	var at int64
	if err := row.Scan(&id, &name, &deployment, &ruleFiles, &at, &deleted.DeletedBy); err != nil {
		return deleted, err
	}
	deleted.DeletedAt = fromMicros(at)
	err := errors.Join(json.Unmarshal(deployment, &deleted.Deployment), json.Unmarshal(ruleFiles, &deleted.RuleFiles))
	if err != nil || deleted.Deployment.ID != id {
		deleted.Damaged = true
		deleted.Deployment, deleted.RuleFiles = gatehouse.Deployment{ID: id, Name: name, Managed: true}, nil
	}
	return deleted, nil
}

// Trash lists the deployments that can be restored, the last deleted first.
func (s *Store) Trash(ctx context.Context) ([]gatehouse.DeletedDeployment, error) {
	rows, err := s.read.QueryContext(ctx, selectDeleted+`ORDER BY deleted_at DESC, id`)
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(d *gatehouse.DeletedDeployment) (err error) {
		*d, err = scanDeleted(rows)
		return err
	})
}

// FindDeleted finds a deployment in the trash by ID, or else the one last deleted of this name.
func (s *Store) FindDeleted(ctx context.Context, idOrName string) (gatehouse.DeletedDeployment, error) {
	d, err := scanDeleted(s.read.QueryRowContext(ctx, selectDeleted+`WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC, deleted_at DESC LIMIT 1`, idOrName))
	if errors.Is(err, sql.ErrNoRows) {
		return d, noSuchDeleted()
	}
	return d, explain(err)
}

func noSuchDeleted() error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no deployment with this name or ID in the trash; its data may have been freed, or it was restored already")
}

// RestoreDeployment takes a deployment out of the trash, with its rule files and a new token.
func (s *Store) RestoreDeployment(ctx context.Context, deleted gatehouse.DeletedDeployment, token gatehouse.StoredToken, events ...gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := leaveTrash(ctx, tx, deleted.Deployment.ID); err != nil {
			return err
		}
		if err := insertDeployment(ctx, tx, deleted.Deployment); err != nil {
			return err
		}
		for _, f := range deleted.RuleFiles {
			if err := insertRuleFile(ctx, tx, f); err != nil {
				return err
			}
		}
		return insertToken(ctx, tx, token)
	}, events...)
}

func insertRuleFile(ctx context.Context, tx *sql.Tx, f gatehouse.RuleFile) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO rule_files (`+ruleFileColumns+`, content) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		f.DeploymentID, f.Name, list(f.Groups), f.Rules, micros(f.ChangedAt), f.ChangedBy, f.Content)
	return err
}

// leaveTrash also is where a restoration and the freeing of the data meet: one of them comes first, and the other finds nothing.
func leaveTrash(ctx context.Context, tx *sql.Tx, id string) error {
	result, err := tx.ExecContext(ctx, `DELETE FROM deleted_deployments WHERE id = ?`, id)
	if err = exactlyOne(result, err, "deployment in the trash"); gatehouse.ErrorCode(err) == gatehouse.NotFound {
		return noSuchDeleted()
	}
	return err
}

// FreeDeployment gives up a deployment in the trash: from now on WasFreed says so, and its data may be removed.
func (s *Store) FreeDeployment(ctx context.Context, id string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := leaveTrash(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT OR IGNORE INTO marks (name) VALUES ('freed_deployment ' || ?)`, id)
		return err
	}, event)
}

// WasFreed reports whether the data of a deployment was given up here. It never comes back then.
func (s *Store) WasFreed(ctx context.Context, id string) (freed bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM marks WHERE name = 'freed_deployment ' || ?)`, id).Scan(&freed)
	return freed, explain(err)
}
