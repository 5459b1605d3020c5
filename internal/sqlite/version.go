package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// Version tells how many migrations the database at path has seen, and how many there are. Of a database that does not exist yet it
// has seen none. Nothing is changed.
func Version(ctx context.Context, path string) (seen, known int, err error) {
	known = len(migrationFiles())
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0, known, nil
	}
	db := open(path, 1, "_busy_timeout=5000&_query_only=on")
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return 0, known, explain(err)
	}
	defer tx.Rollback()
	seen, err = schemaVersion(ctx, tx, path)
	return seen, known, explain(err)
}
