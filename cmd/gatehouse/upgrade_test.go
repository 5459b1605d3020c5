package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/sqlite"
)

// oldDataDir is a data directory as the first Gatehouse left it, with one user.
func oldDataDir(t *testing.T) string {
	t.Helper()
	dir := newDataDir(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../../internal/sqlite/migrations/0001_first.sql")
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, sqlite.File))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	_, err = db.Exec(string(script) + `
		PRAGMA application_id = 0x67617465; PRAGMA user_version = 1;
		INSERT INTO users VALUES ('u1', 'old@example.com', 'admin', 'x', 0, 1);
		INSERT INTO audit (at, actor_kind, actor_id, actor_name, actor_addr, action, object_id, object_name, deployment_id, details)
		VALUES (1, 'command_line', '', 'root', '', 'user.created', 'u1', 'old@example.com', '', '{}');`)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOnlyServeBringsAnOldDatabaseUpToDate(t *testing.T) {
	t.Parallel()
	dir := oldDataDir(t)
	backup := filepath.Join(t.TempDir(), "backup.tar")
	for _, args := range [][]string{
		{"user", "list"}, {"token", "list", "--deployment", "x"}, {"backup", backup}, {"audit", "verify"},
		{"user", "create", "--email", "new@example.com", "--role", "admin"}, {"doctor"},
	} {
		r := command(t, dir, "correct horse battery", args...)
		if said := r.out + r.err; r.code != exitFailed || !strings.Contains(said, "of an older Gatehouse (schema 1") || !strings.Contains(said, "gatehouse serve") {
			t.Errorf("%q: exit code %d: %s", args, r.code, said)
		}
		if seen, _, err := sqlite.Version(t.Context(), filepath.Join(dir, sqlite.File)); err != nil || seen != 1 {
			t.Fatalf("after %q the schema is %d (%v)", args, seen, err)
		}
	}
	p := serve(t, dir)
	if !strings.Contains(p.log.String(), "brought up to date") {
		t.Errorf("the log does not say so:\n%s", p.log)
	}
	if users := must(t, dir, "", "user", "list"); !strings.Contains(users, "old@example.com") {
		t.Errorf("the user is gone:\n%s", users)
	}
	must(t, dir, "", "audit", "verify")
	must(t, dir, "", "backup", backup)
}

func TestOneTimeLinksLeadToTheServerThatRuns(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	if link := must(t, dir, "", "user", "invite", "--email", "a@example.com", "--role", "viewer"); !strings.HasPrefix(link, p.console+"/invite?code=") {
		t.Errorf("the link does not lead to %s", p.console)
	}
	p.stop()
	if link := must(t, dir, "", "user", "reset-link", "a@example.com"); !strings.HasPrefix(link, "http://127.0.0.1:8420/") {
		t.Error("without a server, the link does not lead to the default address")
	}
	if link := must(t, dir, "", "user", "reset-link", "a@example.com", "--console-url", "https://gatehouse.example.com/"); !strings.HasPrefix(link, "https://gatehouse.example.com/invite") {
		t.Error("the link does not lead where it was told to")
	}
}
