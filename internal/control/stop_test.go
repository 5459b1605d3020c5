package control

import (
	"context"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func (s *server) managed(t *testing.T, name string) gatehouse.Deployment {
	t.Helper()
	d, err := s.CreateDeployment(t.Context(), root, gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode})
	must(t, err)
	return d
}

func TestStopAndStartADeployment(t *testing.T) {
	published := 0
	s := newServer(t, func(c *Config) {
		c.Publish = func(context.Context) error { published++; return nil }
	})
	d := s.managed(t, "prod")
	published = 0
	find := func() gatehouse.Deployment {
		t.Helper()
		d, err := s.Deployment(t.Context(), root, "prod")
		must(t, err)
		return d
	}
	other := personAt(gatehouse.User{ID: "o", Email: "other@example.com", Role: gatehouse.Editor}, "")
	events := s.newRecords(t, func() {
		must(t, s.StopDeployment(t.Context(), editor, d.ID))
		must(t, s.StopDeployment(t.Context(), other, "prod")) // stopped already
	})
	if by := find().StoppedBy; by != editor.Name {
		t.Errorf("it is stopped by %q, want %q", by, editor.Name)
	}
	if len(events) != 2 || events[0].Action != gatehouse.DeploymentStopped || events[0].DeploymentID != d.ID || events[0].ObjectName != "prod" {
		t.Errorf("the records are %+v", events)
	}
	settings := find().Settings()
	settings.Name = "renamed"
	_, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
	must(t, err)
	settings.Name = "prod"
	_, err = s.UpdateDeployment(t.Context(), root, d.ID, settings)
	must(t, err)
	if find().StoppedBy == "" {
		t.Error("a change of settings starts it")
	}
	events = s.newRecords(t, func() { must(t, s.StartDeployment(t.Context(), editor, d.ID)) })
	if find().StoppedBy != "" || len(events) != 1 || events[0].Action != gatehouse.DeploymentStarted {
		t.Errorf("after the start it is stopped by %q; records %+v", find().StoppedBy, events)
	}
	if published != 5 {
		t.Errorf("%d changes were published, want 5", published)
	}
	wantError(t, s.StopDeployment(t.Context(), root, "gone"), gatehouse.NotFound)
	elsewhere := s.connect(t, "elsewhere")
	wantError(t, s.StopDeployment(t.Context(), root, elsewhere.ID), gatehouse.Invalid, "where it runs")
}

// lacking are engines without the programs of a cluster.
type lacking struct{ engines }

func (lacking) CanRun(t gatehouse.DeploymentType) error {
	if t == gatehouse.Cluster {
		return gatehouse.Errorf(gatehouse.Unavailable, "there is no vmstorage here; put it there")
	}
	return nil
}

func TestWhatCannotRunIsNeitherCreatedNorStarted(t *testing.T) {
	s := newServer(t, nil)
	fleet := gatehouse.NewDeployment{Name: "fleet", Type: gatehouse.Cluster, Tier: "cluster-medium"}
	d, err := s.CreateDeployment(t.Context(), root, fleet)
	must(t, err)
	if d.Type != gatehouse.Cluster || !d.Managed || d.MaxConcurrentRequests != 600 {
		t.Errorf("it made %+v", d)
	}
	must(t, s.StopDeployment(t.Context(), root, d.ID))

	s.engines = lacking{}
	before := s.dump(t)
	wantError(t, s.StartDeployment(t.Context(), root, d.ID), gatehouse.Unavailable, "no vmstorage here")
	fleet.Name = "other"
	_, err = s.CreateDeployment(t.Context(), root, fleet)
	wantError(t, err, gatehouse.Unavailable, "no vmstorage here")
	fleet.Tier = "huge"
	_, err = s.CreateDeployment(t.Context(), root, fleet)
	wantError(t, err, gatehouse.Invalid, "huge") // what is wrong with the input comes first
	if s.dump(t) != before {
		t.Error("a refused deployment left something behind")
	}
	s.managed(t, "single")
	must(t, s.StopDeployment(t.Context(), root, d.ID))
}

func TestAStorageLimitThatIsUsedUpAlreadyIsRefused(t *testing.T) {
	used := uint64(0)
	s := newServer(t, func(c *Config) {
		c.DiskUsed = func(string) (uint64, bool) { return used, used > 0 }
	})
	d := s.managed(t, "prod")
	settings := d.Settings()
	set := func(gb uint64) error {
		settings.StorageGB = gb
		_, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
		return err
	}
	used = 25 << 30
	err := set(20)
	wantError(t, err, gatehouse.Invalid, "uses 26 GB already", "shorten the retention")
	if gatehouse.ErrorField(err) != "storage_size" {
		t.Errorf("the error stands beside the field %q", gatehouse.ErrorField(err))
	}
	used = 0 // not known
	must(t, set(20))
	used = 25 << 30
	settings.Name = "renamed"
	must(t, set(20)) // no change of the storage
	must(t, set(30))
}

func TestABadFlagIsRefusedBeforeItIsStored(t *testing.T) {
	published := 0
	s := newServer(t, func(c *Config) {
		c.Publish = func(context.Context) error { published++; return nil }
	})
	d := s.managed(t, "prod")
	before, publishedBefore := s.dump(t), published
	for _, flag := range []string{"-httpListenAddr=:80", "-search.maxQueueDuration=soon", "-search.maxQueueDuration=20h", "-retentionPeriod=1"} {
		settings := d.Settings()
		settings.Flags.Single = []string{flag}
		_, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
		name, _, _ := strings.Cut(flag, "=")
		wantError(t, err, gatehouse.Invalid, name)
	}
	if s.dump(t) != before || published != publishedBefore {
		t.Error("a refused flag has changed something")
	}
}
