package control

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/gatehouse"
)

func TestOwnSessionsCanBeSeenAndEnded(t *testing.T) {
	s := newServer(t, nil)
	u := s.user(t, "user@example.com", gatehouse.Viewer)
	s.user(t, "other@example.com", gatehouse.Viewer)
	me, others := personAt(u, "192.0.2.7"), s.signIn(t, "other@example.com")
	here, _, err := s.SignIn(t.Context(), gatehouse.Client{Addr: "192.0.2.9", UserAgent: strings.Repeat("x", 199) + "ü"}, "user@example.com", password)
	must(t, err)
	there := s.signIn(t, "user@example.com")

	all, err := s.Sessions(t.Context(), me, here)
	must(t, err)
	if len(all) != 2 || all[0].Current == all[1].Current {
		t.Fatalf("the sessions are %+v", all)
	}
	mine, away := all[0], all[1]
	if away.Current {
		mine, away = away, mine
	}
	if mine.Addr != "192.0.2.9" || len(mine.UserAgent) != 199 || !utf8.ValidString(mine.UserAgent) || away.UserAgent != "Mozilla/5.0" {
		t.Errorf("the sessions are %+v", all)
	}
	records := s.newRecords(t, func() { must(t, s.EndSession(t.Context(), me, away.ID)) })
	if len(records) != 1 || records[0].Action != gatehouse.SessionEnded || records[0].Details["session"] != away.ID {
		t.Errorf("the records are %+v", records)
	}
	if s.alive(t.Context(), there) || !s.alive(t.Context(), here) || !s.alive(t.Context(), others) {
		t.Error("not exactly the one session ends")
	}
	wantError(t, s.EndSession(t.Context(), me, away.ID), gatehouse.NotFound, "no such session")
	if list, err := s.Sessions(t.Context(), me, here); err != nil || len(list) != 1 || list[0].ID != mine.ID {
		t.Errorf("left are %+v, %v", list, err)
	}
	stranger := personAt(gatehouse.User{ID: "x", Email: "x@example.com", Role: gatehouse.Admin}, "")
	wantError(t, s.EndSession(t.Context(), stranger, mine.ID), gatehouse.NotFound, "no such session")
	if !s.alive(t.Context(), here) {
		t.Error("an admin ended somebody else's session")
	}
}

func TestARoleHoldsFromTheNextRequestOn(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "admin@example.com", gatehouse.Admin)
	s.user(t, "user@example.com", gatehouse.Admin)
	id := s.signIn(t, "user@example.com")
	must(t, s.SetRole(t.Context(), root, "user@example.com", gatehouse.Viewer))
	actor, err := s.SessionActor(t.Context(), id, "192.0.2.7")
	must(t, err)
	_, err = s.Users(t.Context(), actor)
	wantError(t, err, gatehouse.Forbidden, `"viewer"`)
}

func TestOwnPasswordIsChangedByWhoKnowsIt(t *testing.T) {
	s := newServer(t, nil)
	u := s.user(t, "user@example.com", gatehouse.Viewer)
	me := personAt(u, "192.0.2.7")
	here, there := s.signIn(t, "user@example.com"), s.signIn(t, "user@example.com")
	records := s.newRecords(t, func() {
		wantError(t, s.ChangePassword(t.Context(), me, password, "short", here), gatehouse.Invalid, "at least 12")
		err := s.ChangePassword(t.Context(), me, "a wrong password", chosen, here)
		wantError(t, err, gatehouse.Invalid, "not your current password")
		if gatehouse.ErrorField(err) != "current" {
			t.Errorf("the error is about the field %q", gatehouse.ErrorField(err))
		}
		if !s.alive(t.Context(), there) {
			t.Error("a refused change ends a session")
		}
		must(t, s.ChangePassword(t.Context(), me, password, chosen, here))
	})
	if len(records) != 2 || records[0].Action != gatehouse.SignInFailed || records[1].Action != gatehouse.UserPasswordSet || records[1].Actor.ID != u.ID {
		t.Errorf("the records are %+v", records)
	}
	if !s.alive(t.Context(), here) || s.alive(t.Context(), there) {
		t.Error("not exactly the other session ends")
	}
	_, _, err := s.SignIn(t.Context(), at("192.0.2.7"), "user@example.com", chosen)
	must(t, err)
	s.wantNowhere(t, password, chosen)
}

