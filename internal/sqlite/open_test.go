package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestOpenMakesADatabaseForItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	addDeployment(t, s, "prod")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		must(t, err)
		if info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v", filepath.Base(path)+suffix, info.Mode())
		}
	}
	for _, db := range []*sql.DB{s.write, s.read, s.watch} {
		var journal string
		must(t, db.QueryRowContext(t.Context(), `PRAGMA journal_mode`).Scan(&journal))
		synchronous, keys := count(t, db, `PRAGMA synchronous`), count(t, db, `PRAGMA foreign_keys`)
		if journal != "wal" || synchronous != 2 || keys != 1 {
			t.Errorf("a connection has journal_mode %s, synchronous %d, foreign_keys %d", journal, synchronous, keys)
		}
	}
	if _, err := s.read.ExecContext(t.Context(), `DELETE FROM tokens`); err == nil {
		t.Error("a reader can write")
	}
}

func TestOpenAgainFindsWhatWasStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	addDeployment(t, s, "prod")
	before := dump(t, s)
	must(t, s.Close())
	if dump(t, openStore(t, path)) != before {
		t.Error("the content has changed")
	}
}

func TestOpenTakesAnyPath(t *testing.T) {
	for _, name := range []string{"with space", "100%", "%41", "what?", "a#b", "a&b=c", "ünï", `back\slash`, "semi;colon", "it's", "?_query_only=on"} {
		dir := filepath.Join(t.TempDir(), name)
		must(t, os.Mkdir(dir, 0o700))
		s := openStore(t, filepath.Join(dir, File))
		addDeployment(t, s, "prod")
		must(t, s.Close())
		entries, err := os.ReadDir(dir)
		must(t, err)
		if len(entries) != 1 || entries[0].Name() != File {
			t.Errorf("the directory %q holds %v", name, entries)
		}
		if beside, _ := os.ReadDir(filepath.Dir(dir)); len(beside) != 1 {
			t.Errorf("something was made beside the directory %q: %v", name, beside)
		}
	}
	t.Chdir(t.TempDir())
	s := openStore(t, File)
	addDeployment(t, s, "relative")
	if _, err := os.Stat(File); err != nil {
		t.Error(err)
	}
}

// wantRefused fails unless the path cannot be opened, for a reason that an operator can mend, and nothing beside it has changed.
func wantRefused(t *testing.T, path string, words ...string) {
	t.Helper()
	before := folder(t, filepath.Dir(path))
	s, err := Open(t.Context(), path)
	if err == nil {
		s.Close()
		t.Fatal("it is opened")
	}
	wantError(t, err, gatehouse.Unavailable, words...)
	if after := folder(t, filepath.Dir(path)); after != before {
		t.Errorf("the refusal has changed the folder from\n%.300q\nto\n%.300q", before, after)
	}
}

// folder gives names and contents of the files in a folder.
func folder(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "missing"
	}
	for _, e := range entries {
		content, _ := os.ReadFile(filepath.Join(dir, e.Name())) // of a directory: none
		fmt.Fprintf(&all, "%s %v %q\n", e.Name(), e.Type(), content)
	}
	return all.String()
}

func TestFilesThatAreNoDatabaseAreRefused(t *testing.T) {
	for name, content := range map[string][]byte{
		"text":            []byte("deployment: prod\n"),
		"long text":       bytes.Repeat([]byte("deployment: prod\n"), 1000),
		"zeros":           make([]byte, 8192),
		"header and junk": append([]byte("SQLite format 3\x00"), bytes.Repeat([]byte{0xff}, 8192)...),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), File)
			must(t, os.WriteFile(path, content, 0o600))
			wantRefused(t, path, "not a Gatehouse database", "move it away")
		})
	}
}

func TestForeignDatabaseIsRefusedAndLeftAsItIs(t *testing.T) {
	for name, script := range map[string]string{
		"with a table":             `CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')`,
		"in WAL mode":              `PRAGMA journal_mode = WAL; CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('x')`,
		"empty, with a version":    `PRAGMA user_version = 3`,
		"empty, with a mark":       `PRAGMA application_id = 7`,
		"with our table names":     `CREATE TABLE tokens (id TEXT); CREATE TABLE audit (id TEXT); PRAGMA user_version = 1`,
		"with a mark and a table":  `CREATE TABLE t (x); PRAGMA application_id = 252006673`,
		"in WAL mode, with a mark": `PRAGMA journal_mode = WAL; CREATE TABLE t (x); PRAGMA application_id = 252006673`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), File)
			db, err := sql.Open("sqlite3", path)
			must(t, err)
			_, err = db.ExecContext(t.Context(), script)
			must(t, errors.Join(err, db.Close()))
			wantRefused(t, path, path, "another program", "--data-dir")
		})
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	addDeployment(t, s, "prod")
	run(t, s, `PRAGMA user_version = 99`)
	must(t, s.Close())
	wantRefused(t, path, "newer Gatehouse", "schema 99", "run that version")
}

func TestPathsThatCannotBeOpenedAreExplained(t *testing.T) {
	dir := t.TempDir()
	wantRefused(t, filepath.Join(dir, "missing", File), filepath.Join(dir, "missing"), "does not exist", "--data-dir")

	directory := filepath.Join(dir, File)
	must(t, os.Mkdir(directory, 0o700))
	wantRefused(t, directory, directory, "cannot be opened")

	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	wantRefused(t, filepath.Join(file, File), "cannot be opened")
}

