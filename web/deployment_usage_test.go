package web_test

import (
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/web"
)

func known(n float64) gatehouse.Figure { return gatehouse.Figure{Value: n, Known: true} }

// told makes VictoriaMetrics say the figures.
func told(f *gatehouse.Figures) func(*web.Config) {
	return func(c *web.Config) {
		c.Figures = func(string) (gatehouse.Figures, error) { return *f, nil }
	}
}

func (s *site) addSized(name string, n gatehouse.NewDeployment) gatehouse.Deployment {
	s.Helper()
	n.Name, n.Type = name, gatehouse.SingleNode
	d, err := s.control.CreateDeployment(s.Context(), system, n)
	if err != nil {
		s.Fatal(err)
	}
	if err := s.store.SetState(s.Context(), d.ID, gatehouse.State{Status: gatehouse.Running, At: time.Now()}); err != nil {
		s.Fatal(err)
	}
	return d
}

func TestOverviewShowsUsageAgainstTheLimits(t *testing.T) {
	f := gatehouse.Figures{
		At: time.Now(), DiskBytes: known(5 << 30), FreeDiskBytes: known(100 << 30), ActiveSeries: known(123_456), IngestionRate: known(12_500),
		SeriesOver24h: known(250_000), DatapointsReadRate: known(7.5), SeriesPerQuery: known(239),
	}
	s, v := newSiteWithAdmin(t, told(&f))
	d := s.addSized("prod", gatehouse.NewDeployment{Tier: "s.starter.a", StorageGB: 10})
	path := "/deployments/" + d.ID
	p := v.get(path)
	for _, want := range []string{
		"Disk usage 5 GB of 10 GB 50 %", "Active time series 123k of 1M 12 %", "Ingestion rate 12.5k of 50k samples/s 25 %",
		"New series over 24 h 250k of 2.5M 10 %", "Datapoints read rate 7.5 of 750k samples/s 0 %", "Series read per query 239 of 23.9k 1 %",
	} {
		p.wantText("#usage", want)
	}
	if p.has(".usage-words") {
		t.Errorf("it warns: %s", p.text(".usage-words"))
	}
	part := v.get(path, htmxMain)
	if got := part.attr("#usage", "hx-get"); got != path {
		t.Errorf("the figures come from %q", got)
	}
}

func TestCardsShowUsageAgainstTheLimits(t *testing.T) {
	f := gatehouse.Figures{At: time.Now(), DiskBytes: known(5 << 30), FreeDiskBytes: known(100 << 30), ActiveSeries: known(1_000_000)}
	s, v := newSiteWithAdmin(t, told(&f))
	sized := s.addSized("prod", gatehouse.NewDeployment{Tier: "s.starter.a", StorageGB: 10})
	free := s.addSized("test", gatehouse.NewDeployment{})
	p := v.get("/deployments")
	p.wantText("#deployment-"+sized.ID, "Disk usage 5 GB of 10 GB 50 % Active time series 1M of 1M 100 % New series are dropped until")
	p.wantText("#deployment-"+free.ID, "Disk usage 5 GB of 105 GB that the disk has for it 4 % Active time series 1M no limit Ingestion rate not known")
	if got := p.attr("#deployments", "hx-trigger"); got != "figures from:body" {
		t.Errorf("the cards follow %q", got)
	}
}

func TestOverviewSaysWhatALimitDoes(t *testing.T) {
	var f gatehouse.Figures
	s, v := newSiteWithAdmin(t, told(&f))
	d := s.addSized("prod", gatehouse.NewDeployment{Tier: "s.starter.a", StorageGB: 10})
	says := func(figures gatehouse.Figures, words string) {
		t.Helper()
		f, f.At = figures, time.Now()
		v.get("/deployments/"+d.ID).wantText(".usage-words", words)
	}
	says(gatehouse.Figures{DiskBytes: known(9.1 * (1 << 30))}, "Raise the storage in the settings, or shorten the retention.")
	says(gatehouse.Figures{DiskBytes: known(11 << 30)}, "Gatehouse does not stop writes at the limit.")
	says(gatehouse.Figures{ActiveSeries: known(950_000)}, "New series are dropped at the limit.")
	says(gatehouse.Figures{ActiveSeries: known(1_000_000)}, "New series are dropped until")
	says(gatehouse.Figures{SeriesOver24h: known(2_500_000)}, "New series are dropped until the count begins anew")
	says(gatehouse.Figures{IngestionRate: known(46_000)}, "Close to what the tier is made for. From 100k samples/s on, writers are made to wait.")
	says(gatehouse.Figures{IngestionRate: known(60_000)}, "More than the tier is made for.")
	says(gatehouse.Figures{IngestionRate: known(100_000)}, "Writers are made to wait: VictoriaMetrics takes at most 100k samples/s.")
	says(gatehouse.Figures{DatapointsReadRate: known(800_000)}, "queries may be slow")
	says(gatehouse.Figures{SeriesPerQuery: known(23_900)}, "Queries that read more series than the limit are refused.")
}

func TestOverviewSaysWhyAFigureIsNotKnown(t *testing.T) {
	var f gatehouse.Figures
	s, v := newSiteWithAdmin(t, told(&f))
	single, err := s.control.ConnectDeployment(t.Context(), system, gatehouse.NewDeployment{Name: "elsewhere", Type: gatehouse.SingleNode, URLs: []string{"http://10.0.0.5:8428"}})
	if err != nil {
		t.Fatal(err)
	}
	cluster, managed := s.addCluster("fleet"), s.addSized("prod", gatehouse.NewDeployment{})
	v.get("/deployments/"+single.ID).wantText("#usage", "Gatehouse cannot read the metrics of this VictoriaMetrics")
	v.get("/deployments/"+managed.ID).wantText("#usage", "Disk usage not known yet")

	f = gatehouse.Figures{At: time.Now().Add(-5 * time.Minute), IngestionRate: known(10), DatapointsReadRate: known(0)}
	p := v.get("/deployments/" + cluster.ID)
	p.wantText("#usage", "Some figures are told by vmstorage only")
	p.wantText("#usage", "Disk usage not known")
	p.wantText("#usage", "Ingestion rate 10 samples/s no limit")
	p.wantText("#usage", "Series read per query no queries in the last minute")
	p.wantText("#usage", "as of 5 minutes ago")
}
