package engine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// awaitFigures waits until the figures are as they should be.
func (w *watched) awaitFigures(t *testing.T, what string, ok func(gatehouse.Figures) bool) {
	t.Helper()
	var f gatehouse.Figures
	defer func() {
		if t.Failed() {
			t.Logf("the figures are %+v", f)
		}
	}()
	eventually(t, what, func() bool {
		var err error
		if f, err = w.Figures(testID); err != nil {
			t.Fatal(err)
		}
		return ok(f)
	})
}

func TestFiguresOfAManagedDeployment(t *testing.T) {
	t.Parallel()
	for _, tier := range []string{"", "few new"} { // with a limit of series, and without
		t.Run("tier "+tier, func(t *testing.T) {
			w, e := withTier(t, tier)
			importSeries(t, e, 15)
			eventually(t, "the series can be read", func() bool { return count(t, e, "count(some_series)") == 15 })
			w.awaitFigures(t, "all figures are known", func(f gatehouse.Figures) bool {
				return f.DiskBytes.Known && f.FreeDiskBytes.Value > 1<<20 &&
					f.ActiveSeries == (gatehouse.Figure{Value: 15, Known: true}) && f.SeriesOver24h == f.ActiveSeries &&
					f.IngestionRate.Value > 0 && f.DatapointsReadRate.Value > 0 &&
					f.SeriesPerQuery.Value >= 15 && f.SeriesPerQuery.Value < 20
			})
			if f, _ := w.Figures(testID); time.Since(f.At) > patience {
				t.Errorf("the figures are of %v", f.At)
			}
		})
	}
}

