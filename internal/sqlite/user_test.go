package sqlite

import (
	"errors"
	"reflect"
	"sync"
	"testing"

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
	got, hash, err := s.User(t.Context(), "b@example.com")
	if err != nil || got != b || hash != "hash of b@example.com" {
		t.Errorf("got %+v, %q, %v", got, hash, err)
	}
	if got, hash, err = s.User(t.Context(), b.ID); err != nil || got != b || hash == "" {
		t.Errorf("got %+v, %q, %v", got, hash, err)
	}
	_, hash, err = s.User(t.Context(), "nobody@example.com")
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
	wantError(t, disable(second), gatehouse.Conflict, "last admin", "make another")
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

func TestTheLastAdminWhoCanSignInStays(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	last := addUser(t, s, "last@example.com", gatehouse.Admin)
	addUser(t, s, "editor@example.com", gatehouse.Editor)
	disabled := addUser(t, s, "disabled@example.com", gatehouse.Admin)
	must(t, s.DisableUser(ctx, disabled.ID, event(gatehouse.UserDisabled, disabled.ID)))
	invited := user("invited@example.com", gatehouse.Admin)
	must(t, s.InviteUser(ctx, invited, gatehouse.SecretHash{1}, start, event(gatehouse.UserInvited, invited.ID)))

	before := dump(t, s)
	f := func(name string, take func(u gatehouse.User) error) {
		t.Helper()
		wantError(t, take(last), gatehouse.Conflict, "last admin", "make another")
		if dump(t, s) != before {
			t.Errorf("%s: the refused change left something behind", name)
		}
	}
	demote := func(u gatehouse.User) error {
		return s.SetRole(ctx, u.ID, gatehouse.Editor, event(gatehouse.UserRoleChanged, u.ID))
	}
	remove := func(u gatehouse.User) error { return s.DeleteUser(ctx, u.ID, event(gatehouse.UserDeleted, u.ID)) }
	f("demote", demote)
	f("delete", remove)
	f("disable", func(u gatehouse.User) error {
		return s.DisableUser(ctx, u.ID, event(gatehouse.UserDisabled, u.ID))
	})
	must(t, demote(invited)) // those who cannot sign in are not counted, and may go
	must(t, remove(disabled))
	addUser(t, s, "another@example.com", gatehouse.Admin)
	must(t, demote(last))
}

func TestOfManyAdminsWhoRemoveEachOtherAtTheSameTimeOneStays(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	var group sync.WaitGroup
	for i := range 12 {
		u := addUser(t, s, string(rune('a'+i))+"@example.com", gatehouse.Admin)
		group.Go(func() {
			switch i % 3 {
			case 0:
				_ = s.DeleteUser(ctx, u.ID, event(gatehouse.UserDeleted, u.ID))
			case 1:
				_ = s.SetRole(ctx, u.ID, gatehouse.Viewer, event(gatehouse.UserRoleChanged, u.ID))
			case 2:
				_ = s.DisableUser(ctx, u.ID, event(gatehouse.UserDisabled, u.ID))
			}
		})
	}
	group.Wait()
	if n := count(t, s.read, `SELECT count(*) FROM users WHERE role = 'admin' AND disabled = 0`); n != 1 {
		t.Errorf("%d admins are left, want 1", n)
	}
}

func TestChangesOfUsersAreRecordedWithBeforeAndAfter(t *testing.T) {
	s := newStore(t)
	ctx := t.Context()
	u := addUser(t, s, "user@example.com", gatehouse.Viewer)
	f := func(change func() error, before, after map[string]string) {
		t.Helper()
		must(t, change())
		events, total, err := s.Audit(ctx, gatehouse.AuditQuery{Limit: 1}, nil)
		must(t, err)
		if !reflect.DeepEqual(events[0].Before, before) || !reflect.DeepEqual(events[0].After, after) {
			t.Errorf("the record is %+v, want %v and %v", events[0], before, after)
		}
		must(t, change()) // is so already
		if _, again, err := s.Audit(ctx, gatehouse.AuditQuery{}, nil); err != nil || again != total {
			t.Errorf("what changes nothing is recorded (%v)", err)
		}
	}
	f(func() error { return s.SetRole(ctx, u.ID, gatehouse.Editor, event(gatehouse.UserRoleChanged, u.ID)) },
		map[string]string{"role": "viewer"}, map[string]string{"role": "editor"})
	f(func() error { return s.DisableUser(ctx, u.ID, event(gatehouse.UserDisabled, u.ID)) },
		map[string]string{"state": "enabled"}, map[string]string{"state": "disabled"})
	f(func() error { return s.EnableUser(ctx, u.ID, event(gatehouse.UserEnabled, u.ID)) },
		map[string]string{"state": "disabled"}, map[string]string{"state": "enabled"})

	before := dump(t, s)
	wantError(t, s.SetRole(ctx, "nobody", gatehouse.Editor, event(gatehouse.UserRoleChanged, "nobody")), gatehouse.NotFound, "no such user")
	wantError(t, s.DeleteUser(ctx, "nobody", event(gatehouse.UserDeleted, "nobody")), gatehouse.NotFound, "no such user")
	if dump(t, s) != before {
		t.Error("a refused change left something behind")
	}
}

func TestAnAccountOfTheProviderTakesNoPassword(t *testing.T) {
	s := newStore(t)
	u := signInExternally(t, s, ana)
	before := dump(t, s)
	wantError(t, s.SetPassword(t.Context(), u.ID, "hash", event(gatehouse.UserPasswordSet, u.ID)), gatehouse.NotFound)
	wantError(t, s.MakeLink(t.Context(), u.ID, gatehouse.SecretHash{1}, start, event(gatehouse.UserLinkMade, u.ID)), gatehouse.NotFound)
	if dump(t, s) != before {
		t.Error("a refused change left something behind")
	}
}
