package sqlite

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestAuditRecordsComeBackNewestFirst(t *testing.T) {
	s := newStore(t)
	want := gatehouse.AuditEvent{
		At: start, Actor: gatehouse.Actor{Kind: gatehouse.CommandLine, Name: "root"}, Action: gatehouse.TokenCreated,
		ObjectID: "t1", ObjectName: `a "name"`, DeploymentID: "d1", Details: map[string]string{"access": "rw", "tenant": "7:9"},
		Before: map[string]string{"name": "<old>"}, After: map[string]string{"name": "néw\n"},
	}
	must(t, s.AddAudit(t.Context(), want))
	must(t, s.AddAudit(t.Context(), event(gatehouse.SignInFailed, "")))
	all, _, err := s.Audit(t.Context(), gatehouse.AuditQuery{}, nil)
	must(t, err)
	if len(all) != 2 || all[0].Action != gatehouse.SignInFailed || all[0].Seq <= all[1].Seq {
		t.Fatalf("got %+v", all)
	}
	want.Seq = all[1].Seq
	if !reflect.DeepEqual(all[1], want) {
		t.Errorf("got %+v, want %+v", all[1], want)
	}
	if newest, total, err := s.Audit(t.Context(), gatehouse.AuditQuery{Limit: 1}, nil); err != nil || len(newest) != 1 || total != 2 || newest[0].Action != gatehouse.SignInFailed {
		t.Errorf("got %+v, %v", newest, err)
	}
}

func TestAuditRecordsAreFound(t *testing.T) {
	s := newStore(t)
	for i, e := range []gatehouse.AuditEvent{
		{Actor: gatehouse.Actor{Name: "Ana@example.com", Addr: "192.0.2.7"}, Action: gatehouse.TokenCreated, ObjectID: "id-1", ObjectName: "grafana", DeploymentID: "d1"},
		{Actor: gatehouse.Actor{Name: "bob@example.com", Addr: "2001:db8::1"}, Action: gatehouse.TokenRevoked, ObjectID: "id-2", ObjectName: "100%_sure", DeploymentID: "d2"},
		{Actor: gatehouse.Actor{Name: "ana@example.com"}, Action: gatehouse.UserInvited, ObjectID: "id-3", ObjectName: "käthe@example.com", Details: map[string]string{"role": "viewer", "note": "<a&b>"}},
		{Action: gatehouse.TokenCreated, ObjectID: "id-4", DeploymentID: "d1", Details: map[string]string{"tenant": "7:9"}},
	} {
		e.At = start.Add(time.Duration(i) * time.Hour)
		must(t, s.AddAudit(t.Context(), e))
	}
	f := func(q gatehouse.AuditQuery, only []string, want ...int64) {
		t.Helper()
		events, total, err := s.Audit(t.Context(), q, only)
		must(t, err)
		oldestFirst, err := s.AuditAfter(t.Context(), q, only, 0, 100, 100)
		must(t, err)
		var got []int64
		for i, e := range events {
			got = append(got, e.Seq)
			if oldestFirst[len(events)-1-i].Seq != e.Seq {
				t.Errorf("%+v: the order is %+v and %+v", q, events, oldestFirst)
			}
		}
		if !slices.Equal(got, want) || total != len(want) {
			t.Errorf("%+v: got the records %v of %d, want %v", q, got, total, want)
		}
	}
	f(gatehouse.AuditQuery{}, nil, 4, 3, 2, 1)
	f(gatehouse.AuditQuery{From: start.Add(time.Hour)}, nil, 4, 3, 2)
	f(gatehouse.AuditQuery{From: start.Add(time.Hour), To: start.Add(3 * time.Hour)}, nil, 3, 2)
	f(gatehouse.AuditQuery{Actor: "ANA"}, nil, 3, 1)
	f(gatehouse.AuditQuery{Actor: "%"}, nil)
	f(gatehouse.AuditQuery{Action: gatehouse.TokenCreated}, nil, 4, 1)
	f(gatehouse.AuditQuery{DeploymentID: "d1"}, nil, 4, 1)
	f(gatehouse.AuditQuery{DeploymentID: "d1", Action: gatehouse.TokenRevoked}, nil)
	f(gatehouse.AuditQuery{ObjectID: "id-2"}, nil, 2)
	f(gatehouse.AuditQuery{ObjectID: "id-2", DeploymentID: "d1"}, nil)
	f(gatehouse.AuditQuery{ObjectID: "id-2"}, []string{"d1"})
	f(gatehouse.AuditQuery{ObjectID: "id-"}, nil)
	f(gatehouse.AuditQuery{Text: "GRAF"}, nil, 1)
	f(gatehouse.AuditQuery{Text: "id-"}, nil, 4, 3, 2, 1)
	f(gatehouse.AuditQuery{Text: "2001:db8"}, nil, 2)
	f(gatehouse.AuditQuery{Text: "100%"}, nil, 2)
	f(gatehouse.AuditQuery{Text: "%_"}, nil, 2)
	f(gatehouse.AuditQuery{Text: "%"}, nil, 2)
	f(gatehouse.AuditQuery{Text: "_"}, nil, 2)
	f(gatehouse.AuditQuery{Text: "käthe"}, nil, 3)
	f(gatehouse.AuditQuery{Text: "7:9"}, nil, 4)
	f(gatehouse.AuditQuery{Text: "<a&b>"}, nil, 3)
	f(gatehouse.AuditQuery{Text: "tenant"}, nil) // a name of a detail, not a value
	f(gatehouse.AuditQuery{Text: "'; DROP TABLE audit; --"}, nil)
	f(gatehouse.AuditQuery{}, []string{"d1"}, 4, 1)
	f(gatehouse.AuditQuery{}, []string{"d1", "d2", "d3"}, 4, 2, 1)
	f(gatehouse.AuditQuery{Action: gatehouse.UserInvited}, []string{"d1"})
	f(gatehouse.AuditQuery{DeploymentID: "d2"}, []string{"d1"})
	f(gatehouse.AuditQuery{}, []string{})
	f(gatehouse.AuditQuery{}, []string{""})

	page, total, err := s.Audit(t.Context(), gatehouse.AuditQuery{Limit: 2, Offset: 1}, nil)
	if err != nil || total != 4 || len(page) != 2 || page[0].Seq != 3 || page[1].Seq != 2 {
		t.Errorf("the second page is %+v of %d, %v", page, total, err)
	}
	window, err := s.AuditAfter(t.Context(), gatehouse.AuditQuery{}, nil, 1, 3, 1)
	if err != nil || len(window) != 1 || window[0].Seq != 2 {
		t.Errorf("the window is %+v, %v", window, err)
	}
}

