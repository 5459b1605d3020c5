package engine

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// tightTiers have one limit each, so small that a test reaches it.
var tightTiers = []gatehouse.Tier{
	{ID: 1001, Type: gatehouse.SingleNode, Name: "few active", ActiveTimeSeries: 20},
	{ID: 1002, Type: gatehouse.SingleNode, Name: "few new", NewSeriesOver24h: 20},
	{ID: 1003, Type: gatehouse.SingleNode, Name: "few per query", SeriesReadPerQuery: 20},
	{ID: 1004, Type: gatehouse.SingleNode, Name: "slow", IngestionRate: 500},
	{ID: 1005, Type: gatehouse.SingleNode, Name: "little memory", MemoryBytes: 64 << 20},
}

// withTier starts an engine of the tier.
func withTier(t *testing.T, tier string) (*watched, *Endpoint) {
	t.Helper()
	d := managedDeployment()
	d.Tier = tier
	return with(t, d)
}

func with(t *testing.T, d gatehouse.Deployment) (*watched, *Endpoint) {
	t.Helper()
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(d))
	return w, w.await(t, gatehouse.Running).Endpoint
}

// importSeries writes a sample for each of n series, and makes them visible.
func importSeries(t *testing.T, e *Endpoint, n int) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "some_series{number=\"%d\"} 42\n", i)
	}
	ask(t, e, "/api/v1/import/prometheus", lines.String())
	ask(t, e, "/internal/force_flush", "")
}

