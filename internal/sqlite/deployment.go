package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"gatehouse/internal/gatehouse"
)

const deploymentColumns = `id, name, type, managed, urls, insert_urls, select_urls, tier, retention, max_concurrent_requests, upstream, created_at, created_by,
	provider, region, storage_gb, deduplication_value, deduplication_unit, maintenance_window, flags, stopped_by, notifier_url`

// CreateDeployment stores a deployment together with its default access token.
func (s *Store) CreateDeployment(ctx context.Context, d gatehouse.Deployment, token gatehouse.StoredToken, events ...gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := insertDeployment(ctx, tx, d); err != nil {
			return err
		}
		return insertToken(ctx, tx, token)
	}, events...)
}

func insertDeployment(ctx context.Context, tx *sql.Tx, d gatehouse.Deployment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deployments (`+deploymentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, d.Name, d.Type, d.Managed, list(d.URLs), list(d.InsertURLs), list(d.SelectURLs), d.Tier, d.Retention.String(),
		d.MaxConcurrentRequests, d.SealedUpstream, micros(d.CreatedAt), d.CreatedBy,
		d.Provider, d.Region, d.StorageGB, d.Deduplication.Value, d.Deduplication.Unit, d.MaintenanceWindow, flagsText(d.Flags), d.StoppedBy, d.NotifierURL)
	return err
}

// UpdateDeployment stores what change makes of a deployment: its settings, the limit of requests, the notifier, and who has stopped it. change sees the deployment as
// it is within the transaction and makes the event. Where it changes nothing, only that is recorded.
func (s *Store) UpdateDeployment(ctx context.Context, id string, change func(*gatehouse.Deployment) (gatehouse.AuditEvent, error)) error {
	events := make([]gatehouse.AuditEvent, 1) // written after the function below, which fills it in
	return s.change(ctx, func(tx *sql.Tx) error {
		d, err := scanDeployment(tx.QueryRowContext(ctx, `SELECT `+deploymentColumns+` FROM deployments WHERE id = ?`, id))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return noSuchDeployment()
		case err != nil:
			return gatehouse.Errorf(gatehouse.Conflict, "the deployment's row in the database is damaged; delete the deployment and make it again").WithCause(err)
		}
		before := d
		if events[0], err = change(&d); err != nil || reflect.DeepEqual(before, d) {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE deployments SET name = ?, tier = ?, retention = ?, max_concurrent_requests = ?, storage_gb = ?,
				deduplication_value = ?, deduplication_unit = ?, maintenance_window = ?, flags = ?, stopped_by = ?, notifier_url = ? WHERE id = ?`,
			d.Name, d.Tier, d.Retention.String(), d.MaxConcurrentRequests, d.StorageGB,
			d.Deduplication.Value, d.Deduplication.Unit, d.MaintenanceWindow, flagsText(d.Flags), d.StoppedBy, d.NotifierURL, id)
		return err
	}, events...)
}

func flagsText(f gatehouse.Flags) string {
	text, _ := json.Marshal(f) // strings always marshal
	return string(text)
}

const selectDeployment = `
	SELECT ` + deploymentColumns + `, coalesce(status, ''), coalesce(detail, ''), coalesce(version, ''), coalesce(at, 0)
	FROM deployments LEFT JOIN deployment_states ON deployment_id = id `

// Deployments lists all deployments by name.
func (s *Store) Deployments(ctx context.Context) ([]gatehouse.Deployment, error) {
	rows, err := s.read.QueryContext(ctx, selectDeployment+`ORDER BY name`)
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(d *gatehouse.Deployment) (err error) {
		*d, err = scanDeploymentAndState(rows)
		return err
	})
}

// scanDeploymentAndState reads a deployment for people. One whose row is damaged comes as Failed, so that it can be seen and deleted.
func scanDeploymentAndState(row scanner) (gatehouse.Deployment, error) {
	var state gatehouse.State
	var at int64
	d, err := scanDeployment(row, &state.Status, &state.Detail, &state.Version, &at)
	if at != 0 {
		state.At = fromMicros(at)
	}
	d.State = state
	if err != nil {
		d.State = gatehouse.State{Status: gatehouse.Failed, Detail: "its row in the database is damaged, so it lets nobody in; delete it and make it again"}
	}
	return d, unlessRead(d.ID, err)
}

