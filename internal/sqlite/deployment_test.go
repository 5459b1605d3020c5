package sqlite

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

func TestDeploymentsComeBackAsTheyWere(t *testing.T) {
	s := newStore(t)
	want := map[string]gatehouse.Deployment{
		"a single": deployment("a single"),
		"b cluster": {ID: uuid.NewString(), Name: "b cluster", Type: gatehouse.Cluster, InsertURLs: []string{"http://in:1", "http://in:2"},
			SelectURLs: []string{`http://sel/"quoted",\`}, MaxConcurrentRequests: 1, CreatedAt: start, CreatedBy: "command line"},
		"c managed": {ID: uuid.NewString(), Name: "c managed", Type: gatehouse.SingleNode, Managed: true, Tier: "small",
			Retention: gatehouse.Retention{Value: 6, Unit: "m"}, MaxConcurrentRequests: 200, CreatedAt: start, CreatedBy: "Gatehouse"},
	}
	for _, d := range want {
		must(t, s.CreateDeployment(t.Context(), d, token(d.ID, "default")))
		for _, key := range []string{d.ID, d.Name} {
			if got, err := s.FindDeployment(t.Context(), key); err != nil || !reflect.DeepEqual(got, d) {
				t.Errorf("looked up by %q: got %+v, %v; want %+v", key, got, err, d)
			}
		}
	}
	all, err := s.Deployments(t.Context())
	must(t, err)
	if len(all) != 3 || all[0].Name != "a single" || all[1].Name != "b cluster" || all[2].Name != "c managed" {
		t.Fatalf("the list is not ordered by name: %+v", all)
	}
	for _, d := range all {
		if !reflect.DeepEqual(d, want[d.Name]) {
			t.Errorf("listed as %+v, want %+v", d, want[d.Name])
		}
	}
	_, err = s.FindDeployment(t.Context(), "nothing")
	wantError(t, err, gatehouse.NotFound, "no deployment", "list the deployments")
}

func TestDeploymentNamesAreUnique(t *testing.T) {
	s := newStore(t)
	addDeployment(t, s, "prod")
	before := dump(t, s)
	d := deployment("prod")
	err := s.CreateDeployment(t.Context(), d, token(d.ID, "default"), event(gatehouse.DeploymentConnected, d.ID))
	wantError(t, err, gatehouse.Conflict, "name", "choose another")
	if gatehouse.ErrorField(err) != "name" {
		t.Errorf("the error stands beside the field %q", gatehouse.ErrorField(err))
	}
	if dump(t, s) != before {
		t.Error("the refused deployment left something behind")
	}
}

func TestIDGoesBeforeName(t *testing.T) {
	s := newStore(t)
	first, _ := addDeployment(t, s, "first")
	addDeployment(t, s, first.ID) // a name that is somebody's ID
	if got, err := s.FindDeployment(t.Context(), first.ID); err != nil || got.Name != "first" {
		t.Errorf("the ID finds %q, %v", got.Name, err)
	}
}

func TestDeletingADeploymentTakesAllThatBelongsToIt(t *testing.T) {
	s := newStore(t)
	gone, goneToken := addDeployment(t, s, "gone")
	kept, keptToken := addDeployment(t, s, "kept")
	must(t, s.SetState(t.Context(), gone.ID, gatehouse.State{Status: gatehouse.Running, At: start}))
	must(t, s.SaveUses(t.Context(), []gatehouse.TokenUse{{TokenID: goneToken.ID, Use: gatehouse.Use{At: start}}, {TokenID: keptToken.ID, Use: gatehouse.Use{At: start}}}))
	must(t, s.DeleteDeployment(t.Context(), gone.ID, event(gatehouse.DeploymentDeleted, gone.ID)))

	for _, table := range []string{"deployments", "tokens", "token_uses"} {
		if n := count(t, s.read, `SELECT count(*) FROM `+table); n != 1 {
			t.Errorf("%s holds %d rows, want the one of the other deployment", table, n)
		}
	}
	if n := count(t, s.read, `SELECT count(*) FROM deployment_states`); n != 0 {
		t.Errorf("%d states are left", n)
	}
	if _, err := s.FindDeployment(t.Context(), kept.ID); err != nil {
		t.Error(err)
	}
	_, err := s.Token(t.Context(), goneToken.ID)
	wantError(t, err, gatehouse.NotFound)

	before := dump(t, s)
	wantError(t, s.DeleteDeployment(t.Context(), gone.ID, event(gatehouse.DeploymentDeleted, gone.ID)), gatehouse.NotFound, "no such deployment")
	if dump(t, s) != before {
		t.Error("deleting what is gone changed something")
	}
}

func TestEverHadDeploymentOutlivesTheDeployment(t *testing.T) {
	s := newStore(t)
	check := func(want bool) {
		t.Helper()
		if had, err := s.EverHadDeployment(t.Context()); err != nil || had != want {
			t.Errorf("got %v, %v; want %v", had, err, want)
		}
	}
	check(false)
	d, _ := addDeployment(t, s, "first")
	check(true)
	must(t, s.DeleteDeployment(t.Context(), d.ID, event(gatehouse.DeploymentDeleted, d.ID)))
	check(true)
}

func TestStateIsKeptApartFromTheDeployment(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	seq, err := s.Changes(t.Context(), 0, func(gatehouse.Change) {})
	must(t, err)
	records := count(t, s.read, `SELECT count(*) FROM audit`)
	for _, want := range []gatehouse.State{
		{Status: gatehouse.Failed, Detail: "the engine does not start", At: start},
		{Status: gatehouse.Running, Version: "v1.151.0", At: start.Add(time.Second)},
	} {
		must(t, s.SetState(t.Context(), d.ID, want))
		if got, err := s.FindDeployment(t.Context(), d.ID); err != nil || got.State != want {
			t.Errorf("got %+v, %v; want %+v", got.State, err, want)
		}
	}
	must(t, s.SetState(t.Context(), "gone", gatehouse.State{Status: gatehouse.Stopped, At: start}))
	if n := count(t, s.read, `SELECT count(*) FROM deployment_states`); n != 1 {
		t.Errorf("%d states are stored, want 1", n)
	}
	if after, err := s.Changes(t.Context(), seq, func(c gatehouse.Change) { t.Errorf("a state counts as a change: %+v", c) }); err != nil || after != seq {
		t.Errorf("the last change is %d, %v; want %d", after, err, seq)
	}
	if n := count(t, s.read, `SELECT count(*) FROM audit`); n != records {
		t.Error("a state counts as an audited change")
	}
}

func TestUpdatedDeploymentComesBackAsItWasMade(t *testing.T) {
	s := newStore(t)
	d := deployment("prod")
	d.Managed, d.URLs, d.Provider, d.Region, d.StorageGB = true, nil, "aws", "local", 10
	must(t, s.CreateDeployment(t.Context(), d, token(d.ID, "default")))
	addDeployment(t, s, "taken")
	want := d
	want.Name, want.Tier, want.Retention, want.MaxConcurrentRequests = "renamed", "small", gatehouse.Retention{Value: 6, Unit: "m"}, 200
	want.StorageGB, want.Deduplication, want.MaintenanceWindow = 16<<10, gatehouse.Deduplication{Value: 4_000_000_000, Unit: "ms"}, "Sat-Sun 3-4am"
	want.Flags = gatehouse.Flags{Single: []string{"-a=b c", `-d="`}}
	seq, err := s.Changes(t.Context(), 0, func(gatehouse.Change) {})
	must(t, err)
	update := func(id string, change func(*gatehouse.Deployment) error) error {
		return s.UpdateDeployment(t.Context(), id, func(stored *gatehouse.Deployment) (gatehouse.AuditEvent, error) {
			return event(gatehouse.DeploymentChanged, id), change(stored)
		})
	}
	must(t, update(d.ID, func(stored *gatehouse.Deployment) error {
		if !reflect.DeepEqual(*stored, d) {
			t.Errorf("seen as %+v, want %+v", *stored, d)
		}
		*stored = want
		return nil
	}))
	if got, err := s.FindDeployment(t.Context(), d.ID); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back as %+v, %v; want %+v", got, err, want)
	}
	changes := 0
	seq, err = s.Changes(t.Context(), seq, func(c gatehouse.Change) {
		changes++
		if c.Deployment == nil || c.Deployment.MaxConcurrentRequests != 200 {
			t.Errorf("the access table learns of %+v", c)
		}
	})
	if err != nil || changes != 1 {
		t.Errorf("the access table learns of %d changes, %v", changes, err)
	}

	must(t, update(d.ID, func(*gatehouse.Deployment) error { return nil }))
	if after, err := s.Changes(t.Context(), seq, func(gatehouse.Change) {}); err != nil || after != seq {
		t.Errorf("an update to the same is news for the access table: %v", err)
	}
	if n := count(t, s.read, `SELECT count(*) FROM audit WHERE action = ?`, gatehouse.DeploymentChanged); n != 2 {
		t.Errorf("there are %d records of 2 updates", n)
	}

	before := dump(t, s)
	no := errors.New("no")
	if err := update(d.ID, func(d *gatehouse.Deployment) error { d.Name = "x"; return no }); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	wantError(t, update(d.ID, func(d *gatehouse.Deployment) error { d.Name = "taken"; return nil }), gatehouse.Conflict, "name")
	wantError(t, update("gone", func(*gatehouse.Deployment) error { return nil }), gatehouse.NotFound, "no deployment")
	if dump(t, s) != before {
		t.Error("a refused update left something behind")
	}
}

func TestADamagedDeploymentIsNotUpdated(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	run(t, s, `UPDATE deployments SET flags = 'x' WHERE id = ?`, d.ID)
	err := s.UpdateDeployment(t.Context(), d.ID, func(*gatehouse.Deployment) (gatehouse.AuditEvent, error) {
		t.Error("change is called with what could not be read")
		return gatehouse.AuditEvent{}, nil
	})
	wantError(t, err, gatehouse.Conflict, "damaged", "make it again")
	if got, err := s.FindDeployment(t.Context(), d.ID); err != nil || got.State.Status != gatehouse.Failed {
		t.Errorf("read as %+v, %v", got.State, err)
	}
}
