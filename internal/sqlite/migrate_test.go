package sqlite

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// firstSchema makes a database as the first version of Gatehouse left it.
func firstSchema(t *testing.T, path string, rows ...string) {
	t.Helper()
	db := open(path, 1, settings)
	defer db.Close()
	script, err := migrations.ReadFile("migrations/0001_first.sql")
	must(t, err)
	mark := fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = 1", applicationID)
	for _, query := range append([]string{string(script), mark}, rows...) {
		if _, err := db.ExecContext(t.Context(), query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
}

func TestDatabaseOfTheFirstVersionGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	cookie := sha256.Sum256([]byte("cookie"))
	firstSchema(t, path,
		`INSERT INTO deployments VALUES ('d1', 'prod', 'single_node', 0, '["http://10.0.0.5:8428"]', '[]', '[]', '', '30d', 600, NULL, 1, 'ops@example.com')`,
		`INSERT INTO tokens VALUES ('t1', 'd1', 'default', 'rw', NULL, '7e22', zeroblob(32), x'01', 1, 'ops@example.com')`,
		`INSERT INTO users VALUES ('u1', 'ops@example.com', 'admin', 'hash', 0, 1)`,
		fmt.Sprintf(`INSERT INTO sessions VALUES (x'%x', 'u1', 1, 1)`, cookie),
		`INSERT INTO audit (at, actor_kind, actor_id, actor_name, actor_addr, action, object_id, object_name, deployment_id, details)
			VALUES (1, 'person', 'u1', 'ops@example.com', '', 'deployment.deleted', 'd0', 'old', 'd0', '{}'),
				(2, 'person', 'u1', 'ops@example.com', '', 'token.revealed', 't1', 'default', 'd1', '{"access":"rw"}')`)
	s := openStore(t, path)

	wantSession(t, s, cookie, time.Unix(0, 0), time.Unix(0, 0), true)
	all, err := s.Sessions(t.Context(), "u1", cookie, time.Unix(0, 0), time.Unix(0, 0))
	if err != nil || len(all) != 1 || len(all[0].ID) != 32 || !all[0].Current {
		t.Errorf("the sessions are %+v, %v", all, err)
	}
	u, hash, err := s.User(t.Context(), "u1")
	if want := (gatehouse.User{ID: "u1", Email: "ops@example.com", Role: gatehouse.Admin, CreatedAt: fromMicros(1)}); err != nil || u != want || hash != "hash" {
		t.Errorf("the user is %+v with hash %q, %v", u, hash, err)
	}
	if tok, err := s.Token(t.Context(), "t1"); err != nil || tok.Broken || tok.Name != "default" {
		t.Errorf("the token is %+v, %v", tok, err)
	}
	if d, err := s.FindDeployment(t.Context(), "prod"); err != nil || d.State.Status == gatehouse.Failed {
		t.Errorf("the deployment is %+v, %v", d, err)
	}
	if deleted, err := s.WasDeleted(t.Context(), "d0"); err != nil || !deleted {
		t.Errorf("the old deployment was deleted: %v, %v", deleted, err)
	}
	events, total, err := s.Audit(t.Context(), gatehouse.AuditQuery{}, nil)
	if err != nil || total != 2 || events[0].Details["access"] != "rw" {
		t.Errorf("the audit log is %+v, %v", events, err)
	}
	must(t, s.AddAudit(t.Context(), event(gatehouse.SignedIn, "u1")))
	wantWholeChain(t, s, gatehouse.AuditHead{}, 3)
	if _, err := s.write.ExecContext(t.Context(), `UPDATE audit SET action = 'x'`); err == nil {
		t.Error("the old records can be changed")
	}
}
