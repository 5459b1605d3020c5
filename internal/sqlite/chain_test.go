package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// chained is a store with ten records, of which each third tells of a change.
func chained(t *testing.T) *Store {
	t.Helper()
	s := newStore(t)
	for i := range 10 {
		e := event(gatehouse.UserRoleChanged, fmt.Sprint(i))
		e.At = start.Add(time.Duration(i) * time.Hour)
		e.Details = map[string]string{"b": "2", "a": `"1"`}
		if i%3 == 0 {
			e.Before, e.After = map[string]string{"role": "viewer"}, map[string]string{"role": "editor"}
		}
		must(t, s.AddAudit(t.Context(), e))
	}
	return s
}

// tamper runs SQL with all triggers off, as whoever can write the file may do.
func tamper(t *testing.T, s *Store, queries ...string) {
	t.Helper()
	for _, name := range column(t, s, `SELECT name FROM sqlite_master WHERE type = 'trigger'`) {
		run(t, s, `DROP TRIGGER `+name)
	}
	for _, query := range queries {
		run(t, s, query)
	}
}

func wantWholeChain(t *testing.T, s *Store, anchor gatehouse.AuditHead, records int) gatehouse.AuditHead {
	t.Helper()
	head, n, err := s.VerifyAudit(t.Context(), anchor)
	must(t, err)
	noted, err := s.AuditHead(t.Context())
	must(t, err)
	if n != records || head != noted {
		t.Fatalf("%d records up to %+v, want %d up to %+v", n, head, records, noted)
	}
	return head
}

func TestUntouchedAuditLogIsWhole(t *testing.T) {
	s := newStore(t)
	wantWholeChain(t, s, gatehouse.AuditHead{}, 0)
	s = chained(t)
	head := wantWholeChain(t, s, gatehouse.AuditHead{}, 10)
	if len(head.Hash) != 64 || head.Seq != 10 {
		t.Errorf("the head is %+v", head)
	}
	must(t, s.AddAudit(t.Context(), event(gatehouse.SignedIn, "")))
	wantWholeChain(t, s, head, 11)
	wantWholeChain(t, s, wantWholeChain(t, s, head, 11), 11)
}

func TestTamperingWithTheAuditLogIsFound(t *testing.T) {
	const columns = `at, actor_kind, actor_id, actor_name, actor_addr, action, object_id, object_name, deployment_id, details, before, after, hash`
	f := func(name, found string, queries ...string) {
		t.Run(name, func(t *testing.T) {
			s := chained(t)
			tamper(t, s, queries...)
			_, _, err := s.VerifyAudit(t.Context(), gatehouse.AuditHead{})
			wantError(t, err, gatehouse.Conflict, "tampered with", "at record "+found+" the chain breaks", "compare it with a backup")
		})
	}
	for i, column := range strings.Split(columns, ", ") {
		seq := i%9 + 1
		f("changed "+column, fmt.Sprint(seq), fmt.Sprintf(`UPDATE audit SET %s = %s || '1' WHERE seq = %d`, column, column, seq))
	}
	f("a field moved into the next", "4", `UPDATE audit SET object_id = object_id || substr(object_name, 1, 1), object_name = substr(object_name, 2) WHERE seq = 4`)
	f("before and after exchanged", "4", `UPDATE audit SET before = after, after = before WHERE seq = 4`)
	f("the last changed", "10", `UPDATE audit SET actor_name = 'somebody else' WHERE seq = 10`)
	f("removed in the middle", "5", `DELETE FROM audit WHERE seq = 5`)
	f("removed in the middle, the others moved up", "5", `DELETE FROM audit WHERE seq = 5`, `UPDATE audit SET seq = seq - 1 WHERE seq > 5`)
	f("removed at the beginning", "1", `DELETE FROM audit WHERE seq < 3`)
	f("removed at the end", "8", `DELETE FROM audit WHERE seq > 7`)
	f("all removed", "1", `DELETE FROM audit`)
	f("removed at the end, and the count set back too far", "8", `DELETE FROM audit WHERE seq > 7`, `UPDATE sqlite_sequence SET seq = 6 WHERE name = 'audit'`)
	f("inserted at the end", "11", `INSERT INTO audit (`+columns+`) SELECT `+columns+` FROM audit WHERE seq = 3`)
	f("inserted at the beginning", "0", `INSERT INTO audit (seq, `+columns+`) SELECT 0, `+columns+` FROM audit WHERE seq = 3`)
	f("reordered", "4", `UPDATE audit SET seq = 100 WHERE seq = 4`, `UPDATE audit SET seq = 4 WHERE seq = 5`, `UPDATE audit SET seq = 5 WHERE seq = 100`)
	f("made to look older than the chain", "1", `UPDATE audit SET hash = '' WHERE seq < 5`)
	f("all made to look older than the chain, and changed", "1", `UPDATE audit SET hash = ''`, `DELETE FROM audit WHERE seq = 10`,
		`UPDATE audit SET actor_name = 'somebody else' WHERE seq = 4`, `UPDATE sqlite_sequence SET seq = 9 WHERE name = 'audit'`)
	f("one made to look older than the chain", "5", `UPDATE audit SET hash = '' WHERE seq = 5`)
	f("unreadable", "5", `PRAGMA ignore_check_constraints = on`, `UPDATE audit SET at = 'yesterday' WHERE seq = 5`)
	f("floor raised", "1", `UPDATE audit_floor SET seq = 3`)
	f("floor raised, and what is below removed", "3", `UPDATE audit_floor SET seq = 3`, `DELETE FROM audit WHERE seq < 3`)
	f("the same with the right hash", "3", `UPDATE audit_floor SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 2)`, `DELETE FROM audit WHERE seq < 3`)
}

