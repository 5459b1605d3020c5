package sqlite

import (
	"crypto/sha256"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestUsersComeBackAsTheyWere(t *testing.T) {
	s := newStore(t)
	if has, err := s.HasUsers(t.Context()); err != nil || has {
		t.Errorf("an empty store has users: %v, %v", has, err)
	}
	b := addUser(t, s, "b@example.com", gatehouse.Viewer)
	a := addUser(t, s, "a@example.com", gatehouse.Admin)
	if all, err := s.Users(t.Context()); err != nil || !reflect.DeepEqual(all, []gatehouse.User{a, b}) {
		t.Errorf("got %+v, %v", all, err)
	}
	if has, err := s.HasUsers(t.Context()); err != nil || !has {
		t.Errorf("got %v, %v", has, err)
	}
	got, hash, err := s.UserByEmail(t.Context(), "b@example.com")
	if err != nil || got != b || hash != "hash of b@example.com" {
		t.Errorf("got %+v, %q, %v", got, hash, err)
	}
	_, hash, err = s.UserByEmail(t.Context(), "nobody@example.com")
	wantError(t, err, gatehouse.NotFound, "no user")
	if hash != "" {
		t.Error("a user that does not exist has a hash")
	}
}

func TestEmailsAreUnique(t *testing.T) {
	s := newStore(t)
	addUser(t, s, "a@example.com", gatehouse.Admin)
	before := dump(t, s)
	u := user("a@example.com", gatehouse.Viewer)
	err := s.CreateUser(t.Context(), u, "hash", false, event(gatehouse.UserCreated, u.ID))
	wantError(t, err, gatehouse.Conflict, "exists already")
	if gatehouse.ErrorField(err) != "email" || dump(t, s) != before {
		t.Error("the refused user left something behind, or the error does not name the field")
	}
}

func TestOfManyFirstAdminsOnlyOneIsMade(t *testing.T) {
	s := newStore(t)
	var errs [20]error
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() {
			u := user(string(rune('a'+i))+"@example.com", gatehouse.Admin)
			errs[i] = s.CreateUser(t.Context(), u, "hash", true, event(gatehouse.UserCreated, u.ID))
		})
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else {
			wantError(t, err, gatehouse.Conflict, "sign in instead")
		}
	}
	if users, records := count(t, s.read, `SELECT count(*) FROM users`), count(t, s.read, `SELECT count(*) FROM audit`); made != 1 || users != 1 || records != 1 {
		t.Errorf("%d calls succeeded, %d users and %d audit records are stored; want 1 of each", made, users, records)
	}
}

func TestLastAdminCannotBeDisabled(t *testing.T) {
	s := newStore(t)
	disable := func(u gatehouse.User) error {
		return s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID))
	}
	editor := addUser(t, s, "editor@example.com", gatehouse.Editor)
	first := addUser(t, s, "first@example.com", gatehouse.Admin)
	second := addUser(t, s, "second@example.com", gatehouse.Admin)
	must(t, disable(first))
	before := dump(t, s)
	wantError(t, disable(second), gatehouse.Conflict, "last admin", "create another")
	wantError(t, disable(gatehouse.User{ID: "nobody"}), gatehouse.NotFound, "no such user")
	if dump(t, s) != before {
		t.Error("a refused change left something behind")
	}
	must(t, disable(editor))
	must(t, disable(first)) // is so already
}

func TestOthersCanBeDisabledWhereThereIsNoAdmin(t *testing.T) {
	s := newStore(t) // the command line can make an editor first
	editor := addUser(t, s, "editor@example.com", gatehouse.Editor)
	must(t, s.DisableUser(t.Context(), editor.ID, event(gatehouse.UserDisabled, editor.ID)))
}

func TestTwoAdminsCannotDisableEachOtherAtTheSameTime(t *testing.T) {
	s := newStore(t)
	admins := []gatehouse.User{addUser(t, s, "a@example.com", gatehouse.Admin), addUser(t, s, "b@example.com", gatehouse.Admin)}
	var errs [2]error
	var group sync.WaitGroup
	for i, u := range admins {
		group.Go(func() { errs[i] = s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID)) })
	}
	group.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("got %v; want exactly one to be refused", errors.Join(errs[:]...))
	}
	if n := count(t, s.read, `SELECT count(*) FROM users WHERE disabled = 0`); n != 1 {
		t.Errorf("%d admins are left, want 1", n)
	}
}

// session is a store with one user who has signed in.
func session(t *testing.T) (s *Store, u gatehouse.User, hash gatehouse.SecretHash, passwordHash string) {
	t.Helper()
	s = newStore(t)
	addUser(t, s, "admin@example.com", gatehouse.Admin)
	u = addUser(t, s, "user@example.com", gatehouse.Editor)
	hash, passwordHash = sha256.Sum256([]byte("cookie")), "hash of user@example.com"
	must(t, s.CreateSession(t.Context(), hash, u.ID, passwordHash, start, event(gatehouse.SignedIn, u.ID)))
	return s, u, hash, passwordHash
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
	must(t, s.CreateSession(t.Context(), later, u.ID, passwordHash, start.Add(time.Hour), event(gatehouse.SignedIn, u.ID)))
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
	f("restored from a backup", func(s *Store, _ gatehouse.User, _ gatehouse.SecretHash) error {
		return s.EndAllSessions(t.Context(), event(gatehouse.Restored, ""))
	})
}

func TestNoSessionBeginsWithAPasswordThatHasJustChanged(t *testing.T) {
	s, u, _, passwordHash := session(t)
	late := sha256.Sum256([]byte("late"))
	must(t, s.SetPassword(t.Context(), u.ID, "new", event(gatehouse.UserPasswordSet, u.ID)))
	before := dump(t, s)
	wantError(t, s.CreateSession(t.Context(), late, u.ID, passwordHash, start, event(gatehouse.SignedIn, u.ID)), gatehouse.NotFound)
	if dump(t, s) != before {
		t.Error("the refused session left something behind")
	}
	must(t, s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID)))
	wantError(t, s.CreateSession(t.Context(), late, u.ID, "new", start, event(gatehouse.SignedIn, u.ID)), gatehouse.NotFound)
	wantError(t, s.SetPassword(t.Context(), "nobody", "new", event(gatehouse.UserPasswordSet, "nobody")), gatehouse.NotFound, "no such user")
	wantError(t, s.EndSession(t.Context(), late, event(gatehouse.SignedOut, u.ID)), gatehouse.NotFound, "no such session")
}
