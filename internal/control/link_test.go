package control

import (
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
)

const chosen = "a password of my own"

func TestInvitedUserChoosesAPasswordAndSignsIn(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "admin@example.com", gatehouse.Admin)
	var code string
	records := s.newRecords(t, func() {
		u, c, err := s.InviteUser(t.Context(), root, " New@Example.com", gatehouse.Editor)
		must(t, err)
		code = c
		if !u.Invited || u.Email != "new@example.com" || u.Role != gatehouse.Editor {
			t.Errorf("invited is %+v", u)
		}
		if got, err := s.LinkUser(t.Context(), code); err != nil || got != u {
			t.Errorf("the link is for %+v, %v", got, err)
		}
		if _, _, err := s.SignIn(t.Context(), at("192.0.2.7"), "new@example.com", ""); err == nil {
			t.Error("who is invited may sign in without a password")
		}
		_, err = s.AcceptLink(t.Context(), at("192.0.2.9"), code, "short")
		wantError(t, err, gatehouse.Invalid, "at least 12")
		got, err := s.AcceptLink(t.Context(), at("192.0.2.9"), code, chosen)
		if err != nil || got.Invited || got.ID != u.ID {
			t.Errorf("accepted as %+v, %v", got, err)
		}
		_, _, err = s.SignIn(t.Context(), at("192.0.2.9"), "new@example.com", chosen)
		must(t, err)
	})
	want := []gatehouse.Action{gatehouse.UserInvited, gatehouse.SignInFailed, gatehouse.UserPasswordSet, gatehouse.SignedIn}
	for i, e := range records {
		if len(records) != len(want) || e.Action != want[i] {
			t.Fatalf("the audit records are %+v", records)
		}
	}
	if e := records[0]; e.Actor.ID != root.ID || e.Details["role"] != "editor" {
		t.Errorf("the invitation is recorded as %+v", e)
	}
	if e := records[2]; e.Actor.Name != "new@example.com" || e.Actor.Addr != "192.0.2.9" || e.Details["with"] != "one-time link" {
		t.Errorf("the password is recorded as %+v", e)
	}
	_, err := s.AcceptLink(t.Context(), at("192.0.2.9"), code, chosen)
	wantError(t, err, gatehouse.NotFound, "does not work", "ask an admin")
	if len(code) < 40 {
		t.Error("codes can be guessed")
	}
	s.wantNowhere(t, code, chosen)
}

func TestLinksExpire(t *testing.T) {
	f := func(lifetime time.Duration, link func(*testing.T, *server) (string, error)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			s.user(t, "user@example.com", gatehouse.Viewer)
			code, err := link(t, s)
			must(t, err)
			time.Sleep(lifetime - time.Second)
			_, err = s.LinkUser(t.Context(), code)
			must(t, err)
			time.Sleep(time.Second)
			_, err = s.AcceptLink(t.Context(), at("192.0.2.7"), code, chosen)
			wantError(t, err, gatehouse.NotFound, "expired")
		})
	}
	invite := func(t *testing.T, s *server) (string, error) {
		_, code, err := s.InviteUser(t.Context(), root, "new@example.com", gatehouse.Viewer)
		return code, err
	}
	f(7*24*time.Hour, invite)
	f(7*24*time.Hour, func(t *testing.T, s *server) (string, error) { // the invitation, made again
		if _, err := invite(t, s); err != nil {
			return "", err
		}
		return s.PasswordLink(t.Context(), root, "new@example.com")
	})
	f(24*time.Hour, func(t *testing.T, s *server) (string, error) {
		return s.PasswordLink(t.Context(), root, "user@example.com")
	})
}

func TestForgottenPasswordIsReplacedByLink(t *testing.T) {
	s := newServer(t, nil)
	u := s.user(t, "user@example.com", gatehouse.Viewer)
	first, err := s.PasswordLink(t.Context(), root, u.ID)
	must(t, err)
	second, err := s.PasswordLink(t.Context(), root, " USER@example.com")
	must(t, err)
	session := s.signIn(t, "user@example.com") // the old password works until the link is used
	_, err = s.AcceptLink(t.Context(), at("192.0.2.7"), first, chosen)
	wantError(t, err, gatehouse.NotFound, "replaced")
	if !s.alive(t.Context(), session) {
		t.Error("a dead link ends sessions")
	}
	_, err = s.AcceptLink(t.Context(), at("192.0.2.7"), second, chosen)
	must(t, err)
	if s.alive(t.Context(), session) {
		t.Error("a session survives the new password")
	}
	_, _, err = s.SignIn(t.Context(), at("192.0.2.7"), "user@example.com", password)
	wantError(t, err, gatehouse.Unauthenticated)
}

func TestBadInvitationsAndLinksAreRefused(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "taken@example.com", gatehouse.Admin)
	off := s.user(t, "off@example.com", gatehouse.Viewer)
	must(t, s.DisableUser(t.Context(), root, off.ID))
	before := s.dump(t)
	f := func(email string, role gatehouse.Role, code gatehouse.Code, field string) {
		t.Helper()
		_, link, err := s.InviteUser(t.Context(), root, email, role)
		if gatehouse.ErrorCode(err) != code || gatehouse.ErrorField(err) != field || link != "" {
			t.Errorf("%q: got code %q, field %q (%v)", email, gatehouse.ErrorCode(err), gatehouse.ErrorField(err), err)
		}
	}
	f("nobody", gatehouse.Viewer, gatehouse.Invalid, "email")
	f("a@example.com", "root", gatehouse.Invalid, "role")
	f("TAKEN@example.com", gatehouse.Viewer, gatehouse.Conflict, "email")
	_, err := s.PasswordLink(t.Context(), root, "nobody@example.com")
	wantError(t, err, gatehouse.NotFound, "list the users")
	_, err = s.PasswordLink(t.Context(), root, off.ID)
	wantError(t, err, gatehouse.Conflict, "disabled", "enable them first")
	for _, code := range []string{"", "guess", newCode()} {
		_, err := s.LinkUser(t.Context(), code)
		wantError(t, err, gatehouse.NotFound, "does not work")
		_, err = s.AcceptLink(t.Context(), at("192.0.2.7"), code, chosen)
		wantError(t, err, gatehouse.NotFound, "does not work")
	}
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
}