func TestNotedHeadFindsWhatTheChainCannot(t *testing.T) {
	head := wantWholeChain(t, chained(t), gatehouse.AuditHead{}, 10)
	f := func(name string, records int, found string, first gatehouse.Action) {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			must(t, s.AddAudit(t.Context(), event(first, "")))
			for range records - 1 {
				must(t, s.AddAudit(t.Context(), event(gatehouse.UserRoleChanged, "")))
			}
			wantWholeChain(t, s, gatehouse.AuditHead{}, records) // by itself, it is whole
			_, _, err := s.VerifyAudit(t.Context(), head)
			wantError(t, err, gatehouse.Conflict, "tampered with", "at record "+found, "noted")
		})
	}
	f("a whole log with another beginning", 10, "10", gatehouse.SignedIn)
	f("a longer one", 12, "10", gatehouse.SignedIn)
	f("a shorter one", 7, "8", gatehouse.UserRoleChanged)
	t.Run("the end cut off together with the count", func(t *testing.T) {
		s := chained(t)
		head := wantWholeChain(t, s, gatehouse.AuditHead{}, 10)
		tamper(t, s, `DELETE FROM audit WHERE seq > 7`, `UPDATE sqlite_sequence SET seq = 7 WHERE name = 'audit'`)
		wantWholeChain(t, s, gatehouse.AuditHead{}, 7) // by itself, it is whole
		_, _, err := s.VerifyAudit(t.Context(), head)
		wantError(t, err, gatehouse.Conflict, "at record 8", "noted")
	})
}

func TestPruningRemovesTheOldestAndRecordsIt(t *testing.T) {
	s := chained(t)
	ctx := t.Context()
	prune := func(at time.Time) int {
		t.Helper()
		n, err := s.PruneAudit(ctx, at, event(gatehouse.AuditPruned, ""))
		must(t, err)
		return n
	}
	old := wantWholeChain(t, s, gatehouse.AuditHead{}, 10)
	if n := prune(start); n != 0 {
		t.Errorf("%d records are removed, and none is that old", n)
	}
	wantWholeChain(t, s, old, 10)
	if n := prune(start.Add(4 * time.Hour)); n != 4 {
		t.Errorf("%d records are removed, want 4", n)
	}
	events, total, err := s.Audit(ctx, gatehouse.AuditQuery{}, nil)
	must(t, err)
	if e := events[0]; total != 7 || e.Action != gatehouse.AuditPruned || e.Details["records"] != "4" || e.Details["up_to"] != "2025-11-24T11:00:00Z" || events[6].Seq != 5 {
		t.Errorf("of %d records, the newest is %+v", total, e)
	}
	wantWholeChain(t, s, old, 7)
	if n := prune(tomorrow); n != 7 {
		t.Errorf("%d records are removed, want all 7", n)
	}
	head := wantWholeChain(t, s, gatehouse.AuditHead{}, 1)
	must(t, s.AddAudit(ctx, event(gatehouse.SignedIn, "")))
	wantWholeChain(t, s, head, 2)
	_, _, err = s.VerifyAudit(ctx, old)
	wantError(t, err, gatehouse.NotFound, "record 10", "removed by the retention", "a later one")

	for _, query := range []string{`DELETE FROM audit`, `DELETE FROM audit WHERE seq = 12`} {
		if _, err := s.write.ExecContext(ctx, query); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v", query, err)
		}
	}
}

func TestHeadNotedJustBeforeTheRetentionStillVerifies(t *testing.T) {
	s := chained(t)
	var noted gatehouse.AuditHead
	must(t, s.read.QueryRowContext(t.Context(), `SELECT seq, hash FROM audit WHERE seq = 4`).Scan(&noted.Seq, &noted.Hash))
	_, err := s.PruneAudit(t.Context(), start.Add(4*time.Hour), event(gatehouse.AuditPruned, ""))
	must(t, err)
	wantWholeChain(t, s, noted, 7)
	noted.Hash = strings.Repeat("0", 64)
	_, _, err = s.VerifyAudit(t.Context(), noted)
	wantError(t, err, gatehouse.Conflict, "at record 4", "noted")
}

func TestChainGoesOnInABackup(t *testing.T) {
	s := chained(t)
	head := wantWholeChain(t, s, gatehouse.AuditHead{}, 10)
	path := filepath.Join(t.TempDir(), "backup.db")
	must(t, s.BackupTo(t.Context(), path, event(gatehouse.BackedUp, "")))
	copied := openStore(t, path)
	must(t, copied.EndAllSessions(t.Context(), event(gatehouse.Restored, "")))
	wantWholeChain(t, copied, head, 12)
}

func TestDeletedDeploymentsAreKnownWhenTheAuditLogHasForgottenThem(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	must(t, s.DeleteDeployment(t.Context(), d.ID, event(gatehouse.DeploymentDeleted, d.ID)))
	_, err := s.PruneAudit(t.Context(), tomorrow, event(gatehouse.AuditPruned, ""))
	must(t, err)
	if deleted, err := s.WasDeleted(t.Context(), d.ID); err != nil || !deleted {
		t.Errorf("got %v, %v", deleted, err)
	}
	if deleted, err := s.WasDeleted(t.Context(), "another"); err != nil || deleted {
		t.Errorf("got %v, %v", deleted, err)
	}
}

func TestManyWritersMakeOneChain(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	var group sync.WaitGroup
	for range 3 { // as many processes would
		s := openStore(t, path)
		for range 2 {
			group.Go(func() {
				for range 20 {
					if err := s.AddAudit(t.Context(), event(gatehouse.SignedIn, "")); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	group.Wait()
	wantWholeChain(t, openStore(t, path), gatehouse.AuditHead{}, 120)
}
