package control

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestARefusalIsRecordedOnceAMinuteWithWhatItWasAbout(t *testing.T) {
	s := newServer(t, nil)
	prod, other := s.connect(t, "prod"), s.connect(t, "other")
	token, _ := s.token(t, prod.ID, "grafana")
	viewer := personAt(s.user(t, "viewer@example.com", gatehouse.Viewer), "192.0.2.7")
	key := s.holder(t, gatehouse.NewAPIKey{Name: "other only", Deployments: []string{other.ID}})
	records := s.newRecords(t, func() {
		for range 20 {
			wantError(t, s.RevokeToken(t.Context(), viewer, token.ID), gatehouse.Forbidden)
			wantError(t, s.RevokeToken(t.Context(), viewer, "gone"), gatehouse.Forbidden)
			wantError(t, s.DeleteDeployment(t.Context(), viewer, "prod"), gatehouse.Forbidden)
			wantError(t, s.DeleteDeployment(t.Context(), key, prod.ID), gatehouse.Forbidden)
		}
	})
	want := []struct{ actor, right, id, name, deployment string }{
		{viewer.Name, string(gatehouse.ChangeTokens), token.ID, "grafana", prod.ID},
		{viewer.Name, string(gatehouse.ChangeTokens), "", "", ""},
		{viewer.Name, string(gatehouse.ChangeDeployments), prod.ID, "prod", prod.ID},
		{key.Name, string(gatehouse.ChangeDeployments), prod.ID, "prod", prod.ID},
	}
	if len(records) != len(want) {
		t.Fatalf("the records are %+v", records)
	}
	for i, w := range want {
		e := records[i]
		if e.Action != gatehouse.Denied || e.Actor.Name != w.actor || e.Details["right"] != w.right || e.ObjectID != w.id || e.ObjectName != w.name || e.DeploymentID != w.deployment {
			t.Errorf("record %d is %+v, want %+v", i, e, w)
		}
	}
	sums := s.newRecords(t, s.recordDenials)
	for _, e := range sums {
		if e.Action != gatehouse.Denied || e.Details["more"] != "19" || e.Details["right"] == "" {
			t.Errorf("the summary has %+v", e)
		}
	}
	if len(sums) != len(want) {
		t.Errorf("the summary has %d records, want %d", len(sums), len(want))
	}
	again := s.newRecords(t, func() { wantError(t, s.RevokeToken(t.Context(), viewer, token.ID), gatehouse.Forbidden) })
	if len(again) != 1 || again[0].ObjectName != "grafana" {
		t.Errorf("in the next minute, the records are %+v", again)
	}
}

func TestWhatIsOnlyCountedIsRecordedBeforeTheServerStops(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	records := s.newRecords(t, func() {
		for range 4 {
			wantError(t, s.DeleteDeployment(t.Context(), person(gatehouse.Viewer), d.ID), gatehouse.Forbidden)
		}
		s.Close(t.Context())
		s.Close(t.Context())
	})
	if len(records) != 2 || records[1].Details["more"] != "3" || records[1].ObjectName != "prod" {
		t.Errorf("the records are %+v", records)
	}
	if s.denials.timer != nil {
		t.Error("the minute goes on")
	}
}

func TestWhoTriesManyThingsIsCountedOnly(t *testing.T) {
	s := newServer(t, nil)
	viewer := personAt(s.user(t, "viewer@example.com", gatehouse.Viewer), "192.0.2.7")
	const beyond = 12
	records := s.newRecords(t, func() {
		for i := range mostDenials + beyond {
			d := s.connect(t, fmt.Sprint("d", i))
			wantError(t, s.DeleteDeployment(t.Context(), viewer, d.ID), gatehouse.Forbidden)
		}
		_, err := s.Users(t.Context(), s.holder(t, gatehouse.NewAPIKey{Name: "another", Deployments: []string{s.connect(t, "x").ID}}))
		wantError(t, err, gatehouse.Forbidden)
	})
	denied := map[string]int{}
	for _, e := range records {
		if e.Action == gatehouse.Denied {
			denied[e.Actor.Name]++
		}
	}
	if denied[viewer.Name] != mostDenials || denied["another"] != 1 {
		t.Errorf("the records are %v; want %d of the viewer, whom others do not pay for", denied, mostDenials)
	}
	sums := s.newRecords(t, s.recordDenials)
	if len(sums) != 1 || sums[0].Details["more"] != fmt.Sprint(beyond) || sums[0].Actor.Name != viewer.Name || sums[0].ObjectID != "" {
		t.Errorf("the summary is %+v", sums)
	}
}

func TestTheSummaryComesWithinAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s denials
		sums := make(chan int, 10)
		e := event(person(gatehouse.Viewer), gatehouse.Denied, "", "")
		e.Details = map[string]string{"right": string(gatehouse.ViewUsers)}
		summarise := func() {
			for _, again := range s.take() {
				sums <- again.more
			}
		}
		recorded := 0
		for range 90 { // seconds
			if s.mayRecord(e, summarise) {
				recorded++
			}
			time.Sleep(time.Second)
		}
		time.Sleep(denialWindow)
		synctest.Wait()
		close(sums)
		more := 0
		for n := range sums {
			more += n
		}
		if recorded != 2 || recorded+more != 90 {
			t.Errorf("%d records and %d more; want 2, and 90 in all", recorded, more)
		}
	})
}