func TestThereAreNoFiguresOfAnUnknownDeployment(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	if _, err := w.Figures(testID); gatehouse.ErrorCode(err) != gatehouse.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestFiguresOfAConnectedClusterAreThoseThatItsProgramsTell(t *testing.T) {
	t.Parallel()
	program := func(metrics string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "theirs" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			if r.URL.Path == "/metrics" {
				fmt.Fprint(w, metrics)
				return
			}
			healthy(w, r)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	insert := "vm_rows_inserted_total{type=\"prometheus\"} 5\nvm_rows_inserted_total{type=\"influx\"} 2\n"
	w := supervise(t, t.TempDir(), t.TempDir())
	w.Apply(created(gatehouse.Deployment{
		ID: testID, Type: gatehouse.Cluster, InsertURLs: []string{program(insert), program(insert)},
		SelectURLs: []string{program("vm_concurrent_select_capacity 4\n")}, Upstream: gatehouse.Upstream{Username: "we", Password: "theirs"},
	}))
	w.awaitFigures(t, "the rates are known", func(f gatehouse.Figures) bool { return f.IngestionRate.Known && f.DatapointsReadRate.Known })
	if f, _ := w.Figures(testID); f.DiskBytes.Known || f.ActiveSeries.Known || f.SeriesOver24h.Known || f.SeriesPerQuery.Known {
		t.Errorf("figures that only vmstorage has are known: %+v", f)
	}
}

func page(started, inserted, fresh int, more string) []byte {
	return fmt.Appendf(nil, "process_start_time_seconds %d\nvm_rows_inserted_total{type=\"native\"} %d\nvm_new_timeseries_created_total %d\n"+
		"vm_data_size_bytes{type=\"storage/small\"} 10\nvm_data_size_bytes{type=\"indexdb/file\"} 5\n"+
		"vm_data_size_bytes{type=\"storage/metaindex\"} 900\nvm_data_size_bytes{type=\"storage/inmemory\"} 900\n"+
		"vm_free_disk_space_bytes{path=\"/a b\"} 7\n%s", started, inserted, fresh, more)
}

func TestRatesAreThoseOfTheLastMinuteAndSurviveARestart(t *testing.T) {
	m := newMeter()
	at := time.Unix(1_800_000_000, 0) // begins an hour
	read := func(after time.Duration, started, inserted, fresh int) gatehouse.Figures {
		m.add("", parseMetrics(page(started, inserted, fresh, ""), at.Add(after)))
		return m.figures()
	}
	started := int(at.Unix()) - 60
	if f := read(0, started, 1000, 100); f.IngestionRate.Known || f.DiskBytes.Value != 15 || f.FreeDiskBytes.Value != 7 {
		t.Errorf("after one reading: %+v", f)
	}
	if f := read(10*time.Second, started, 1100, 100); f.IngestionRate.Value != 10 {
		t.Errorf("100 samples in 10 s are %v a second", f.IngestionRate.Value)
	}
	for i := 2; i <= 12; i++ {
		read(time.Duration(i)*10*time.Second, started, 1100, 110)
	}
	if f := m.figures(); f.IngestionRate.Value != 0 || f.SeriesOver24h.Value != 110 {
		t.Errorf("after a quiet minute: %+v", f)
	}
	if f := read(130*time.Second, started+500, 50, 30); f.IngestionRate.Known || f.SeriesOver24h.Value != 140 {
		t.Errorf("after a restart: %+v", f)
	}
	if f := read(140*time.Second, started+500, 150, 30); f.IngestionRate.Value != 10 {
		t.Errorf("some time after a restart: %+v", f)
	}
	if f := read(24*time.Hour, started+500, 150, 31); f.SeriesOver24h.Value != 141 {
		t.Errorf("a day later: %+v", f)
	}
	if f := read(25*time.Hour, started+500, 150, 31); f.SeriesOver24h.Value != 1 {
		t.Errorf("more than a day later: %+v", f)
	}
}

func TestNewSeriesOfLongAgoDoNotCount(t *testing.T) {
	m := newMeter()
	at := time.Unix(1_800_000_000, 0)
	m.add("", parseMetrics(page(int(at.Unix())-90_000, 0, 5000, ""), at))
	m.add("", parseMetrics(page(int(at.Unix())-90_000, 0, 5001, ""), at.Add(time.Second)))
	if f := m.figures(); f.SeriesOver24h.Value != 1 {
		t.Errorf("%v new series are counted, want 1", f.SeriesOver24h.Value)
	}
}

func TestQuantileOfSeriesPerQuery(t *testing.T) {
	before := map[string]float64{"1.000e+00...1.136e+00": 50}
	after := map[string]float64{"1.000e+00...1.136e+00": 149, "8.799e+02...1.000e+03": 1, "9.000e+18...+Inf": 0, "0...1.000e-09": 5}
	if n, ok := quantile(before, after, 0.99); !ok || n != 1 {
		t.Errorf("99 of 105 queries read at most %v, %v", n, ok)
	}
	if n, ok := quantile(before, after, 1); !ok || n != 1000 {
		t.Errorf("all queries read at most %v, %v", n, ok)
	}
	if _, ok := quantile(after, after, 0.99); ok {
		t.Error("there is a quantile of no queries")
	}
}

func TestStorageNearItsLimitIsSaidWhileTheEngineServesOn(t *testing.T) {
	d := managedDeployment()
	w, e := with(t, d)
	pid := w.enginePID(t)
	w.Supervisor.mu.Lock()
	m := w.workers[testID].meter
	w.Supervisor.mu.Unlock()
	m.add("much data", reading{at: time.Now(), disk: gatehouse.Figure{Value: 9.5 * (1 << 30), Known: true}})
	d.StorageGB = 10 // needs no restart
	w.Apply(created(d))
	eventually(t, "the state says so", func() bool {
		last := w.last()
		return last.State.Status == gatehouse.Running && strings.Contains(last.State.Detail, "95 % of its storage of 10 GB") && *last.Endpoint == *e
	})
	write(t, e, "still_taken")
	d.StorageGB = 11
	w.Apply(created(d))
	eventually(t, "the state is well again", func() bool { return w.last().State.Detail == "" })
	if w.enginePID(t) != pid {
		t.Error("a change of storage restarts the engine")
	}
}