func TestUnwritableFileIsExplained(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everything")
	}
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	must(t, s.Close())
	must(t, os.Chmod(path, 0o400))
	wantRefused(t, path, path, "writable for this user")
}

func TestReadOnlyDatabaseIsExplained(t *testing.T) {
	s := newStore(t)
	run(t, s, `PRAGMA query_only = on`) // SQLite reports the same as for a file that it may not write
	d := deployment("prod")
	err := s.CreateDeployment(t.Context(), d, token(d.ID, "default"))
	wantError(t, err, gatehouse.Unavailable, "read-only", "nothing was changed")
}

func TestDamagedDatabaseIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	d, _ := addDeployment(t, s, "prod")
	for i := range 50 {
		addToken(t, s, d.ID, fmt.Sprint("token ", i))
	}
	must(t, s.Close())
	good, err := os.ReadFile(path)
	must(t, err)

	for name, damage := range map[string]func([]byte) []byte{
		"overwritten": func(b []byte) []byte { return append(b[:4096], bytes.Repeat([]byte{0xa5}, len(b)-4096)...) },
		"cut off":     func(b []byte) []byte { return b[:len(b)/2/4096*4096] },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), File)
			must(t, os.WriteFile(path, damage(bytes.Clone(good)), 0o600))
			s, err := Open(t.Context(), path)
			if err == nil {
				defer s.Close()
				_, err = s.Snapshot(t.Context(), func(gatehouse.Change) {})
			}
			wantError(t, err, gatehouse.Unavailable, "damaged", "restore a backup")
		})
	}
}

func TestBusyDatabaseIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s, other := openStore(t, path), openStore(t, path)
	d, _ := addDeployment(t, s, "prod")
	run(t, s, `PRAGMA busy_timeout = 20`)
	before := dump(t, s)
	tx, err := other.write.BeginTx(t.Context(), nil)
	must(t, err)
	tok := token(d.ID, "new")
	wantError(t, s.CreateToken(t.Context(), tok, event(gatehouse.TokenCreated, tok.ID)), gatehouse.Unavailable, "busy", "try again")
	if dump(t, s) != before { // which also shows that readers go on
		t.Error("the refused change left something behind")
	}
	must(t, tx.Rollback())
	must(t, s.CreateToken(t.Context(), tok, event(gatehouse.TokenCreated, tok.ID)))
}

func TestCancelledChangeLeavesNothingAndBlocksNobody(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	before := dump(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	err := s.change(ctx, func(tx *sql.Tx) error {
		if err := insertToken(ctx, tx, token(d.ID, "new")); err != nil {
			return err
		}
		cancel()
		return nil
	}, event(gatehouse.TokenCreated, "new"))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if dump(t, s) != before {
		t.Error("the cancelled change left something behind")
	}
	addToken(t, s, d.ID, "new")
}

func TestOneProcessMayOpenADatabaseTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	d, _ := addDeployment(t, s, "prod")
	other := openStore(t, path)
	addToken(t, other, d.ID, "by the other")
	if out, err := self("locked", path).CombinedOutput(); err != nil {
		t.Errorf("the second opening has ended the locks of the first: %v: %s", err, out)
	}
	must(t, other.Close())
	addToken(t, s, d.ID, "by this one")
	if n := count(t, s.read, `SELECT count(*) FROM tokens`); n != 3 {
		t.Errorf("%d tokens are stored, want 3", n)
	}
}

// checkLocked fails when no other process holds a lock on the database: then a third one takes itself for its only user.
func checkLocked(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock); err != nil {
		return err
	}
	if lock.Type == syscall.F_UNLCK {
		return errors.New("there is no lock")
	}
	return nil
}

func openElsewhere(t *testing.T, path string) {
	t.Helper()
	if out, err := self("open", path).CombinedOutput(); err != nil {
		t.Errorf("another process: %v: %s", err, out)
	}
}

// self is this test binary as another process.
func self(role, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GATEHOUSE_TEST_ROLE="+role, "GATEHOUSE_TEST_PATH="+path,
		"GORACE=atexit_sleep_ms=0") // the race detector would linger at each exit
	return cmd
}

func TestManyProcessesMayMakeTheDatabaseTogether(t *testing.T) {
	for range 3 {
		path := filepath.Join(t.TempDir(), File)
		var group sync.WaitGroup
		for range 10 {
			group.Go(func() { openElsewhere(t, path) })
		}
		group.Wait()
		s := openStore(t, path)
		if version := count(t, s.read, `PRAGMA user_version`); version != len(migrationFiles()) {
			t.Errorf("the schema version is %d", version)
		}
		addDeployment(t, s, "prod")
	}
}

func TestManyOpensInOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	var errs [10]error
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			s, err := Open(t.Context(), path)
			if err == nil {
				d := deployment(fmt.Sprint("deployment ", i))
				err = errors.Join(s.CreateDeployment(t.Context(), d, token(d.ID, "default")), s.Close())
			}
			errs[i] = err
		})
	}
	group.Wait()
	must(t, errors.Join(errs[:]...))
	if n := count(t, openStore(t, path).read, `SELECT count(*) FROM deployments`); n != len(errs) {
		t.Errorf("%d deployments are stored, want %d", n, len(errs))
	}
}
