package sqlite

import (
	"crypto/rand"
	"reflect"
	"testing"

	"gatehouse/internal/gatehouse"
)

var ana = gatehouse.Identity{Issuer: "https://id.example.com", Subject: "1", Email: "ana@example.com", Role: gatehouse.Editor}

func external(t *testing.T, s *Store, id gatehouse.Identity) (gatehouse.User, error) {
	t.Helper()
	fresh := user(id.Email, id.Role)
	fresh.External = true
	return s.CreateExternalSession(t.Context(), gatehouse.SecretHash([]byte(rand.Text() + rand.Text())[:32]), id, fresh, sessionAt(start))
}

func signInExternally(t *testing.T, s *Store, id gatehouse.Identity) gatehouse.User {
	t.Helper()
	u, err := external(t, s, id)
	must(t, err)
	return u
}

func actions(t *testing.T, s *Store) (all []gatehouse.Action) {
	t.Helper()
	events, _, err := s.Audit(t.Context(), gatehouse.AuditQuery{}, nil)
	must(t, err)
	for _, e := range events {
		all = append([]gatehouse.Action{e.Action}, all...)
	}
	return all
}

func TestFirstSignInThroughTheProviderMakesTheUser(t *testing.T) {
	s := newStore(t)
	first := signInExternally(t, s, ana)
	again := signInExternally(t, s, ana)
	stored, hash, err := s.User(t.Context(), ana.Email)
	must(t, err)
	if stored.ID != first.ID || again.ID != first.ID || !stored.External || stored.Invited || stored.Role != gatehouse.Editor || hash != "" || !stored.LastSignIn.Equal(start) {
		t.Errorf("stored is %+v with hash %q, given were %+v and %+v", stored, hash, first, again)
	}
	want := []gatehouse.Action{gatehouse.UserCreated, gatehouse.SignedIn, gatehouse.SignedIn}
	if got := actions(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("the records are %v, want %v", got, want)
	}
	if n := count(t, s.read, `SELECT count(*) FROM sessions WHERE user_id = ?`, first.ID); n != 2 {
		t.Errorf("%d sessions are stored", n)
	}
}

func TestInvitedUserMaySignInThroughTheProviderInstead(t *testing.T) {
	s := newStore(t)
	invited := invite(t, s, ana.Email, gatehouse.SecretHash{1})
	u := signInExternally(t, s, ana)
	if u.ID != invited.ID || u.Invited || !u.External {
		t.Errorf("got %+v, want the invited %+v", u, invited)
	}
	events, _, err := s.Audit(t.Context(), gatehouse.AuditQuery{Limit: 1}, nil)
	must(t, err)
	if e := events[0]; e.Action != gatehouse.SignedIn || e.Before["state"] != "invited" || e.After["state"] != "enabled" || e.Details["through"] != ana.Issuer {
		t.Errorf("it is recorded as %+v", e)
	}
}

func TestTheProviderDecidesRoleAndEmail(t *testing.T) {
	s := newStore(t)
	u := signInExternally(t, s, ana)
	changed := ana
	changed.Email, changed.Role = "ana.b@example.com", gatehouse.Viewer
	if got := signInExternally(t, s, changed); got.ID != u.ID || got.Email != changed.Email || got.Role != gatehouse.Viewer {
		t.Errorf("got %+v", got)
	}
	events, _, err := s.Audit(t.Context(), gatehouse.AuditQuery{Limit: 2}, nil)
	must(t, err)
	if e := events[0]; e.Action != gatehouse.SignedIn || e.Before["email"] != ana.Email || e.After["email"] != changed.Email {
		t.Errorf("the new address is recorded as %+v", e)
	}
	if e := events[1]; e.Action != gatehouse.UserRoleChanged || e.Before["role"] != "editor" || e.After["role"] != "viewer" {
		t.Errorf("the new role is recorded as %+v", e)
	}
}

func TestTheProviderGivesNobodySomebodyElsesAccount(t *testing.T) {
	s := newStore(t)
	addUser(t, s, "password@example.com", gatehouse.Admin)
	signInExternally(t, s, ana)
	f := func(name string, change func(*gatehouse.Identity), code gatehouse.Code, words ...string) {
		t.Helper()
		id := ana
		change(&id)
		before := dump(t, s)
		_, err := external(t, s, id)
		wantError(t, err, code, words...)
		if dump(t, s) != before {
			t.Errorf("%s: the refused sign-in left something behind", name)
		}
	}
	f("the email of a user with a password", func(id *gatehouse.Identity) { id.Subject, id.Email = "2", "password@example.com" }, gatehouse.Conflict, "exists already", "signs in otherwise")
	f("the email of another person there", func(id *gatehouse.Identity) { id.Subject = "2" }, gatehouse.Conflict, "exists already")
	f("the same number at another provider", func(id *gatehouse.Identity) { id.Issuer = "https://evil.example.com" }, gatehouse.Conflict, "exists already")
	f("a change to the email of another user", func(id *gatehouse.Identity) { id.Email = "password@example.com" }, gatehouse.Conflict, "exists already")
	u, _, err := s.User(t.Context(), ana.Email)
	must(t, err)
	must(t, s.DisableUser(t.Context(), u.ID, event(gatehouse.UserDisabled, u.ID)))
	f("a disabled user", func(*gatehouse.Identity) {}, gatehouse.Forbidden, "disabled", "ask an admin")
}

func TestADeletedPersonDoesNotComeBackByThemselves(t *testing.T) {
	s := newStore(t)
	addUser(t, s, "admin@example.com", gatehouse.Admin)
	u := signInExternally(t, s, ana)
	must(t, s.DeleteUser(t.Context(), u.ID, event(gatehouse.UserDeleted, u.ID)))
	_, err := external(t, s, ana)
	wantError(t, err, gatehouse.Forbidden, "was removed", "invite you again")
	if _, _, err := s.User(t.Context(), ana.Email); gatehouse.ErrorCode(err) != gatehouse.NotFound {
		t.Errorf("the user is there again: %v", err)
	}
	invited := invite(t, s, ana.Email, gatehouse.SecretHash{1})
	if u := signInExternally(t, s, ana); u.ID != invited.ID {
		t.Errorf("got %+v, want the invited %+v", u, invited)
	}
	signInExternally(t, s, ana)
}
