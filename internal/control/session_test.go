package control

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
)

// countHashes gives how many password hashes do works out.
func countHashes(t *testing.T, do func()) int {
	t.Helper()
	real := hashing
	defer func() { hashing = real }()
	hashing = make(chan struct{}) // each hash now meets this counter twice
	done, count := make(chan struct{}), 0
	go func() { defer close(done); do() }()
	for {
		select {
		case <-hashing:
			count++
			hashing <- struct{}{}
		case <-done:
			return count
		}
	}
}

func TestSignInGivesASession(t *testing.T) {
	s := newServer(t, nil)
	u := s.user(t, "user@example.com", gatehouse.Viewer)
	var id string
	records := s.newRecords(t, func() {
		var got gatehouse.User
		var err error
		id, got, err = s.SignIn(t.Context(), at("192.0.2.9"), " User@Example.com", password)
		if err != nil || got != u {
			t.Fatalf("got %+v, %v", got, err)
		}
	})
	want := gatehouse.Actor{Kind: gatehouse.Person, ID: u.ID, Name: u.Email, Role: u.Role, Addr: "192.0.2.10"}
	if actor, err := s.SessionActor(t.Context(), id, "192.0.2.10"); err != nil || !reflect.DeepEqual(actor, want) {
		t.Errorf("got %+v, %v; want %+v", actor, err, want)
	}
	records = append(records, s.newRecords(t, func() {
		must(t, s.SignOut(t.Context(), want, id))
		must(t, s.SignOut(t.Context(), want, id)) // it has ended already, which is what was asked for
	})...)
	if len(records) != 2 || records[0].Action != gatehouse.SignedIn || records[0].Actor.Addr != "192.0.2.9" || records[1].Action != gatehouse.SignedOut || records[1].ObjectID != u.ID {
		t.Errorf("the audit records are %+v", records)
	}
	_, err := s.SessionActor(t.Context(), id, "")
	wantError(t, err, gatehouse.Unauthenticated, "sign in again")
	s.wantNowhere(t, id, password)
	if other := s.signIn(t, "user@example.com"); other == id || len(id) < 40 {
		t.Error("session IDs can be guessed")
	}
}

func TestAllFailedSignInsLookTheSame(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "admin@example.com", gatehouse.Admin)
	s.user(t, "user@example.com", gatehouse.Viewer)
	s.user(t, "disabled@example.com", gatehouse.Viewer)
	must(t, s.DisableUser(t.Context(), root, "disabled@example.com"))
	f := func(email, password, recorded string) {
		t.Helper()
		var err error
		var id string
		var u gatehouse.User
		var hashes int
		records := s.newRecords(t, func() {
			hashes = countHashes(t, func() { id, u, err = s.SignIn(t.Context(), at("192.0.2.9"), email, password) })
		})
		wantError(t, err, gatehouse.Unauthenticated)
		if want := "email or password is wrong; try again or ask an admin to set a new password"; err.Error() != want {
			t.Errorf("%q: the answer is %q", email, err)
		}
		if hashes != 1 {
			t.Errorf("%q: %d hashes are worked out, want 1", email, hashes)
		}
		if id != "" || u != (gatehouse.User{}) {
			t.Errorf("%q: the answer holds %+v", email, u)
		}
		if len(records) != 1 || records[0].Action != gatehouse.SignInFailed || records[0].Actor.Name != recorded || records[0].ObjectName != recorded ||
			records[0].Actor.Addr != "192.0.2.9" {
			t.Errorf("%q: the audit records are %+v", email, records)
		}
	}
	f("user@example.com", "a wrong password", "user@example.com")
	f("User@Example.com", "", "user@example.com")
	f("nobody@example.com", password, "nobody@example.com")
	f("disabled@example.com", password, "disabled@example.com")
	f("", password, "")
	f("my secret pass phrase", "user@example.com", "") // typed into the wrong field
	s.wantNowhere(t, "my secret pass phrase", "a wrong password", password)

	// The hash that stands in for an unknown user costs as much as a real one.
	fresh, err := hashPassword(password)
	must(t, err)
	costs := func(hash string) string { return strings.Join(strings.Split(hash, "$")[:4], "$") }
	if costs(nobody) != costs(fresh) || len(nobody) != len(fresh) {
		t.Errorf("%q and %q differ in cost", costs(nobody), costs(fresh))
	}
}