func count(t *testing.T, e *Endpoint, query string) int {
	t.Helper()
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal([]byte(ask(t, e, "/api/v1/query?nocache=1&query="+url.QueryEscape(query), "")), &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.Data.Result) == 0 {
		return 0
	}
	n, err := strconv.Atoi(answer.Data.Result[0].Value[1].(string))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// awaitRefusal asks until the engine sees the samples that make the query too large.
func awaitRefusal(t *testing.T, e *Endpoint, path, words string) {
	t.Helper()
	eventually(t, "the query is refused with "+words, func() bool {
		status, answer := request(t, e, path+"&nocache=1", "", true)
		return status == 422 && strings.Contains(answer, words)
	})
}

// metric gives the value that an engine's own metrics have for the series.
func metric(t *testing.T, e *Endpoint, series string) float64 {
	t.Helper()
	for line := range strings.Lines(ask(t, e, "/metrics", "")) {
		if text, ok := strings.CutPrefix(line, series+" "); ok {
			value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	t.Fatalf("the engine has no metric %s", series)
	return 0
}

// awaitMetric waits until the engine's own counter has reached a value: the page is renewed once a second.
func awaitMetric(t *testing.T, e *Endpoint, series string, least float64) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s is %v", series, least), func() bool { return metric(t, e, series) >= least })
}

func TestSeriesBeyondATiersLimitAreDropped(t *testing.T) {
	t.Parallel()
	for tier, reason := range map[string]string{"few active": "hourly_limit_exceeded", "few new": "daily_limit_exceeded"} {
		t.Run(tier, func(t *testing.T) {
			_, e := withTier(t, tier)
			importSeries(t, e, 50)
			eventually(t, "the accepted series can be counted", func() bool { return count(t, e, "count(some_series)") > 0 })
			// VictoriaMetrics counts with a Bloom filter, which takes one series in a thousand for one that it has seen.
			if n := count(t, e, "count(some_series)"); n < 20 || n > 22 {
				t.Errorf("%d series were taken, want 20", n)
			}
			dropped := `vm_rows_ignored_total{reason="` + reason + `"}`
			awaitMetric(t, e, dropped, 28)
			importSeries(t, e, 10) // those that it knows
			awaitMetric(t, e, `vm_rows_inserted_total{type="prometheus"}`, 60)
			if n := metric(t, e, dropped); n > 30 {
				t.Error("samples of known series are dropped too")
			}
		})
	}
}

func TestAQueryBeyondTheTiersSeriesIsRefused(t *testing.T) {
	_, e := withTier(t, "few per query")
	importSeries(t, e, 50)
	eventually(t, "a small query is answered", func() bool { return count(t, e, `count(some_series{number=~"1."})`) == 10 })
	awaitRefusal(t, e, "/api/v1/query?query=some_series", "-search.maxResponseSeries")
	// VictoriaMetrics v1.151.0 knows this limit, and does not keep it.
	if n := metric(t, e, "vm_search_max_unique_timeseries"); n != 20 {
		t.Errorf("the engine lets a query read %v series, want 20", n)
	}
}

func TestWritesBeyondTheTiersRateWait(t *testing.T) {
	t.Parallel()
	_, e := withTier(t, "slow")
	for range 4 { // 1000 samples a second: the first pass at once, the others one second after another
		importSeries(t, e, 1500)
	}
	awaitMetric(t, e, "vm_max_ingestion_rate_limit_reached_total", 1)
	awaitMetric(t, e, `vm_rows_inserted_total{type="prometheus"}`, 6000)
}

func TestAQueryBeyondTheTiersMemoryIsRefused(t *testing.T) {
	_, e := withTier(t, "little memory")
	if n := metric(t, e, "vm_allowed_memory_bytes"); n != 64<<20 {
		t.Errorf("the engine may use %v bytes, want 64 MiB", n)
	}
	importSeries(t, e, 3000)
	now := time.Now().Unix()
	awaitRefusal(t, e, fmt.Sprintf("/api/v1/query_range?query=rate(some_series[5m])&start=%d&end=%d&step=1s", now-20_000, now+60), "not enough memory")
}

func TestEnginesShareTheMachinesMemory(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	d := managedDeployment()
	w.Apply(created(d))
	alone := metric(t, w.await(t, gatehouse.Running).Endpoint, "vm_allowed_memory_bytes")
	other := d
	other.ID = "5d0b1a0e-6b7a-4d0a-8a52-3e2fa31d3a02"
	w.Apply(created(other))
	var e *Endpoint
	eventually(t, "the second engine runs", func() bool {
		all := w.seen()
		e = all[len(all)-1].Endpoint
		return e != nil && len(all) >= 4
	})
	if shared := metric(t, e, "vm_allowed_memory_bytes"); shared < alone*0.49 || shared > alone*0.51 {
		t.Errorf("alone an engine may use %v bytes, and the second one %v; want half", alone, shared)
	}
}

func TestMemoryOfATierFitsTheMachine(t *testing.T) {
	large, _ := gatehouse.TierByName("s.large.a")
	for _, c := range []struct {
		share memoryShare
		tier  gatehouse.Tier
		want  string
	}{
		{memoryShare{1, 64 << 30}, large, "-memory.allowedBytes=16106127360"},
		{memoryShare{1, 1000}, large, "-memory.allowedBytes=600"},
		{memoryShare{1, 0}, large, "-memory.allowedBytes=16106127360"},
		{memoryShare{1, 1000}, gatehouse.Unlimited, "-memory.allowedPercent=60"},
		{memoryShare{10, 1000}, gatehouse.Tier{}, "-memory.allowedPercent=6"},
		{memoryShare{100, 1000}, gatehouse.Tier{}, "-memory.allowedPercent=1"},
		{memoryShare{}, gatehouse.Tier{}, "-memory.allowedPercent=60"},
	} {
		if got := c.share.flags(c.tier, gatehouse.SingleProgram); len(got) != 1 || got[0] != c.want {
			t.Errorf("%+v gives %v, want %s", c.share, got, c.want)
		}
	}
	share := memoryShare{engines: 2, bytes: 10 << 30}
	for p, want := range map[gatehouse.Program][2]string{
		gatehouse.StorageProgram: {"-memory.allowedPercent=18", "-memory.allowedBytes=1288490188"},
		gatehouse.SelectProgram:  {"-memory.allowedPercent=7", "-memory.allowedBytes=536870912"},
		gatehouse.InsertProgram:  {"-memory.allowedPercent=4", "-memory.allowedBytes=322122547"},
	} {
		medium, _ := gatehouse.TierByName("cluster-medium")
		if got := share.flags(gatehouse.UnlimitedCluster, p)[0]; got != want[0] {
			t.Errorf("%s gets %s, want %s", p, got, want[0])
		}
		if got := share.flags(medium, p)[0]; got != want[1] {
			t.Errorf("of cluster-medium %s gets %s, want %s", p, got, want[1])
		}
	}
	if memoryBytes() < 64<<20 {
		t.Errorf("this machine is said to have %d bytes of memory", memoryBytes())
	}
}

func TestSamplesBeforeTheRetentionAreNotTaken(t *testing.T) {
	d := managedDeployment()
	d.Retention = gatehouse.Retention{Value: 1, Unit: "m"}
	_, e := with(t, d)
	day := 24 * time.Hour
	for age, series := range map[time.Duration]string{20 * day: "within", 40 * day: "before"} {
		ask(t, e, "/api/v1/import/prometheus", fmt.Sprintf("%s 42 %d\n", series, time.Now().Add(-age).UnixMilli()))
	}
	awaitSample(t, e, "within")
	if answer := ask(t, e, "/api/v1/export?match[]=before", ""); answer != "" {
		t.Errorf("a sample of 40 days ago is kept: %s", answer)
	}
	awaitMetric(t, e, `vm_rows_ignored_total{reason="small_timestamp"}`, 1)
}

func TestDeduplicationKeepsOneSamplePerInterval(t *testing.T) {
	d := managedDeployment()
	d.Deduplication = gatehouse.Deduplication{Value: 10_000, Unit: "ms"}
	_, e := with(t, d)
	start := time.Now().Add(-time.Hour).Truncate(10 * time.Second)
	for i := 1; i <= 20; i++ {
		ask(t, e, "/api/v1/import/prometheus", fmt.Sprintf("often %d %d\n", i, start.Add(time.Duration(i)*time.Second).UnixMilli()))
	}
	ask(t, e, "/internal/force_flush", "")
	eventually(t, "the last sample of each interval is left", func() bool {
		return strings.Contains(ask(t, e, "/api/v1/export?match[]=often", ""), `"values":[10,20]`)
	})
}

// ends are those of a flag's range.
var ends = map[string]func(gatehouse.EngineFlag) int64{
	"least": func(f gatehouse.EngineFlag) int64 { return f.Least },
	"most":  func(f gatehouse.EngineFlag) int64 { return f.Most },
}

func TestEveryFlagThatUsersMaySetIsKnownToTheEngine(t *testing.T) {
	for name, value := range ends {
		t.Run(name, func(t *testing.T) {
			d := managedDeployment()
			for _, f := range gatehouse.EngineFlags {
				d.Flags.Single = append(d.Flags.Single, "-"+f.Name+"="+f.Format(value(f)))
			}
			w, e := with(t, d)
			flags := ask(t, e, "/flags", "")
			for _, flag := range d.Flags.Single {
				name, value, _ := strings.Cut(flag, "=")
				if !strings.Contains(flags, name+"="+strconv.Quote(value)) {
					t.Errorf("the engine runs without %s", flag)
				}
			}
			for _, ev := range w.seen() {
				if ev.State.Status == gatehouse.Failed {
					t.Errorf("on the way it failed: %s", ev.State.Detail)
				}
			}
		})
	}
}

func TestAFlagBites(t *testing.T) {
	d := managedDeployment()
	d.Flags.Single = []string{"--search.maxQueryLen=1KiB", "-maxLabelsPerTimeseries=2"}
	_, e := with(t, d)
	status, answer := request(t, e, "/api/v1/query?query="+strings.Repeat("1%2B", 600)+"1", "", true)
	if status/100 != 4 || !strings.Contains(answer, "search.maxQueryLen") {
		t.Errorf("a long query is answered %d: %.200s", status, answer)
	}
	ask(t, e, "/api/v1/import/prometheus", "labels{a=\"1\",b=\"2\",c=\"3\"} 42\n")
	awaitMetric(t, e, `vm_rows_ignored_total{reason="too_many_labels"}`, 1)
}

func TestAFlagThatIsNotAllowedNeverReachesAnEngine(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	d := managedDeployment()
	d.Flags.Single = []string{"-httpListenAddr=0.0.0.0:0"} // control refuses it; this one came from a tampered database
	w.Apply(created(d))
	w.awaitFailed(t, "-httpListenAddr cannot be set here")
	d.Flags.Single = nil
	w.Apply(created(d))
	w.await(t, gatehouse.Running)
}

func TestWhatRestartsAnEngineIsWhatIsAnnounced(t *testing.T) {
	base := managedDeployment()
	for name, change := range map[string]func(*gatehouse.Deployment){
		"name":          func(d *gatehouse.Deployment) { d.Name = "renamed" },
		"requests":      func(d *gatehouse.Deployment) { d.MaxConcurrentRequests = 7 },
		"storage":       func(d *gatehouse.Deployment) { d.StorageGB = 100 },
		"window":        func(d *gatehouse.Deployment) { d.MaintenanceWindow = gatehouse.MaintenanceWindows[0] },
		"the same":      func(d *gatehouse.Deployment) { d.Retention = gatehouse.DefaultRetention; d.Deduplication.Unit = "ms" },
		"tier":          func(d *gatehouse.Deployment) { d.Tier = "s.starter.a" },
		"retention":     func(d *gatehouse.Deployment) { d.Retention.Value, d.Retention.Unit = 1, "m" },
		"deduplication": func(d *gatehouse.Deployment) { d.Deduplication.Value, d.Deduplication.Unit = 1, "s" },
		"flags":         func(d *gatehouse.Deployment) { d.Flags.Single = []string{"-search.disableCache"} },
		"flags and order": func(d *gatehouse.Deployment) {
			d.Flags.Single = []string{"-maxLabelNameLen=9", "--search.disableCache=true"}
		},
	} {
		d := base
		change(&d)
		announced := d.Settings().EngineChanges(base.Settings())
		if restarts := managedSpec(d) != managedSpec(base); restarts != (len(announced) > 0) {
			t.Errorf("%s: the engine restarts: %v; announced are %v", name, restarts, announced)
		}
	}
	cluster := managedCluster()
	for name, change := range map[string]func(*gatehouse.Deployment){
		"name": func(d *gatehouse.Deployment) { d.Name = "renamed" }, "tier": func(d *gatehouse.Deployment) { d.Tier = "cluster-medium" },
		"storage flags": func(d *gatehouse.Deployment) { d.Flags.Storage = []string{"-inmemoryDataFlushInterval=2s"} },
		"select flags":  func(d *gatehouse.Deployment) { d.Flags.Select = []string{"-search.disableCache"} },
		"insert flags":  func(d *gatehouse.Deployment) { d.Flags.Insert = []string{"-maxLabelNameLen=9"} },
	} {
		d := cluster
		change(&d)
		announced := d.Settings().EngineChanges(cluster.Settings())
		if restarts := managedSpec(d) != managedSpec(cluster); restarts != (len(announced) > 0) {
			t.Errorf("%s: the cluster restarts: %v; announced are %v", name, restarts, announced)
		}
	}
	reordered := base
	reordered.Flags.Single = []string{"--search.disableCache=true", "-maxLabelNameLen=9"}
	same := base
	same.Flags.Single = slices.Clone(reordered.Flags.Single)
	slices.Reverse(same.Flags.Single)
	if managedSpec(same) != managedSpec(reordered) {
		t.Error("the order of flags restarts an engine")
	}
}
