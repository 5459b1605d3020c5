package control

import (
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestAStateThatCannotBeStoredIsShownAllTheSame(t *testing.T) {
	var unstored gatehouse.State
	s := newServer(t, func(c *Config) {
		c.Unstored = func(string) (gatehouse.State, bool) { return unstored, unstored.Status != "" }
	})
	d := s.managed(t, "prod")
	must(t, s.store.SetState(t.Context(), d.ID, gatehouse.State{Status: gatehouse.Running}))
	shown := func() gatehouse.State {
		t.Helper()
		one, err := s.Deployment(t.Context(), root, d.ID)
		must(t, err)
		all, err := s.Deployments(t.Context(), root)
		must(t, err)
		if all[0].State != one.State {
			t.Errorf("the list says %+v, the deployment itself %+v", all[0].State, one.State)
		}
		return one.State
	}
	if got := shown(); got.Status != gatehouse.Running {
		t.Errorf("the stored state is shown as %+v", got)
	}
	unstored = gatehouse.State{Status: gatehouse.Failed, Detail: "the disk is full"}
	if got := shown(); got != unstored {
		t.Errorf("with a newer state that is not stored, %+v is shown", got)
	}
}