func TestGuessingTheCurrentPasswordIsThrottled(t *testing.T) {
	s := newServer(t, nil)
	me := personAt(s.user(t, "user@example.com", gatehouse.Viewer), "192.0.2.7")
	for i := range accountFree + accountQueue {
		s.throttle.book("user@example.com", fmt.Sprint("198.51.100.", i))
	}
	err := s.ChangePassword(t.Context(), me, password, chosen, "")
	wantError(t, err, gatehouse.Unauthenticated, "too many failed attempts")
}

var ana = gatehouse.Identity{Issuer: "https://id.example.com", Subject: "1", Email: "Ana@Example.com", Role: gatehouse.Editor}

func TestPersonFromTheProviderSignsIn(t *testing.T) {
	s := newServer(t, nil)
	id, u, err := s.SignInExternal(t.Context(), at("192.0.2.9"), ana)
	must(t, err)
	actor, err := s.SessionActor(t.Context(), id, "192.0.2.9")
	if err != nil || actor.ID != u.ID || actor.Name != "ana@example.com" || actor.Role != gatehouse.Editor || !u.External {
		t.Errorf("signed in as %+v, %+v, %v", u, actor, err)
	}
	again, _, err := s.SignInExternal(t.Context(), at("192.0.2.9"), ana)
	if err != nil || again == id {
		t.Errorf("the session ID stays, or %v", err)
	}
	s.wantNowhere(t, id, again)
	// A password is none of Gatehouse's business then, nor is the role.
	wantError(t, s.SetPassword(t.Context(), root, u.ID, chosen), gatehouse.Conflict, "identity provider")
	wantError(t, s.ChangePassword(t.Context(), actor, "", chosen, id), gatehouse.Conflict, "identity provider")
	wantError(t, s.SetRole(t.Context(), root, u.ID, gatehouse.Admin), gatehouse.Conflict, "identity provider")
	_, err = s.PasswordLink(t.Context(), root, u.ID)
	wantError(t, err, gatehouse.Conflict, "identity provider")
	_, _, err = s.SignIn(t.Context(), at("192.0.2.9"), u.Email, "")
	wantError(t, err, gatehouse.Unauthenticated, "email or password is wrong")
	must(t, s.DisableUser(t.Context(), root, u.ID))
	if s.alive(t.Context(), id) {
		t.Error("a disabled user goes on")
	}
	records := s.newRecords(t, func() {
		_, _, err := s.SignInExternal(t.Context(), at("192.0.2.9"), ana)
		wantError(t, err, gatehouse.Forbidden, "disabled")
	})
	if len(records) != 1 || records[0].Action != gatehouse.SignInFailed || records[0].ObjectID != u.ID {
		t.Errorf("the records are %+v", records)
	}
}

func TestBadIdentitiesAreRefused(t *testing.T) {
	s := newServer(t, nil)
	before := s.dump(t)
	f := func(change func(*gatehouse.Identity), code gatehouse.Code) {
		t.Helper()
		id := ana
		change(&id)
		_, _, err := s.SignInExternal(t.Context(), at("192.0.2.9"), id)
		wantError(t, err, code)
	}
	f(func(id *gatehouse.Identity) { id.Issuer = "" }, gatehouse.Unauthenticated)
	f(func(id *gatehouse.Identity) { id.Subject = "" }, gatehouse.Unauthenticated)
	f(func(id *gatehouse.Identity) { id.Email = "" }, gatehouse.Invalid)
	f(func(id *gatehouse.Identity) { id.Role = "" }, gatehouse.Invalid)
	f(func(id *gatehouse.Identity) { id.Role = "root" }, gatehouse.Invalid)
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
}

func TestInvitedUsersAreNotTellableFromUnknownOnes(t *testing.T) {
	s := newServer(t, nil)
	_, _, err := s.InviteUser(t.Context(), root, "invited@example.com", gatehouse.Viewer)
	must(t, err)
	_, _, err = s.SignInExternal(t.Context(), at("192.0.2.9"), ana)
	must(t, err)
	var answers []string
	for _, email := range []string{"invited@example.com", "ana@example.com", "nobody@example.com"} {
		var err error
		hashes := countHashes(t, func() { _, _, err = s.SignIn(t.Context(), at("192.0.2.9"), email, "") })
		answers = append(answers, fmt.Sprint(hashes, err))
	}
	if answers[0] != answers[2] || answers[1] != answers[2] {
		t.Errorf("the answers are %q", answers)
	}
}
