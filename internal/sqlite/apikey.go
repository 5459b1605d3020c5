package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"gatehouse/internal/gatehouse"
)

// CreateAPIKey stores an API key. The deployments that it lists must exist; those that are deleted later stay in the list and have no
// effect.
func (s *Store) CreateAPIKey(ctx context.Context, k gatehouse.StoredAPIKey, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, id := range k.Deployments {
			if err := checkDeployment(ctx, tx, id); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO api_keys (id, name, read_only, deployments, mask, hash, sealed, created_at, created_by, expires_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			k.ID, k.Name, k.ReadOnly, keyDeployments(k.Deployments), k.Mask, k.Hash[:], k.Sealed, micros(k.CreatedAt), k.CreatedBy, expiry(k.ExpiresAt))
		return err
	}, event)
}

func checkDeployment(ctx context.Context, tx *sql.Tx, id string) error {
	var found bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM deployments WHERE id = ?)`, id).Scan(&found)
	if err == nil && !found {
		return gatehouse.InvalidField("deployments", "there is no deployment with the ID %.36q; list the deployments to see what there is", id)
	}
	return err
}

func keyDeployments(ids []string) sql.NullString {
	return sql.NullString{String: list(ids), Valid: ids != nil}
}

func expiry(at time.Time) sql.NullInt64 {
	if at.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: micros(at), Valid: true}
}

const selectAPIKey = `
	SELECT k.id, k.name, k.read_only, k.deployments, k.mask, k.created_at, k.created_by, k.expires_at, u.at, u.addr, u.user_agent
	FROM api_keys k LEFT JOIN api_key_uses u ON u.key_id = k.id `

// APIKeys lists all API keys, the newest first.
func (s *Store) APIKeys(ctx context.Context) ([]gatehouse.APIKey, error) {
	rows, err := s.read.QueryContext(ctx, selectAPIKey+`ORDER BY k.created_at DESC, k.id`)
	if err != nil {
		return nil, explain(err)
	}
	return collect(rows, func(k *gatehouse.APIKey) (err error) {
		*k, err = scanAPIKey(rows)
		return err
	})
}

// APIKey finds an API key by its ID.
func (s *Store) APIKey(ctx context.Context, id string) (gatehouse.APIKey, error) {
	return s.apiKey(ctx, `WHERE k.id = ?`, id)
}

// APIKeyByHash finds an API key by the hash of its secret.
func (s *Store) APIKeyByHash(ctx context.Context, hash gatehouse.SecretHash) (gatehouse.APIKey, error) {
	return s.apiKey(ctx, `WHERE k.hash = ?`, hash[:])
}

func (s *Store) apiKey(ctx context.Context, where string, arg any) (gatehouse.APIKey, error) {
	k, err := scanAPIKey(s.read.QueryRowContext(ctx, selectAPIKey+where, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return k, noSuchAPIKey()
	}
	return k, explain(err)
}

func noSuchAPIKey() error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no API key with this ID; it may have been revoked, and names are no IDs: see the list of API keys")
}

// scanAPIKey reads a key. One whose row is damaged comes as a key for no deployment, so that it can be seen and revoked.
func scanAPIKey(row scanner) (gatehouse.APIKey, error) {
	var k gatehouse.APIKey
	var deployments, addr, userAgent sql.NullString
	var createdAt int64
	var expiresAt, usedAt sql.NullInt64
	err := row.Scan(&k.ID, &k.Name, &k.ReadOnly, &deployments, &k.Mask, &createdAt, &k.CreatedBy, &expiresAt, &usedAt, &addr, &userAgent)
	if err != nil {
		return k, err
	}
	k.CreatedAt = fromMicros(createdAt)
	if expiresAt.Valid {
		k.ExpiresAt = fromMicros(expiresAt.Int64)
	}
	if usedAt.Valid {
		k.LastUse = &gatehouse.Use{At: fromMicros(usedAt.Int64), Addr: addr.String, UserAgent: userAgent.String}
	}
	if !deployments.Valid {
		return k, nil
	}
	k.Deployments = []string{} // not nil, which is all
	if err := json.Unmarshal([]byte(deployments.String), &k.Deployments); err != nil || k.Deployments == nil {
		k.Deployments = []string{}
	}
	return k, nil
}

// RevealAPIKey gives the sealed secret of an API key, and records that it was asked for.
func (s *Store) RevealAPIKey(ctx context.Context, id string, event gatehouse.AuditEvent) (sealed []byte, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `SELECT sealed FROM api_keys WHERE id = ?`, id).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return noSuchAPIKey()
		}
		return err
	}, event)
	return sealed, err
}

// RevokeAPIKey deletes an API key.
func (s *Store) RevokeAPIKey(ctx context.Context, id string, event gatehouse.AuditEvent) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM api_keys WHERE id = ?`, id)
		return exactlyOne(result, err, "API key")
	}, event)
}

// SaveAPIKeyUse notes when a key was last used. For a key that is gone it does nothing.
func (s *Store) SaveAPIKeyUse(ctx context.Context, id string, use gatehouse.Use) error {
	return s.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO api_key_uses (key_id, at, addr, user_agent)
			SELECT id, ?2, ?3, ?4 FROM api_keys WHERE id = ?1
			ON CONFLICT (key_id) DO UPDATE SET at = excluded.at, addr = excluded.addr, user_agent = excluded.user_agent
			WHERE excluded.at >= at`, id, micros(use.At), use.Addr, use.UserAgent)
		return err
	})
}
