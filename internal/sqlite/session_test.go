package sqlite

import (
	"crypto/sha256"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

// session is a store with one user who has signed in.
func session(t *testing.T) (s *Store, u gatehouse.User, hash gatehouse.SecretHash, passwordHash string) {
	t.Helper()
	s = newStore(t)
	addUser(t, s, "admin@example.com", gatehouse.Admin)
	u = addUser(t, s, "user@example.com", gatehouse.Editor)
	hash, passwordHash = sha256.Sum256([]byte("cookie")), "hash of user@example.com"
	must(t, s.CreateSession(t.Context(), hash, u.ID, passwordHash, sessionAt(start), event(gatehouse.SignedIn, u.ID)))
	u.LastSignIn = start
	return s, u, hash, passwordHash
}

func sessionAt(at time.Time) gatehouse.Session {
	return gatehouse.Session{ID: uuid.NewString(), CreatedAt: at, SeenAt: at, Addr: "192.0.2.7", UserAgent: "Mozilla/5.0"}
}

func wantSession(t *testing.T, s *Store, hash gatehouse.SecretHash, createdAfter, seenAfter time.Time, alive bool) {
	t.Helper()
	_, _, err := s.Session(t.Context(), hash, createdAfter, seenAfter)
	if alive {
		must(t, err)
		return
	}
	wantError(t, err, gatehouse.Unauthenticated, "sign in again")
}

func TestSessionEndsWhenOldOrIdle(t *testing.T) {
	s, u, hash, _ := session(t)
	before, tick := start.Add(-time.Microsecond), time.Microsecond
	got, seen, err := s.Session(t.Context(), hash, before, before)
	if err != nil || got != u || !seen.Equal(start) {
		t.Errorf("got %+v, seen %v, %v", got, seen, err)
	}
	wantSession(t, s, hash, start, before, false) // old
	wantSession(t, s, hash, before, start, false) // idle

	must(t, s.TouchSession(t.Context(), hash, start.Add(tick), before, before))
	wantSession(t, s, hash, before, start, true)
	if _, seen, _ := s.Session(t.Context(), hash, before, start); !seen.Equal(start.Add(tick)) {
		t.Errorf("last seen %v", seen)
	}
	wantSession(t, s, sha256.Sum256([]byte("another cookie")), before, before, false)
}

func TestTouchingASessionClearsThoseThatEndedByThemselves(t *testing.T) {
	s, u, hash, passwordHash := session(t)
	later := sha256.Sum256([]byte("later"))
	must(t, s.CreateSession(t.Context(), later, u.ID, passwordHash, sessionAt(start.Add(time.Hour)), event(gatehouse.SignedIn, u.ID)))
	must(t, s.TouchSession(t.Context(), later, start.Add(2*time.Hour), start, start))
	if n := count(t, s.read, `SELECT count(*) FROM sessions`); n != 1 {
		t.Errorf("%d sessions are left, want the later one", n)
	}
	wantSession(t, s, hash, time.Unix(0, 0), time.Unix(0, 0), false)
	must(t, s.TouchSession(t.Context(), hash, start.Add(2*time.Hour), start, start)) // must not come back to life
	wantSession(t, s, hash, time.Unix(0, 0), time.Unix(0, 0), false)
}

func TestSessionEndsWithTheRightToIt(t *testing.T) {
	long := time.Unix(0, 0)
	f := func(name string, end func(s *Store, u gatehouse.User, hash gatehouse.SecretHash) error) {
		t.Run(name, func(t *testing.T) {
			s, u, hash, _ := session(t)
			wantSession(t, s, hash, long, long, true)
			must(t, end(s, u, hash))
			wantSession(t, s, hash, long, long, false)
			if n := count(t, s.read, `SELECT count(*) FROM sessions`); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
		})
	}
	f("sign out", func(s *Store, u gatehouse.User, hash gatehouse.SecretHash) error {
		return s.EndSession(t.Context(), hash, event(gatehouse.SignedOut, u.ID))
	})
	f("new password", func(s *Store, u gatehouse.User, _ gatehouse.SecretHash) error {
		return s.SetPassword(t.Context(), u.ID, "new", event(gatehouse.UserPasswordSet, u.ID))
	})
	f("disabled", func(s *Store, u gatehouse.User, _ gatehouse.SecretHash) error {
		return s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID))
	})
	f("deleted", func(s *Store, u gatehouse.User, _ gatehouse.SecretHash) error {
		return s.DeleteUser(t.Context(), u.ID, event(gatehouse.UserDeleted, u.ID))
	})
	f("ended by its ID", func(s *Store, u gatehouse.User, hash gatehouse.SecretHash) error {
		all, err := s.Sessions(t.Context(), u.ID, hash, long, long)
		must(t, err)
		return s.EndSessionOf(t.Context(), u.ID, all[0].ID, event(gatehouse.SessionEnded, u.ID))
	})
	f("new password by link", func(s *Store, u gatehouse.User, _ gatehouse.SecretHash) error {
		link := sha256.Sum256([]byte("link"))
		must(t, s.MakeLink(t.Context(), u.ID, link, start.Add(time.Hour), event(gatehouse.UserLinkMade, u.ID)))
		return s.UseLink(t.Context(), link, u.ID, "new", start, event(gatehouse.UserPasswordSet, u.ID))
	})
	f("restored from a backup", func(s *Store, _ gatehouse.User, _ gatehouse.SecretHash) error {
		return s.EndAllSessions(t.Context(), event(gatehouse.Restored, ""))
	})
}