func TestPasswordHashes(t *testing.T) {
	hash, err := hashPassword("pässword with spaces ")
	must(t, err)
	again, err := hashPassword("pässword with spaces ")
	must(t, err)
	if hash == again {
		t.Error("equal passwords have equal hashes")
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %q", hash)
	}
	if !samePassword("pässword with spaces ", hash) || samePassword("pässword with spaces", hash) || samePassword("", hash) {
		t.Error("the hash takes another password, or not its own")
	}
	for _, broken := range []string{"", "$", "plain", hash[:len(hash)-5], strings.Replace(hash, "argon2id", "argon2i", 1), strings.Replace(hash, "v=19", "v=16", 1),
		strings.Replace(hash, "t=2", "t=0", 1), strings.Replace(hash, "p=1", "p=0", 1), strings.Replace(hash, "m=19456", "m=x", 1), hash + "$"} {
		if samePassword("pässword with spaces ", broken) {
			t.Errorf("the broken hash %q takes the password", broken)
		}
	}
}

func TestSessionsEndByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		s.user(t, "user@example.com", gatehouse.Viewer)
		idle, busy := s.signIn(t, "user@example.com"), s.signIn(t, "user@example.com")
		const step = 23 * time.Hour
		var age time.Duration
		for ; age+step < SessionMaxAge; age += step {
			time.Sleep(step)
			if !s.alive(t.Context(), busy) {
				t.Fatalf("a session in use ends after %v", age+step)
			}
		}
		if s.alive(t.Context(), idle) {
			t.Error("an idle session goes on")
		}
		time.Sleep(SessionMaxAge - age)
		if s.alive(t.Context(), busy) {
			t.Error("an old session goes on")
		}
	})
}

func TestIdleSessionEndsAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		s.user(t, "user@example.com", gatehouse.Viewer)
		id := s.signIn(t, "user@example.com")
		time.Sleep(SessionIdleTime - time.Second)
		if !s.alive(t.Context(), id) {
			t.Fatal("it ends too early")
		}
		time.Sleep(SessionIdleTime)
		if s.alive(t.Context(), id) {
			t.Error("it goes on")
		}
	})
}

// fullDisk is a store that can still be read.
type fullDisk struct{ Store }

func (fullDisk) TouchSession(context.Context, gatehouse.SecretHash, time.Time, time.Time, time.Time) error {
	return gatehouse.Errorf(gatehouse.Unavailable, "the disk is full")
}

func TestSessionGoesOnWhileTheDiskIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, func(c *Config) { c.Store = fullDisk{c.Store} })
		s.user(t, "user@example.com", gatehouse.Viewer)
		id := s.signIn(t, "user@example.com")
		time.Sleep(SessionIdleTime - time.Second)
		if !s.alive(t.Context(), id) {
			t.Error("nobody can look at anything")
		}
	})
}

func TestSessionsEndWithTheRightToThem(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "admin@example.com", gatehouse.Admin)
	s.user(t, "user@example.com", gatehouse.Viewer)
	bystander := s.signIn(t, "admin@example.com")
	f := func(name string, end func() error) {
		t.Helper()
		one, two := s.signIn(t, "user@example.com"), s.signIn(t, "user@example.com")
		must(t, end())
		if s.alive(t.Context(), one) || s.alive(t.Context(), two) {
			t.Errorf("%s: a session goes on", name)
		}
	}
	f("new password", func() error { return s.SetPassword(t.Context(), root, "user@example.com", password) })
	f("disabled", func() error { return s.DisableUser(t.Context(), root, "user@example.com") })
	if !s.alive(t.Context(), bystander) {
		t.Error("somebody else's session ends")
	}
	must(t, s.FinishRestore(t.Context(), root))
	if s.alive(t.Context(), bystander) {
		t.Error("a session survives a restore")
	}
}
