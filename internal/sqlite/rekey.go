package sqlite

import (
	"context"
	"database/sql"

	"gatehouse/internal/gatehouse"
)

// sealedColumns are where sealed secrets lie, and what follows the ID in the name of the row that each is bound to.
var sealedColumns = []struct{ table, column, suffix string }{
	{"tokens", "sealed", ""},
	{"api_keys", "sealed", ""},
	{"deployments", "upstream", gatehouse.UpstreamRow("")},
}

// Reseal replaces each sealed secret by what reseal makes of it, in one transaction, and leaves those of which it makes nil.
func (s *Store) Reseal(ctx context.Context, reseal func(gatehouse.Sealed) ([]byte, error), event func(resealed, left int) gatehouse.AuditEvent) (resealed, left int, err error) {
	err = s.change(ctx, func(tx *sql.Tx) error {
		for _, c := range sealedColumns {
			last := ""
			for {
				page, err := sealedPage(ctx, tx, c.table, c.column, last)
				if err != nil {
					return err
				}
				if len(page) == 0 {
					break
				}
				for _, old := range page {
					last = old.Row
					sealed, err := reseal(gatehouse.Sealed{Row: old.Row + c.suffix, Sealed: old.Sealed})
					if err != nil {
						return err
					}
					if sealed == nil {
						left++
						continue
					}
					resealed++
					if _, err := tx.ExecContext(ctx, `UPDATE `+c.table+` SET `+c.column+` = ? WHERE id = ?`, sealed, old.Row); err != nil {
						return err
					}
				}
			}
		}
		return insertAudit(ctx, tx, event(resealed, left))
	})
	return resealed, left, err
}

// sealedPage reads some rows, so that a million need not fit into memory.
func sealedPage(ctx context.Context, tx *sql.Tx, table, column, after string) ([]gatehouse.Sealed, error) {
	rows, err := tx.QueryContext(ctx, `SELECT id, `+column+` FROM `+table+` WHERE id > ? AND `+column+` IS NOT NULL ORDER BY id LIMIT 1000`, after)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(one *gatehouse.Sealed) error { return rows.Scan(&one.Row, &one.Sealed) })
}
