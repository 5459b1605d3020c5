package control

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestKeyForSomeDeploymentsSeesTheirRecordsOnly(t *testing.T) {
	s := newServer(t, nil)
	prod, other := s.connect(t, "prod"), s.connect(t, "other")
	s.user(t, "user@example.com", gatehouse.Viewer)
	key := s.holder(t, gatehouse.NewAPIKey{Name: "prod only", Deployments: []string{prod.ID}})
	events, total, err := s.Audit(t.Context(), key, gatehouse.AuditQuery{})
	if err != nil || total != 2 || len(events) != 2 {
		t.Errorf("got %+v of %d, %v; want the deployment and its token", events, total, err)
	}
	for _, e := range events {
		if e.DeploymentID != prod.ID {
			t.Errorf("the key sees %+v", e)
		}
	}
	_, _, err = s.Audit(t.Context(), key, gatehouse.AuditQuery{DeploymentID: other.ID})
	wantError(t, err, gatehouse.Forbidden, "other deployments")
	var exported []gatehouse.AuditEvent
	must(t, s.ExportAudit(t.Context(), key, gatehouse.AuditQuery{DeploymentID: prod.ID}, func(e gatehouse.AuditEvent) error {
		exported = append(exported, e)
		return nil
	}))
	if len(exported) != 3 || exported[2].Action != gatehouse.AuditExported {
		t.Errorf("exported are %+v", exported)
	}
}

func TestExportGivesAllThatMatchesOldestFirst(t *testing.T) {
	s := newServer(t, nil)
	editor := personAt(s.user(t, "editor@example.com", gatehouse.Editor), "192.0.2.7")
	const many = 2*exportPage + 1
	for range many {
		must(t, s.store.AddAudit(t.Context(), event(editor, gatehouse.TokenRevealed, "t", "token")))
	}
	query := gatehouse.AuditQuery{Action: gatehouse.TokenRevealed, Text: "tok", Limit: 1, Offset: 5}
	n, last := 0, int64(0)
	records := s.newRecords(t, func() {
		must(t, s.ExportAudit(t.Context(), editor, query, func(e gatehouse.AuditEvent) error {
			if e.Seq <= last || e.Action != gatehouse.TokenRevealed {
				t.Fatalf("after record %d comes %+v", last, e)
			}
			n, last = n+1, e.Seq
			// Meanwhile, others can write: nothing is locked, and the export comes to an end all the same.
			return s.store.AddAudit(t.Context(), event(editor, gatehouse.SignedIn, "", ""))
		}))
	})
	if n != many {
		t.Errorf("%d records are exported, want %d", n, many)
	}
	if e := records[0]; e.Action != gatehouse.AuditExported || e.Actor.ID != editor.ID || e.Details["action"] != "token.revealed" || e.Details["text"] != "tok" {
		t.Errorf("the export is recorded as %+v", e)
	}
	stop := errors.New("the client has hung up")
	if err := s.ExportAudit(t.Context(), editor, query, func(gatehouse.AuditEvent) error { return stop }); err != stop {
		t.Errorf("got %v", err)
	}
}

func TestAnExportEndsWithTheRightToIt(t *testing.T) {
	s := newServer(t, nil)
	for range exportPage + 1 {
		must(t, s.store.AddAudit(t.Context(), event(root, gatehouse.TokenRevealed, "t", "token")))
	}
	f := func(actor gatehouse.Actor, word string, lose func() error) {
		t.Helper()
		n := 0
		err := s.ExportAudit(t.Context(), actor, gatehouse.AuditQuery{Action: gatehouse.TokenRevealed}, func(gatehouse.AuditEvent) error {
			if n++; n == 1 {
				return lose()
			}
			return nil
		})
		if wantError(t, err, gatehouse.Forbidden, word); n != exportPage {
			t.Errorf("%s gets %d records after that, want no more than the page of %d", actor.Name, n, exportPage)
		}
	}
	user := func(name string) gatehouse.Actor { return personAt(s.user(t, name, gatehouse.Editor), "192.0.2.7") }
	lesser, disabled, deleted := user("lesser@example.com"), user("disabled@example.com"), user("deleted@example.com")
	f(lesser, "ask an admin", func() error { return s.SetRole(t.Context(), root, lesser.ID, gatehouse.Viewer) })
	f(disabled, "disabled", func() error { return s.DisableUser(t.Context(), root, disabled.ID) })
	f(deleted, "deleted", func() error { return s.DeleteUser(t.Context(), root, deleted.ID) })
	key := s.holder(t, gatehouse.NewAPIKey{Name: "key"})
	f(key, "revoked", func() error { return s.RevokeAPIKey(t.Context(), root, key.ID) })
}

func TestAuditRetentionIsRecordedAndLeavesADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		s.connect(t, "prod")
		system := gatehouse.Actor{Kind: gatehouse.System, Name: "retention", Role: gatehouse.Admin}
		head, n, err := s.VerifyAudit(t.Context(), root, gatehouse.AuditHead{})
		if err != nil || n != 2 {
			t.Fatalf("%d records, %v", n, err)
		}
		_, err = s.PruneAudit(t.Context(), root, time.Now().Add(-MinAuditRetention+time.Second))
		wantError(t, err, gatehouse.Invalid, "24 hours")
		time.Sleep(30 * 24 * time.Hour)
		s.connect(t, "young")
		records := s.newRecords(t, func() {
			if n, err := s.PruneAudit(t.Context(), system, time.Now().Add(-24*time.Hour)); err != nil || n != 2 {
				t.Errorf("%d records are removed, %v", n, err)
			}
			if n, err := s.PruneAudit(t.Context(), system, time.Now().Add(-24*time.Hour)); err != nil || n != 0 {
				t.Errorf("%d more records are removed, %v", n, err)
			}
		})
		if len(records) != 1 || records[0].Action != gatehouse.AuditPruned || records[0].Actor.Name != "retention" || records[0].Details["records"] != "2" {
			t.Errorf("the records are %+v", records)
		}
		if _, n, err := s.VerifyAudit(t.Context(), root, head); err != nil || n != 3 {
			t.Errorf("%d records are left, %v", n, err)
		}
	})
}

func TestWhatADeletedUserDidKeepsTheirName(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "admin@example.com", gatehouse.Admin)
	u := s.user(t, "gone@example.com", gatehouse.Editor)
	prod := s.connect(t, "prod")
	token, _, err := s.CreateToken(t.Context(), personAt(u, "192.0.2.7"), gatehouse.NewToken{DeploymentID: prod.ID, Name: "t", Access: gatehouse.Read})
	must(t, err)
	must(t, s.DeleteUser(t.Context(), root, u.ID))
	if got, err := s.Token(t.Context(), root, token.ID); err != nil || got.CreatedBy != "gone@example.com" {
		t.Errorf("the token is %+v, %v", got, err)
	}
	if _, n, err := s.Audit(t.Context(), root, gatehouse.AuditQuery{Actor: "gone@"}); err != nil || n != 1 {
		t.Errorf("%d records name them, %v", n, err)
	}
	again := s.user(t, "gone@example.com", gatehouse.Viewer)
	if again.ID == u.ID {
		t.Error("another person got the ID")
	}
}