func TestNoSessionBeginsWithAPasswordThatHasJustChanged(t *testing.T) {
	s, u, _, passwordHash := session(t)
	late := sha256.Sum256([]byte("late"))
	must(t, s.SetPassword(t.Context(), u.ID, "new", event(gatehouse.UserPasswordSet, u.ID)))
	before := dump(t, s)
	wantError(t, s.CreateSession(t.Context(), late, u.ID, passwordHash, sessionAt(start), event(gatehouse.SignedIn, u.ID)), gatehouse.NotFound)
	if dump(t, s) != before {
		t.Error("the refused session left something behind")
	}
	must(t, s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID)))
	wantError(t, s.CreateSession(t.Context(), late, u.ID, "new", sessionAt(start), event(gatehouse.SignedIn, u.ID)), gatehouse.NotFound)
	wantError(t, s.SetPassword(t.Context(), "nobody", "new", event(gatehouse.UserPasswordSet, "nobody")), gatehouse.NotFound, "no such user")
	wantError(t, s.EndSession(t.Context(), late, event(gatehouse.SignedOut, u.ID)), gatehouse.NotFound, "no such session")
}

func TestSessionsAreListedForTheirUserOnly(t *testing.T) {
	s, u, first, passwordHash := session(t)
	second, others := sha256.Sum256([]byte("second")), sha256.Sum256([]byte("others"))
	later := sessionAt(start.Add(time.Hour))
	must(t, s.CreateSession(t.Context(), second, u.ID, passwordHash, later, event(gatehouse.SignedIn, u.ID)))
	other := addUser(t, s, "other@example.com", gatehouse.Viewer)
	must(t, s.CreateSession(t.Context(), others, other.ID, "hash of other@example.com", sessionAt(start), event(gatehouse.SignedIn, other.ID)))

	before := start.Add(-time.Hour)
	all, err := s.Sessions(t.Context(), u.ID, second, before, before)
	must(t, err)
	later.Current = true
	if len(all) != 2 || !reflect.DeepEqual(all[0], later) || all[1].Current || all[1].Addr != "192.0.2.7" {
		t.Errorf("got %+v, want the two of the user, the last seen first", all)
	}
	if all, err := s.Sessions(t.Context(), u.ID, second, start, before); err != nil || len(all) != 1 {
		t.Errorf("got %+v, %v; want those that have not ended by themselves", all, err)
	}
	wantError(t, s.EndSessionOf(t.Context(), other.ID, all[1].ID, event(gatehouse.SessionEnded, other.ID)), gatehouse.NotFound, "no such session")
	wantSession(t, s, first, before, before, true)
}

func TestChangedPasswordEndsAllSessionsButTheOneThatChangesIt(t *testing.T) {
	s, u, mine, passwordHash := session(t)
	elsewhere := sha256.Sum256([]byte("elsewhere"))
	must(t, s.CreateSession(t.Context(), elsewhere, u.ID, passwordHash, sessionAt(start), event(gatehouse.SignedIn, u.ID)))
	before := dump(t, s)
	err := s.ChangePassword(t.Context(), u.ID, "not the old one", "new", mine, event(gatehouse.UserPasswordSet, u.ID))
	wantError(t, err, gatehouse.NotFound)
	if dump(t, s) != before {
		t.Error("the refused change left something behind")
	}
	must(t, s.ChangePassword(t.Context(), u.ID, passwordHash, "new", mine, event(gatehouse.UserPasswordSet, u.ID)))
	long := time.Unix(0, 0)
	wantSession(t, s, mine, long, long, true)
	wantSession(t, s, elsewhere, long, long, false)
}
