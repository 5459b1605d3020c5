package control

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

// server is a Control over a real store, with what a test wants to look at.
type server struct {
	*Control
	store *sqlite.Store
	dir   string
	db    *sql.DB // a second look at the same file
}

// newServer makes a Control over a fresh data directory. change, when not nil, may alter its configuration.
func newServer(t *testing.T, change func(*Config)) *server {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, sqlite.File)
	store, err := sqlite.Open(t.Context(), path)
	must(t, err)
	t.Cleanup(func() { store.Close() })
	sealer, err := secret.CreateSealer(filepath.Join(dir, secret.KeysetFile))
	must(t, err)
	db, err := sql.Open("sqlite3", "file:"+path+"?_query_only=on")
	must(t, err)
	t.Cleanup(func() { db.Close() })
	config := Config{Store: store, Sealer: sealer, Live: true}
	if change != nil {
		change(&config)
	}
	return &server{Control: New(config), store: store, dir: dir, db: db}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
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

// dump prints all that is stored, but for some tables, so that a test can say "nothing has changed".
func (s *server) dump(t *testing.T, but ...string) string {
	t.Helper()
	var out strings.Builder
	for _, table := range s.tables(t) {
		if slices.Contains(but, table) {
			continue
		}
		rows, err := s.db.QueryContext(t.Context(), `SELECT * FROM `+table)
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
		must(t, rows.Close())
	}
	return out.String()
}

func (s *server) tables(t *testing.T) (names []string) {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), `SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		names = append(names, name)
	}
	must(t, rows.Err())
	return names
}

// newRecords gives the audit records that do makes, oldest first.
func (s *server) newRecords(t *testing.T, do func()) []gatehouse.AuditEvent {
	t.Helper()
	before, err := s.store.AuditHead(t.Context())
	must(t, err)
	do()
	after, err := s.store.AuditHead(t.Context())
	must(t, err)
	events, err := s.store.AuditAfter(t.Context(), gatehouse.AuditQuery{}, nil, before.Seq, after.Seq, 1_000_000)
	must(t, err)
	return events
}

// wantNowhere fails when a secret is found in any file of the data directory, written-ahead log included.
func (s *server) wantNowhere(t *testing.T, secrets ...string) {
	t.Helper()
	files := 0
	must(t, filepath.WalkDir(s.dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		for _, secret := range secrets {
			if len(secret) < 10 || strings.Contains(string(content), secret) {
				t.Errorf("%s holds a secret", filepath.Base(path))
			}
		}
		return err
	}))
	if files < 3 {
		t.Errorf("only %d files were looked at", files)
	}
}

func person(role gatehouse.Role) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.Person, ID: "id of " + string(role), Name: string(role) + "@example.com", Role: role, Addr: "192.0.2.7"}
}

var (
	root   = person(gatehouse.Admin)
	editor = person(gatehouse.Editor)
)

const password = "correct horse battery"

func connected(name string) gatehouse.NewDeployment {
	return gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode, URLs: []string{"http://10.0.0.5:8428/"}}
}

func (s *server) connect(t *testing.T, name string) gatehouse.Deployment {
	t.Helper()
	d, err := s.ConnectDeployment(t.Context(), root, connected(name))
	must(t, err)
	return d
}

func (s *server) token(t *testing.T, deploymentID, name string) (gatehouse.Token, secret.Secret) {
	t.Helper()
	token, value, err := s.CreateToken(t.Context(), root, gatehouse.NewToken{DeploymentID: deploymentID, Name: name, Access: gatehouse.Read})
	must(t, err)
	return token, value
}

func (s *server) user(t *testing.T, email string, role gatehouse.Role) gatehouse.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), root, NewUser{Email: email, Role: role, Password: password})
	must(t, err)
	return u
}

func at(addr string) gatehouse.Client {
	return gatehouse.Client{Addr: addr, UserAgent: "Mozilla/5.0"}
}

func (s *server) signIn(t *testing.T, email string) string {
	t.Helper()
	id, _, err := s.SignIn(t.Context(), at("192.0.2.7"), email, password)
	must(t, err)
	return id
}

func (s *server) alive(ctx context.Context, sessionID string) bool {
	_, err := s.SessionActor(ctx, sessionID, "192.0.2.7")
	return err == nil
}
