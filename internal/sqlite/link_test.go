package sqlite

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

var tomorrow = start.Add(24 * time.Hour)

func invite(t *testing.T, s *Store, email string, link gatehouse.SecretHash) gatehouse.User {
	t.Helper()
	u := user(email, gatehouse.Editor)
	must(t, s.InviteUser(t.Context(), u, link, tomorrow, event(gatehouse.UserInvited, u.ID)))
	u.Invited = true
	return u
}

func TestInvitedUserChoosesAPasswordOnce(t *testing.T) {
	s := newStore(t)
	link := gatehouse.SecretHash{1}
	u := invite(t, s, "new@example.com", link)
	if got, err := s.LinkUser(t.Context(), link, start); err != nil || got != u {
		t.Errorf("got %+v, %v; want %+v", got, err, u)
	}
	if got, hash, err := s.User(t.Context(), u.ID); err != nil || got != u || hash != "" {
		t.Errorf("got %+v, %q, %v", got, hash, err)
	}
	must(t, s.UseLink(t.Context(), link, u.ID, "chosen", start, event(gatehouse.UserPasswordSet, u.ID)))
	if got, hash, err := s.User(t.Context(), u.ID); err != nil || got.Invited || hash != "chosen" {
		t.Errorf("got %+v, %q, %v", got, hash, err)
	}
	_, err := s.LinkUser(t.Context(), link, start)
	wantError(t, err, gatehouse.NotFound, "does not work", "ask an admin")
	wantError(t, s.UseLink(t.Context(), link, u.ID, "again", start, event(gatehouse.UserPasswordSet, u.ID)), gatehouse.NotFound, "does not work")
}

func TestLinkStopsWorking(t *testing.T) {
	f := func(name string, at time.Time, stop func(s *Store, u gatehouse.User) error) {
		t.Helper()
		s := newStore(t)
		addUser(t, s, "admin@example.com", gatehouse.Admin)
		link := gatehouse.SecretHash{1}
		u := invite(t, s, "new@example.com", link)
		must(t, stop(s, u))
		before := dump(t, s)
		_, err := s.LinkUser(t.Context(), link, at)
		wantError(t, err, gatehouse.NotFound, "does not work")
		wantError(t, s.UseLink(t.Context(), link, u.ID, "chosen", at, event(gatehouse.UserPasswordSet, u.ID)), gatehouse.NotFound, "does not work")
		if dump(t, s) != before {
			t.Errorf("%s: the dead link left something behind", name)
		}
	}
	nothing := func(*Store, gatehouse.User) error { return nil }
	f("when it expires", tomorrow, nothing)
	f("when another one is made", start, func(s *Store, u gatehouse.User) error {
		return s.MakeLink(t.Context(), u.ID, gatehouse.SecretHash{2}, tomorrow, event(gatehouse.UserLinkMade, u.ID))
	})
	f("when an admin sets a password", start, func(s *Store, u gatehouse.User) error {
		return s.SetPassword(t.Context(), u.ID, "hash", event(gatehouse.UserPasswordSet, u.ID))
	})
	f("when the user is disabled", start, func(s *Store, u gatehouse.User) error {
		return s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID))
	})
	f("and stays so when the user is enabled again", start, func(s *Store, u gatehouse.User) error {
		must(t, s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID)))
		return s.EnableUser(t.Context(), u.ID, event(gatehouse.UserEnabled, u.ID))
	})
	f("when the user is deleted", start, func(s *Store, u gatehouse.User) error {
		return s.DeleteUser(t.Context(), u.ID, event(gatehouse.UserDeleted, u.ID))
	})
	f("when the user signs in through the provider", start, func(s *Store, u gatehouse.User) error {
		id := ana
		id.Email = u.Email
		signInExternally(t, s, id)
		return nil
	})
	f("when a backup is restored", start, func(s *Store, _ gatehouse.User) error {
		return s.EndAllSessions(t.Context(), event(gatehouse.Restored, ""))
	})
}

func TestOfManyWhoUseALinkAtTheSameTimeOneGetsThrough(t *testing.T) {
	s := newStore(t)
	link := gatehouse.SecretHash{1}
	u := invite(t, s, "new@example.com", link)
	var through atomic.Int32
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if s.UseLink(t.Context(), link, u.ID, string(rune('a'+i)), start, event(gatehouse.UserPasswordSet, u.ID)) == nil {
				through.Add(1)
			}
		})
	}
	group.Wait()
	records := count(t, s.read, `SELECT count(*) FROM audit WHERE action = ?`, gatehouse.UserPasswordSet)
	if through.Load() != 1 || records != 1 {
		t.Errorf("%d get through, with %d records", through.Load(), records)
	}
}
