package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

// TestMain lets the tests start this binary again as another process that uses the same database.
func TestMain(m *testing.M) {
	switch os.Getenv("GATEHOUSE_TEST_ROLE") {
	case "open":
		s, err := Open(context.Background(), os.Getenv("GATEHOUSE_TEST_PATH"))
		if err == nil {
			err = s.Close()
		}
		exitWith(err)
	case "locked":
		exitWith(checkLocked(os.Getenv("GATEHOUSE_TEST_PATH")))
	case "write":
		exitWith(writeTokensForever(os.Getenv("GATEHOUSE_TEST_PATH")))
	}
	os.Exit(m.Run())
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newStore(t *testing.T) *Store {
	t.Helper()
	return openStore(t, filepath.Join(t.TempDir(), File))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run executes SQL behind the store's back.
func run(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.write.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// wantError fails unless err has the code and its message for the user holds the words.
func wantError(t *testing.T, err error, code gatehouse.Code, words ...string) {
	t.Helper()
	if gatehouse.ErrorCode(err) != code {
		t.Fatalf("got code %q (%v), want %q", gatehouse.ErrorCode(err), err, code)
	}
	for _, word := range words {
		if !strings.Contains(gatehouse.ErrorMessage(err), word) {
			t.Errorf("the message %q does not say %q", gatehouse.ErrorMessage(err), word)
		}
	}
}

var start = time.Date(2025, 11, 24, 8, 0, 0, 123456000, time.UTC)

func deployment(name string) gatehouse.Deployment {
	return gatehouse.Deployment{
		ID: uuid.NewString(), Name: name, Type: gatehouse.SingleNode, URLs: []string{"http://10.0.0.5:8428"},
		MaxConcurrentRequests: 600, CreatedAt: start, CreatedBy: "ops@example.com",
	}
}

func token(deploymentID, name string) gatehouse.StoredToken {
	id := uuid.NewString()
	return gatehouse.StoredToken{
		Token: gatehouse.Token{ID: id, DeploymentID: deploymentID, Name: name, Access: gatehouse.ReadWrite, Mask: "7e22", CreatedAt: start, CreatedBy: "ops@example.com"},
		Hash:  sha256.Sum256([]byte(id)), Sealed: []byte("sealed " + id),
	}
}

func user(email string, role gatehouse.Role) gatehouse.User {
	return gatehouse.User{ID: uuid.NewString(), Email: email, Role: role, CreatedAt: start}
}

var admin = gatehouse.Actor{Kind: gatehouse.Person, ID: "u1", Name: "ops@example.com", Addr: "192.0.2.7"}

func event(action gatehouse.Action, id string) gatehouse.AuditEvent {
	return gatehouse.AuditEvent{At: start, Actor: admin, Action: action, ObjectID: id, ObjectName: "name of " + id}
}

// addDeployment stores a deployment with its default token.
func addDeployment(t *testing.T, s *Store, name string) (gatehouse.Deployment, gatehouse.StoredToken) {
	t.Helper()
	d := deployment(name)
	tok := token(d.ID, gatehouse.DefaultTokenName)
	must(t, s.CreateDeployment(t.Context(), d, tok, event(gatehouse.DeploymentConnected, d.ID), event(gatehouse.TokenCreated, tok.ID)))
	return d, tok
}

func addToken(t *testing.T, s *Store, deploymentID, name string) gatehouse.StoredToken {
	t.Helper()
	tok := token(deploymentID, name)
	must(t, s.CreateToken(t.Context(), tok, event(gatehouse.TokenCreated, tok.ID)))
	return tok
}

func addUser(t *testing.T, s *Store, email string, role gatehouse.Role) gatehouse.User {
	t.Helper()
	u := user(email, role)
	must(t, s.CreateUser(t.Context(), u, "hash of "+email, false, event(gatehouse.UserCreated, u.ID)))
	return u
}

// dump prints the content of every table, so that a test can say "nothing has changed".
func dump(t *testing.T, s *Store) string {
	t.Helper()
	var out strings.Builder
	for _, table := range column(t, s, `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`) {
		rows, err := s.read.QueryContext(t.Context(), `SELECT * FROM `+table)
		must(t, err)
		names, err := rows.Columns()
		must(t, err)
		values, targets := make([]any, len(names)), make([]any, len(names))
		for i := range values {
			targets[i] = &values[i]
		}
		for rows.Next() {
			must(t, rows.Scan(targets...))
			fmt.Fprintf(&out, "%s %v\n", table, values)
		}
		must(t, rows.Err())
		rows.Close()
	}
	return out.String()
}

func column(t *testing.T, s *Store, query string, args ...any) []string {
	t.Helper()
	rows, err := s.read.QueryContext(t.Context(), query, args...)
	must(t, err)
	all, err := collect(rows, func(v *string) error { return rows.Scan(v) })
	must(t, err)
	return all
}

func count(t *testing.T, db *sql.DB, query string, args ...any) int {
	t.Helper()
	var n int
	must(t, db.QueryRowContext(t.Context(), query, args...).Scan(&n))
	return n
}