// unlessRead passes over the error of a row of which at least the ID could be read.
func unlessRead(id string, err error) error {
	if id != "" {
		return nil
	}
	return err
}

// FindDeployment finds a deployment by ID, or else by name.
func (s *Store) FindDeployment(ctx context.Context, idOrName string) (gatehouse.Deployment, error) {
	row := s.read.QueryRowContext(ctx, selectDeployment+`WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC LIMIT 1`, idOrName)
	d, err := scanDeploymentAndState(row)
	if errors.Is(err, sql.ErrNoRows) {
		return d, noSuchDeployment()
	}
	return d, explain(err)
}

func noSuchDeployment() error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no deployment with this name or ID; list the deployments to see what there is")
}

// EverHadDeployment reports whether there is or ever was a deployment.
func (s *Store) EverHadDeployment(ctx context.Context) (had bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM marks WHERE name = 'first_deployment')`).Scan(&had)
	return had, explain(err)
}

// WasDeleted reports whether a deployment of this ID was deleted here.
func (s *Store) WasDeleted(ctx context.Context, id string) (deleted bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM marks WHERE name = 'deleted_deployment ' || ?)`, id).Scan(&deleted)
	return deleted, explain(err)
}

// DeleteDeployment removes a deployment with all its tokens. A managed one goes to the trash.
func (s *Store) DeleteDeployment(ctx context.Context, id string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		if err := putInTrash(ctx, tx, id, event); err != nil {
			return err
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM deployments WHERE id = ?`, id)
		return exactlyOne(result, err, "deployment")
	}, event)
}

// SetState notes how a deployment is doing. That is an observation, not a change, and needs no audit record. For a deployment that
// is gone it does nothing.
func (s *Store) SetState(ctx context.Context, deploymentID string, state gatehouse.State) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO deployment_states (deployment_id, status, detail, version, at)
			SELECT id, ?, ?, ?, ? FROM deployments WHERE id = ?
			ON CONFLICT (deployment_id) DO UPDATE SET status = excluded.status, detail = excluded.detail, version = excluded.version, at = excluded.at`,
			state.Status, state.Detail, state.Version, micros(state.At), deploymentID)
		return err
	})
}

type scanner interface{ Scan(...any) error }

func scanDeployment(row scanner, more ...any) (gatehouse.Deployment, error) {
	var d gatehouse.Deployment
	var urls, insertURLs, selectURLs, flags []byte
	var retention string
	var createdAt int64
	err := row.Scan(append([]any{&d.ID, &d.Name, &d.Type, &d.Managed, &urls, &insertURLs, &selectURLs, &d.Tier, &retention,
		&d.MaxConcurrentRequests, &d.SealedUpstream, &createdAt, &d.CreatedBy,
		&d.Provider, &d.Region, &d.StorageGB, &d.Deduplication.Value, &d.Deduplication.Unit, &d.MaintenanceWindow, &flags, &d.StoppedBy, &d.NotifierURL}, more...)...)
	if err != nil {
		return d, err
	}
	d.CreatedAt = fromMicros(createdAt)
	if _, err := gatehouse.ParseDeploymentType(string(d.Type)); err != nil {
		return d, err
	}
	if d.Retention, err = gatehouse.ParseRetention(retention); err != nil {
		return d, err
	}
	if err := json.Unmarshal(flags, &d.Flags); err != nil {
		return d, fmt.Errorf("read the flags: %w", err)
	}
	return d, errors.Join(parseList(urls, &d.URLs), parseList(insertURLs, &d.InsertURLs), parseList(selectURLs, &d.SelectURLs))
}

// list stores strings as a JSON array; there is no order or look-up among them that SQL would need.
func list(values []string) string {
	if len(values) == 0 {
		return "[]"
	}
	text, _ := json.Marshal(values) // strings always marshal
	return string(text)
}

func parseList(text []byte, target *[]string) error {
	if err := json.Unmarshal(text, target); err != nil {
		return fmt.Errorf("read a list of URLs: %w", err)
	}
	if len(*target) == 0 {
		*target = nil
	}
	return nil
}
