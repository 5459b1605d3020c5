package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"gatehouse/internal/gatehouse"
)

// TokensByHash finds the tokens that have one of the secrets.
func (s *Store) TokensByHash(ctx context.Context, hashes []gatehouse.SecretHash) (map[gatehouse.SecretHash]gatehouse.Token, error) {
	found := map[gatehouse.SecretHash]gatehouse.Token{}
	err := s.view(ctx, func(tx *sql.Tx) error {
		stmt, err := tx.PrepareContext(ctx, selectToken+`WHERE t.hash = ?`)
		if err != nil {
			return err
		}
		defer stmt.Close()
		for _, hash := range hashes {
			t, err := scanToken(stmt.QueryRowContext(ctx, hash[:]))
			switch {
			case errors.Is(err, sql.ErrNoRows):
			case err != nil:
				return err
			default:
				found[hash] = t
			}
		}
		return nil
	})
	return found, explain(err)
}

// Import stores deployments and tokens, all or none.
func (s *Store) Import(ctx context.Context, deployments []gatehouse.Deployment, tokens []gatehouse.StoredToken, events ...gatehouse.AuditEvent) error {
	if len(deployments)+len(tokens) == 0 {
		return nil
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		for _, d := range deployments {
			if err := insertDeployment(ctx, tx, d); err != nil {
				return err
			}
		}
		for _, t := range tokens {
			if err := insertToken(ctx, tx, t); err != nil {
				return err
			}
		}
		return nil
	}, events...)
}
