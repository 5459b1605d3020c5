package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/mattn/go-sqlite3"

	"gatehouse/internal/gatehouse"
)

// applicationID marks the file as Gatehouse's, https://www.sqlite.org/pragma.html#pragma_application_id: "gate" in ASCII.
const applicationID = 0x67617465

//go:embed migrations/*.sql
var migrations embed.FS

// migrate runs the migrations that the file has not seen, each in its own transaction. user_version counts those that ran.
// Migrations are never edited once released.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	patience := time.Now().Add(busyTimeout)
	for {
		done, err := migrateNext(ctx, db, path)
		switch {
		case isBusy(err) && time.Now().Before(patience):
			// Processes that make a database together meet at its switch to WAL, for which SQLite does not wait.
			time.Sleep(10 * time.Millisecond)
		case done || err != nil:
			return err
		}
	}
}

func isBusy(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && e.Code == sqlite3.ErrBusy
}

// migrateNext runs one migration. It looks at the version inside the transaction, since another process may migrate as well.
func migrateNext(ctx context.Context, db *sql.DB, path string) (done bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("open the database %s: %w", path, err)
	}
	defer tx.Rollback()
	version, err := schemaVersion(ctx, tx, path)
	if err != nil {
		return false, err
	}
	files := migrationFiles()
	if version == len(files) {
		return true, nil
	}
	script, err := migrations.ReadFile(files[version])
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return false, fmt.Errorf("run %s: %w", files[version], err)
	}
	if files[version] == chainBegins {
		if err := chainOldRecords(ctx, tx); err != nil {
			return false, fmt.Errorf("chain the records of the audit log: %w", err)
		}
	}
	marks := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, version+1)
	if _, err := tx.ExecContext(ctx, marks); err != nil {
		return false, fmt.Errorf("mark %s as run: %w", files[version], err)
	}
	return false, tx.Commit()
}

// migrationFiles lists the migrations in the order of their numbers.
func migrationFiles() []string {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		panic(err) // only a malformed pattern fails
	}
	return files
}

// schemaVersion reads how many migrations the file has seen, and refuses a database of another program or of a newer Gatehouse.
func schemaVersion(ctx context.Context, tx *sql.Tx, path string) (int, error) {
	var version, id, tables int
	for query, target := range map[string]*int{
		"PRAGMA user_version":                &version,
		"PRAGMA application_id":              &id,
		"SELECT count(*) FROM sqlite_master": &tables,
	} {
		if err := tx.QueryRowContext(ctx, query).Scan(target); err != nil {
			return 0, fmt.Errorf("read the database %s: %w", path, err)
		}
	}
	if id != applicationID && (tables > 0 || version != 0 || id != 0) {
		return 0, gatehouse.Errorf(gatehouse.Unavailable,
			"the database %s belongs to another program; move it away or give another directory with --data-dir", path)
	}
	if known := len(migrationFiles()); version > known {
		return 0, gatehouse.Errorf(gatehouse.Unavailable,
			"the database %s was written by a newer Gatehouse (schema %d, this one knows %d); run that version or a later one", path, version, known)
	}
	return version, nil
}
