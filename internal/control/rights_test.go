package control

import (
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"gatehouse/internal/gatehouse"
)

// Every method of Control that takes an actor, with the roles that may call it.
func TestOnlyTheRightRolesMayCallAMethod(t *testing.T) {
	s := newServer(t, nil)
	prod := s.connect(t, "prod")
	token, _ := s.token(t, prod.ID, "token")
	s.user(t, "user@example.com", gatehouse.Viewer)
	s.user(t, "last@example.com", gatehouse.Admin)
	ctx := t.Context()
	number := 0
	fresh := func() string { number++; return "new " + string(rune('a'+number)) }

	const (
		everybody = iota
		viewers   // and above
		editors   // and above
		admins
	)
	methods := []struct {
		name   string
		least  int
		reads  bool
		method func(gatehouse.Actor) error
	}{
		{"Deployments", viewers, true, func(a gatehouse.Actor) error { _, err := s.Deployments(ctx, a); return err }},
		{"Deployment", viewers, true, func(a gatehouse.Actor) error { _, err := s.Deployment(ctx, a, "prod"); return err }},
		{"CreateDeployment", editors, false, func(a gatehouse.Actor) error {
			_, err := s.CreateDeployment(ctx, a, gatehouse.NewDeployment{Name: fresh(), Type: gatehouse.SingleNode})
			return err
		}},
		{"ConnectDeployment", editors, false, func(a gatehouse.Actor) error { _, err := s.ConnectDeployment(ctx, a, connected(fresh())); return err }},
		{"DeleteDeployment", editors, false, func(a gatehouse.Actor) error { return s.DeleteDeployment(ctx, a, s.connect(t, fresh()).ID) }},
		{"EnsureDefaultDeployment", editors, true, func(a gatehouse.Actor) error { return s.EnsureDefaultDeployment(ctx, a) }},
		{"Tokens", editors, true, func(a gatehouse.Actor) error {
			_, _, err := s.Tokens(ctx, a, gatehouse.TokenQuery{DeploymentID: prod.ID})
			return err
		}},
		{"Token", editors, true, func(a gatehouse.Actor) error { _, err := s.Token(ctx, a, token.ID); return err }},
		{"CreateToken", editors, false, func(a gatehouse.Actor) error {
			_, _, err := s.CreateToken(ctx, a, gatehouse.NewToken{DeploymentID: prod.ID, Name: fresh(), Access: gatehouse.Read})
			return err
		}},
		{"RevealToken", editors, false, func(a gatehouse.Actor) error { _, err := s.RevealToken(ctx, a, token.ID); return err }},
		{"RevokeToken", editors, false, func(a gatehouse.Actor) error {
			doomed, _ := s.token(t, prod.ID, fresh())
			return s.RevokeToken(ctx, a, doomed.ID)
		}},
		{"Users", admins, true, func(a gatehouse.Actor) error { _, err := s.Users(ctx, a); return err }},
		{"CreateUser", admins, false, func(a gatehouse.Actor) error {
			_, err := s.CreateUser(ctx, a, NewUser{Email: "new@example.com", Role: gatehouse.Viewer, Password: password})
			return err
		}},
		{"SetPassword", admins, false, func(a gatehouse.Actor) error { return s.SetPassword(ctx, a, "user@example.com", password) }},
		{"DisableUser", admins, false, func(a gatehouse.Actor) error { return s.DisableUser(ctx, a, "user@example.com") }},
		{"Backup", admins, false, func(a gatehouse.Actor) error { return s.Backup(ctx, a, filepath.Join(t.TempDir(), "backup.db")) }},
		{"FinishRestore", admins, false, func(a gatehouse.Actor) error { return s.FinishRestore(ctx, a) }},
		{"SignOut", everybody, true, func(a gatehouse.Actor) error { return s.SignOut(ctx, a, "the session's ID is the proof") }},
	}
	actors := []struct {
		actor gatehouse.Actor
		rank  int
	}{
		{gatehouse.Actor{}, everybody}, {person("root"), everybody}, {person(gatehouse.Viewer), viewers}, {editor, editors}, {root, admins},
	}
	for _, m := range methods {
		for _, a := range actors {
			before := s.dump(t)
			if m.name == "DeleteDeployment" || m.name == "RevokeToken" {
				before = "" // the call makes its own victim first
			}
			err := m.method(a.actor)
			if a.rank >= m.least {
				if err != nil {
					t.Errorf("%s by a %q: %v", m.name, a.actor.Role, err)
				}
				if changed := s.dump(t) != before; before != "" && changed == m.reads {
					t.Errorf("%s by a %q has changed the store: %v", m.name, a.actor.Role, changed)
				}
				continue
			}
			code := gatehouse.Forbidden
			if a.actor.Role == "" {
				code = gatehouse.Unauthenticated
			}
			if got := gatehouse.ErrorCode(err); got != code {
				t.Errorf("%s by a %q: got code %q (%v), want %q", m.name, a.actor.Role, got, err, code)
			}
			if before != "" && s.dump(t) != before {
				t.Errorf("%s by a %q is refused, and yet it has changed something", m.name, a.actor.Role)
			}
		}
	}
	t.Run("no method is forgotten", func(t *testing.T) {
		var listed []string
		for _, m := range methods {
			listed = append(listed, m.name)
		}
		type_ := reflect.TypeFor[*Control]()
		for i := range type_.NumMethod() {
			method := type_.Method(i)
			takesActor := method.Type.NumIn() > 2 && method.Type.In(2) == reflect.TypeFor[gatehouse.Actor]()
			if takesActor != slices.Contains(listed, method.Name) {
				t.Errorf("the method %s takes an actor: %v; it is listed above: %v", method.Name, takesActor, !takesActor)
			}
		}
	})
}

func TestRefusedDeletionsDeleteNothing(t *testing.T) {
	s := newServer(t, nil)
	prod := s.connect(t, "prod")
	token, _ := s.token(t, prod.ID, "token")
	before := s.dump(t)
	for _, actor := range []gatehouse.Actor{{}, person("root"), person(gatehouse.Viewer)} {
		if s.DeleteDeployment(t.Context(), actor, prod.ID) == nil || s.RevokeToken(t.Context(), actor, token.ID) == nil {
			t.Errorf("a %q may delete", actor.Role)
		}
	}
	if s.dump(t) != before {
		t.Error("something was deleted")
	}
}

func TestTheRefusalDoesNotTellWhatThereIs(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	viewer := person(gatehouse.Viewer)
	_, there := s.Token(t.Context(), viewer, d.ID)
	_, gone := s.Token(t.Context(), viewer, "gone")
	if there.Error() != gone.Error() {
		t.Errorf("%q and %q differ", there, gone)
	}
	wantError(t, there, gatehouse.Forbidden, `"viewer"`, "list access tokens", "ask an admin")
	_, err := s.Deployments(t.Context(), gatehouse.Actor{})
	wantError(t, err, gatehouse.Unauthenticated, "sign in")
}
