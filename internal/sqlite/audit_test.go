package sqlite

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestAuditRecordsComeBackNewestFirst(t *testing.T) {
	s := newStore(t)
	want := gatehouse.AuditEvent{
		At: start, Actor: gatehouse.Actor{Kind: gatehouse.CommandLine, Name: "root"}, Action: gatehouse.TokenCreated,
		ObjectID: "t1", ObjectName: `a "name"`, DeploymentID: "d1", Details: map[string]string{"access": "rw", "tenant": "7:9"},
	}
	must(t, s.AddAudit(t.Context(), want))
	must(t, s.AddAudit(t.Context(), event(gatehouse.SignInFailed, "")))
	all, err := s.Audit(t.Context(), 10)
	must(t, err)
	if len(all) != 2 || all[0].Action != gatehouse.SignInFailed || all[0].Seq <= all[1].Seq {
		t.Fatalf("got %+v", all)
	}
	want.Seq = all[1].Seq
	if !reflect.DeepEqual(all[1], want) {
		t.Errorf("got %+v, want %+v", all[1], want)
	}
	if newest, err := s.Audit(t.Context(), 1); err != nil || len(newest) != 1 || newest[0].Action != gatehouse.SignInFailed {
		t.Errorf("got %+v, %v", newest, err)
	}
}

func TestAuditLogIsAppendOnly(t *testing.T) {
	s := newStore(t)
	addDeployment(t, s, "prod")
	before := dump(t, s)
	for _, query := range []string{
		`UPDATE audit SET actor_name = 'somebody else'`,
		`UPDATE audit SET at = at WHERE seq = 1`,
		`DELETE FROM audit`,
		`DELETE FROM audit WHERE seq = 1`,
	} {
		if _, err := s.write.ExecContext(t.Context(), query); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v", query, err)
		}
	}
	if dump(t, s) != before {
		t.Error("the audit log has changed")
	}
}

func TestAChangeAndItsAuditRecordStandOrFallTogether(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	d, tok := addDeployment(t, s, "prod")
	addUser(t, s, "admin@example.com", gatehouse.Admin)
	u := addUser(t, s, "user@example.com", gatehouse.Editor)
	newDeployment, newUser := deployment("new"), user("new@example.com", gatehouse.Viewer)
	newToken, backup := token(d.ID, "new"), filepath.Join(t.TempDir(), "backup.db")
	hash := gatehouse.SecretHash{1}

	steps := []struct {
		name    string
		records int
		change  func() error
	}{
		{"create deployment", 2, func() error {
			return s.CreateDeployment(ctx, newDeployment, token(newDeployment.ID, "default"), event(gatehouse.DeploymentCreated, "1"), event(gatehouse.TokenCreated, "2"))
		}},
		{"create token", 1, func() error { return s.CreateToken(ctx, newToken, event(gatehouse.TokenCreated, "3")) }},
		{"reveal token", 1, func() error {
			_, err := s.RevealToken(ctx, tok.ID, event(gatehouse.TokenRevealed, "4"))
			return err
		}},
		{"revoke token", 1, func() error { return s.RevokeToken(ctx, tok.ID, event(gatehouse.TokenRevoked, "5")) }},
		{"delete deployment", 1, func() error { return s.DeleteDeployment(ctx, d.ID, event(gatehouse.DeploymentDeleted, "6")) }},
		{"create user", 1, func() error { return s.CreateUser(ctx, newUser, "hash", false, event(gatehouse.UserCreated, "7")) }},
		{"create session", 1, func() error {
			return s.CreateSession(ctx, hash, u.ID, "hash of user@example.com", start, event(gatehouse.SignedIn, "8"))
		}},
		{"end session", 1, func() error { return s.EndSession(ctx, hash, event(gatehouse.SignedOut, "9")) }},
		{"set password", 1, func() error { return s.SetPassword(ctx, u.ID, "new", event(gatehouse.UserPasswordSet, "10")) }},
		{"disable user", 1, func() error { return s.DisableUser(ctx, u.ID, event(gatehouse.UserDisabled, "11")) }},
		{"failed sign-in", 1, func() error { return s.AddAudit(ctx, event(gatehouse.SignInFailed, "12")) }},
		{"end all sessions", 1, func() error { return s.EndAllSessions(ctx, event(gatehouse.Restored, "13")) }},
		{"backup", 1, func() error { return s.BackupTo(ctx, backup, event(gatehouse.BackedUp, "14")) }},
	}
	for _, step := range steps {
		before := dump(t, s)
		run(t, s, `CREATE TEMP TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no audit today'); END`)
		err := step.change()
		run(t, s, `DROP TRIGGER no_audit`)
		if err == nil || !strings.Contains(err.Error(), "no audit today") {
			t.Errorf("%s without its audit record: got %v", step.name, err)
		}
		if dump(t, s) != before {
			t.Errorf("%s was done without its audit record", step.name)
		}
		records := count(t, s.read, `SELECT count(*) FROM audit`)
		if err := step.change(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		if n := count(t, s.read, `SELECT count(*) FROM audit`) - records; n != step.records {
			t.Errorf("%s leaves %d audit records, want %d", step.name, n, step.records)
		}
	}
}

func TestBackupIsAWholeDatabase(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	path := filepath.Join(t.TempDir(), "it's a backup.db")
	must(t, s.BackupTo(t.Context(), path, event(gatehouse.BackedUp, "")))
	addToken(t, s, d.ID, "later")

	copied := openStore(t, path)
	if _, err := copied.FindDeployment(t.Context(), "prod"); err != nil {
		t.Error(err)
	}
	if n := count(t, copied.read, `SELECT count(*) FROM tokens`); n != 1 {
		t.Errorf("the backup holds %d tokens, want the one of its time", n)
	}
	if n := count(t, copied.read, `SELECT count(*) FROM audit WHERE action = 'backup.made'`); n != 1 {
		t.Error("the backup does not know that it was made")
	}
	addToken(t, copied, d.ID, "in the copy")
	if err := s.BackupTo(t.Context(), path, event(gatehouse.BackedUp, "")); err == nil {
		t.Error("a backup replaces a file")
	}
}
