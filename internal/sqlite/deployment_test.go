package sqlite

import (
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