func TestUnreadableDetailsHideNoRecord(t *testing.T) {
	s := chained(t)
	tamper(t, s, `UPDATE audit SET details = 'not JSON' WHERE seq = 4`)
	events, total, err := s.Audit(t.Context(), gatehouse.AuditQuery{}, nil)
	if err != nil || total != 10 || events[6].Details["unreadable"] != "not JSON" {
		t.Errorf("got %d records, %v", total, err)
	}
	if _, _, err := s.Audit(t.Context(), gatehouse.AuditQuery{Text: "nowhere"}, nil); err != nil {
		t.Errorf("nothing can be found any more: %v", err)
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
		`INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 1`,
		`UPDATE audit_floor SET seq = -1`,
		`DELETE FROM audit_floor`,
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
	invited, link := user("invited@example.com", gatehouse.Viewer), gatehouse.SecretHash{2}
	session, later := sessionAt(start), start.Add(time.Hour)
	identity := gatehouse.Identity{Issuer: "https://id.example.com", Subject: "1", Email: "external@example.com", Role: gatehouse.Viewer}
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
			return s.CreateSession(ctx, hash, u.ID, "hash of user@example.com", session, event(gatehouse.SignedIn, "8"))
		}},
		{"sign in through the provider", 2, func() error {
			_, err := s.CreateExternalSession(ctx, gatehouse.SecretHash{3}, identity, user(identity.Email, identity.Role), sessionAt(start))
			return err
		}},
		{"change password", 1, func() error {
			return s.ChangePassword(ctx, u.ID, "hash of user@example.com", "newer", hash, event(gatehouse.UserPasswordSet, "8"))
		}},
		{"end session by its ID", 1, func() error { return s.EndSessionOf(ctx, u.ID, session.ID, event(gatehouse.SessionEnded, "8")) }},
		{"begin another session", 1, func() error {
			return s.CreateSession(ctx, hash, u.ID, "newer", sessionAt(start), event(gatehouse.SignedIn, "8"))
		}},
		{"end session", 1, func() error { return s.EndSession(ctx, hash, event(gatehouse.SignedOut, "9")) }},
		{"set password", 1, func() error { return s.SetPassword(ctx, u.ID, "new", event(gatehouse.UserPasswordSet, "10")) }},
		{"invite user", 1, func() error { return s.InviteUser(ctx, invited, link, later, event(gatehouse.UserInvited, "10")) }},
		{"make link", 1, func() error { return s.MakeLink(ctx, invited.ID, link, later, event(gatehouse.UserLinkMade, "10")) }},
		{"use link", 1, func() error {
			return s.UseLink(ctx, link, invited.ID, "chosen", start, event(gatehouse.UserPasswordSet, "10"))
		}},
		{"change role", 1, func() error { return s.SetRole(ctx, u.ID, gatehouse.Viewer, event(gatehouse.UserRoleChanged, "11")) }},
		{"disable user", 1, func() error { return s.DisableUser(ctx, u.ID, event(gatehouse.UserDisabled, "11")) }},
		{"enable user", 1, func() error { return s.EnableUser(ctx, u.ID, event(gatehouse.UserEnabled, "11")) }},
		{"delete user", 1, func() error { return s.DeleteUser(ctx, u.ID, event(gatehouse.UserDeleted, "11")) }},
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
