// Package sqlite is the store: everything that Gatehouse remembers, in one SQLite file. It is the only package that knows SQL.
//
// Every method that changes something takes the audit events of the change and writes them in the same transaction. Several
// processes may use one file: readers never wait, writers wait for each other.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/owner"
)

// File is the name of the database in the data directory.
const File = "gatehouse.db"

// Store is an open database.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer at a time
	read  *sql.DB
	watch *sql.DB // one connection that never writes, so that data_version tells of everybody else's changes
}

// Open opens the database at path, creates it when it does not exist and brings its schema up to date. Errors that an operator can
// mend are *gatehouse.Error.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := checkFile(path); err != nil {
		return nil, err
	}
	if err := checkOwner(ctx, path); err != nil {
		return nil, explain(err)
	}
	s := &Store{
		write: open(path, 1, settings+"&_txlock=immediate"),
		read:  open(path, 8, settings+"&_query_only=on"),
		watch: open(path, 1, settings+"&_query_only=on"),
	}
	if err := migrate(ctx, s.write, path); err != nil {
		return nil, errors.Join(explain(err), s.Close())
	}
	return s, nil
}

// settings stand in the DSN, so that each connection of a pool has them.
const settings = "_journal_mode=WAL&_synchronous=FULL&_foreign_keys=on&_busy_timeout=5000"

// busyTimeout is the one in the settings.
const busyTimeout = 5 * time.Second

func open(path string, connections int, settings string) *sql.DB {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+settings)
	if err != nil {
		panic(err) // only an unknown driver name fails here
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db
}

// checkFile finds, before SQLite touches anything, what SQLite would report in words that help nobody. It also makes the file
// itself, since SQLite would create it readable by everybody.
func checkFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = errors.Join(owner.Inherit(f, filepath.Dir(path)), f.Close())
	} else if errors.Is(err, fs.ErrExist) {
		err = checkAccess(path)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return gatehouse.Errorf(gatehouse.Unavailable, "the database %s cannot be opened for writing; make it and its folder writable for this user", path).WithCause(err)
	case errors.Is(err, fs.ErrNotExist):
		return gatehouse.Errorf(gatehouse.Unavailable, "the data directory %s does not exist; create it or give another with --data-dir", filepath.Dir(path)).WithCause(err)
	}
	return gatehouse.Errorf(gatehouse.Unavailable, "the database %s cannot be opened; check the path and the disk", path).WithCause(err)
}

// checkAccess asks by name whether the file may be read and written. To open and close it here would end the locks of a store that
// this process has open on it, https://www.sqlite.org/howtocorrupt.html.
func checkAccess(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	const read, write = 4, 2
	return syscall.Access(path, read|write)
}

// checkOwner refuses a database of another program, or of a newer Gatehouse, before any setting is written into it.
func checkOwner(ctx context.Context, path string) error {
	db := open(path, 1, "_busy_timeout=5000&_query_only=on")
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = schemaVersion(ctx, tx, path)
	return err
}

// Close closes all connections.
func (s *Store) Close() error {
	return errors.Join(s.watch.Close(), s.read.Close(), s.write.Close())
}

// change runs fn and writes the audit events in one transaction.
func (s *Store) change(ctx context.Context, fn func(tx *sql.Tx) error, events ...gatehouse.AuditEvent) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return explain(err)
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return explain(err)
	}
	for _, e := range events {
		if err := insertAudit(ctx, tx, e); err != nil {
			return explain(err)
		}
	}
	return explain(tx.Commit())
}

// BackupTo writes a consistent copy of the database to a new file, while the store stays in use.
func (s *Store) BackupTo(ctx context.Context, path string, event gatehouse.AuditEvent) error {
	if err := s.change(ctx, func(*sql.Tx) error { return nil }, event); err != nil {
		return err
	}
	if _, err := s.write.ExecContext(ctx, "VACUUM INTO ?", path); err != nil {
		return explain(fmt.Errorf("copy the database: %w", err))
	}
	return nil
}

// DataVersion is a number that differs from the one before when any connection, of this process or another, has changed the
// database in between.
func (s *Store) DataVersion(ctx context.Context) (int64, error) {
	var v int64
	err := s.watch.QueryRowContext(ctx, "PRAGMA data_version").Scan(&v)
	return v, explain(err)
}

// exactlyOne turns a change of no row into a NotFound error.
func exactlyOne(result sql.Result, err error, what string) error {
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		return noSuch(what)
	}
	return err
}

func noSuch(what string) error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no such %s; it may have been deleted", what)
}

func micros(t time.Time) int64     { return t.UnixMicro() }
func fromMicros(n int64) time.Time { return time.UnixMicro(n).UTC() }
