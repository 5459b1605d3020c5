package control

import (
	"reflect"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestUserChangesAreRecordedWithoutThePassword(t *testing.T) {
	s := newServer(t, nil)
	const newPassword = "another long password"
	var u gatehouse.User
	records := s.newRecords(t, func() {
		_, err := s.CreateFirstAdmin(t.Context(), "192.0.2.7", "First@Example.com", password)
		must(t, err)
		u = s.user(t, "User@Example.com", gatehouse.Editor)
		must(t, s.SetPassword(t.Context(), root, " USER@example.com", newPassword))
		must(t, s.DisableUser(t.Context(), root, "user@example.com"))
	})
	want := []gatehouse.Action{gatehouse.UserCreated, gatehouse.UserCreated, gatehouse.UserPasswordSet, gatehouse.UserDisabled}
	if len(records) != len(want) {
		t.Fatalf("the audit records are %+v", records)
	}
	for i, e := range records {
		if e.Action != want[i] || i > 0 && (e.ObjectID != u.ID || e.ObjectName != "user@example.com" || e.Actor.ID != root.ID) {
			t.Errorf("the audit record is %+v", e)
		}
	}
	if records[0].ObjectName != "first@example.com" || records[0].Actor.Kind != gatehouse.System || records[0].Details["role"] != "admin" {
		t.Errorf("the first admin is recorded as %+v", records[0])
	}
	s.wantNowhere(t, password, newPassword)
	all, err := s.Users(t.Context(), root)
	u.Disabled = true
	if err != nil || len(all) != 2 || !reflect.DeepEqual(all[1], u) {
		t.Errorf("the users are %+v, %v", all, err)
	}
}

func TestOnlyOneFirstAdmin(t *testing.T) {
	s := newServer(t, nil)
	if has, err := s.HasUsers(t.Context()); err != nil || has {
		t.Errorf("got %v, %v", has, err)
	}
	u, err := s.CreateFirstAdmin(t.Context(), "", "a@example.com", password)
	if err != nil || u.Role != gatehouse.Admin {
		t.Fatalf("got %+v, %v", u, err)
	}
	_, err = s.CreateFirstAdmin(t.Context(), "", "b@example.com", password)
	wantError(t, err, gatehouse.Conflict, "exists already", "sign in")
	if has, err := s.HasUsers(t.Context()); err != nil || !has {
		t.Errorf("got %v, %v", has, err)
	}
}

func TestBadUsersAreRefused(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "taken@example.com", gatehouse.Admin)
	before := s.dump(t)
	f := func(n NewUser, code gatehouse.Code, field string) {
		t.Helper()
		_, err := s.CreateUser(t.Context(), root, n)
		if gatehouse.ErrorCode(err) != code || gatehouse.ErrorField(err) != field {
			t.Errorf("%+v: got code %q, field %q (%v)", n, gatehouse.ErrorCode(err), gatehouse.ErrorField(err), err)
		}
	}
	f(NewUser{Email: "nobody", Role: gatehouse.Viewer, Password: password}, gatehouse.Invalid, "email")
	f(NewUser{Email: "a@example.com", Role: "root", Password: password}, gatehouse.Invalid, "role")
	f(NewUser{Email: "a@example.com", Password: password}, gatehouse.Invalid, "role")
	f(NewUser{Email: "a@example.com", Role: gatehouse.Viewer, Password: "short"}, gatehouse.Invalid, "password")
	f(NewUser{Email: "TAKEN@example.com", Role: gatehouse.Viewer, Password: password}, gatehouse.Conflict, "email")
	wantError(t, s.SetPassword(t.Context(), root, "nobody@example.com", password), gatehouse.NotFound, "list the users")
	wantError(t, s.SetPassword(t.Context(), root, "taken@example.com", "short"), gatehouse.Invalid, "at least 12")
	wantError(t, s.DisableUser(t.Context(), root, "nobody@example.com"), gatehouse.NotFound, "list the users")
	wantError(t, s.DisableUser(t.Context(), root, "taken@example.com"), gatehouse.Conflict, "last admin")
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
}
