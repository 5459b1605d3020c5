package engine

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

// clusterDir holds the real programs of a cluster, which GATEHOUSE_CLUSTER_DIR names: Go modules do not have them.
func clusterDir(t *testing.T) string {
	t.Helper()
	from := os.Getenv("GATEHOUSE_CLUSTER_DIR")
	if from == "" {
		t.Skip("GATEHOUSE_CLUSTER_DIR does not name a folder with vmstorage, vminsert and vmselect")
	}
	dir := t.TempDir()
	for _, p := range gatehouse.Cluster.Programs() {
		path := programNamed(from, executables(p))
		if path == "" {
			t.Fatalf("there is no %s in %s", p, from)
		}
		if err := os.Symlink(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tightCluster is small enough for a test to reach its limits.
var tightCluster = gatehouse.Tier{ID: 2000, Type: gatehouse.Cluster, Name: "cluster-tight", ActiveTimeSeries: 10, NewSeriesOver24h: 15, SeriesReadPerQuery: 5}

func managedCluster() gatehouse.Deployment {
	return gatehouse.Deployment{ID: testID, Name: "cluster", Type: gatehouse.Cluster, Managed: true}
}

// at makes an Endpoint of one URL, for the helpers that ask a single node.
func (e *Endpoint) at(url string) *Endpoint {
	return &Endpoint{URL: url, Username: e.Username, Password: e.Password}
}

func writeTo(t *testing.T, e *Endpoint, tenant, series string) {
	t.Helper()
	ask(t, e.at(e.InsertURL), "/insert/"+tenant+"/prometheus/api/v1/import/prometheus", series+" 42\n")
}

// awaitIn waits until the series can be read in the tenant, from a cluster that may be on its way back.
func awaitIn(t *testing.T, w *watched, tenant, series string) {
	t.Helper()
	eventually(t, series+" can be read", func() bool {
		e := w.last().Endpoint
		if e == nil || e.StorageURL == "" || e.SelectURL == "" {
			return false
		}
		if err := e.Flush(t.Context()); err != nil {
			return false
		}
		status, body := request(t, e.at(e.SelectURL), "/select/"+tenant+"/prometheus/api/v1/export?match[]="+url.QueryEscape(series), "", true)
		return status == 200 && strings.Contains(body, "[42]")
	})
}

func TestAClusterIsThreeProgramsThatAnswerToTheirCredentialAlone(t *testing.T) {
	t.Parallel()
	w := supervise(t, clusterDir(t), t.TempDir())
	if err := w.CanRun(gatehouse.Cluster); err != nil {
		t.Fatal(err)
	}
	w.Apply(created(managedCluster()))
	running := w.await(t, gatehouse.Running)
	e := running.Endpoint
	if e.URL != "" || e.InsertURL == "" || e.SelectURL == "" || e.StorageURL == "" {
		t.Fatalf("it answers at %+v", *e)
	}
	writeTo(t, e, "7:3", "greeting")
	awaitIn(t, w, "7:3", "greeting")
	for _, at := range []string{e.InsertURL + "/metrics", e.SelectURL + "/select/7:3/prometheus/api/v1/query", e.StorageURL + "/metrics"} {
		if status, _ := request(t, e.at(at), "", "", false); status != 401 {
			t.Errorf("%s answers %d without a credential, want 401", at, status)
		}
	}
	eventually(t, "all figures are known", func() bool {
		f, err := w.Figures(testID)
		return err == nil && f.DiskBytes.Known && f.FreeDiskBytes.Known && f.ActiveSeries.Known && f.SeriesOver24h.Known && f.IngestionRate.Known && f.DatapointsReadRate.Known
	})
	var pids []int
	for _, p := range gatehouse.Cluster.Programs() {
		pids = append(pids, w.programPID(t, p))
		if _, err := w.ProgramLog(testID, p.Log(), 10); err != nil {
			t.Error(err)
		}
	}
	w.stop(t)
	for _, pid := range pids {
		if startTime(pid) != "" {
			t.Error("a program outlives Stop")
		}
	}
	var told []string
	for _, e := range w.seen() {
		told = append(told, e.State.Status.Label())
	}
	if got := strings.Join(slices.Compact(told), ", "); got != "Provisioning, Running, Stopped" {
		t.Errorf("the states were %s", got)
	}
}

func TestEachProgramOfAClusterComesBackAfterAKill(t *testing.T) {
	t.Parallel()
	w := supervise(t, clusterDir(t), t.TempDir())
	w.Apply(created(managedCluster()))
	e := w.await(t, gatehouse.Running).Endpoint
	writeTo(t, e, "0", "before")
	awaitIn(t, w, "0", "before")
	ask(t, e.at(e.StorageURL), "/snapshot/create", "") // writes everything to disk
	for _, p := range gatehouse.Cluster.Programs() {
		others := map[gatehouse.Program]int{}
		for _, other := range gatehouse.Cluster.Programs() {
			others[other] = w.programPID(t, other)
		}
		n := len(w.seen())
		syscall.Kill(others[p], syscall.SIGKILL)
		eventually(t, "the end of "+string(p)+" is told", func() bool { return len(w.seen()) > n })
		failed := w.seen()[n]
		if failed.State.Status != gatehouse.Failed || !strings.HasPrefix(failed.State.Detail, string(p)+" has ended") || !strings.Contains(failed.State.Detail, "signal: killed") {
			t.Errorf("after the kill of %s the state is %+v", p, failed.State)
		}
		if p == gatehouse.SelectProgram && (failed.Endpoint == nil || failed.Endpoint.InsertURL == "" || failed.Endpoint.SelectURL != "") {
			t.Errorf("without vmselect it answers at %+v", failed.Endpoint)
		}
		w.await(t, gatehouse.Running)
		for other, pid := range others {
			if same := w.programPID(t, other) == pid; same != (other != p) {
				t.Errorf("the kill of %s: %s is the same process: %v", p, other, same)
			}
		}
		awaitIn(t, w, "0", "before")
		series := "after_" + string(p)
		writeTo(t, w.last().Endpoint, "0", series)
		awaitIn(t, w, "0", series)
	}
}

// The samples that vminsert accepts while vmstorage is away reach it when it is back.
func TestVmstorageFindsWhatVminsertHasForIt(t *testing.T) {
	w := supervise(t, clusterDir(t), t.TempDir())
	w.Apply(created(managedCluster()))
	e := w.await(t, gatehouse.Running).Endpoint
	storage := w.programPID(t, gatehouse.StorageProgram)
	syscall.Kill(storage, syscall.SIGSTOP)
	writeTo(t, e, "0", "on_its_way")
	syscall.Kill(storage, syscall.SIGKILL)
	eventually(t, "another vmstorage runs", func() bool { return w.programPID(t, gatehouse.StorageProgram) != storage })
	w.await(t, gatehouse.Running)
	awaitIn(t, w, "0", "on_its_way")
}

func TestAHungProgramOfAClusterIsNamedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dir, dataDir := clusterDir(t), t.TempDir()
	w := supervise(t, dir, dataDir)
	w.Apply(created(managedCluster()))
	e := w.await(t, gatehouse.Running).Endpoint
	for _, p := range gatehouse.Cluster.Programs() {
		pid := w.programPID(t, p)
		syscall.Kill(pid, syscall.SIGSTOP)
		hung := w.await(t, gatehouse.Failed)
		if !strings.HasPrefix(hung.State.Detail, fmt.Sprintf("%s (process %d) runs but does not answer", p, pid)) {
			t.Errorf("while %s hangs the state says %q", p, hung.State.Detail)
		}
		syscall.Kill(pid, syscall.SIGCONT)
		if again := w.await(t, gatehouse.Running); *again.Endpoint != *e || w.programPID(t, p) != pid {
			t.Errorf("%s was started anew", p)
		}
	}
	writeTo(t, e, "0", "last_second")
	for _, p := range gatehouse.Cluster.Programs() {
		syscall.Kill(w.programPID(t, p), syscall.SIGSTOP) // Stop must get through to them all the same
	}
	w.stop(t)

	w = supervise(t, dir, dataDir)
	w.Apply(created(managedCluster()))
	w.await(t, gatehouse.Running)
	awaitIn(t, w, "0", "last_second")
}

// clusterOfAnother has a cluster run by a Gatehouse that is to be killed, and gives the one that comes after it, and the cluster's processes.
func clusterOfAnother(t *testing.T) (parent *os.Process, e *Endpoint, w *watched, pids []int) {
	t.Helper()
	dir, dataDir := clusterDir(t), t.TempDir()
	t.Setenv("ENGINE_TEST_CLUSTER", "1")
	t.Setenv("ENGINE_TEST_DIR", dir)
	parent, e = killedGatehouse(t, dataDir)
	w = supervise(t, dir, dataDir)
	for _, p := range gatehouse.Cluster.Programs() {
		pids = append(pids, w.programPID(t, p))
	}
	return parent, e, w, pids
}

func TestAClusterEndsWithAKilledGatehouseAndLosesNothing(t *testing.T) {
	parent, e, w, pids := clusterOfAnother(t)
	for i := range 10 {
		writeTo(t, e, "0", fmt.Sprintf("last_second_%d", i))
	}
	parent.Kill()
	for _, pid := range pids {
		awaitGone(t, pid)
	}

	w.Apply(created(managedCluster()))
	w.await(t, gatehouse.Running)
	for i := range 10 {
		awaitIn(t, w, "0", fmt.Sprintf("last_second_%d", i))
	}
}

func TestAChangeRestartsAClusterWithItsData(t *testing.T) {
	t.Parallel()
	w := supervise(t, clusterDir(t), t.TempDir())
	d := managedCluster()
	w.Apply(created(d))
	e := w.await(t, gatehouse.Running)
	writeTo(t, e.Endpoint, "0", "kept")
	d.Retention = gatehouse.Retention{Value: 6, Unit: "m"}
	d.Deduplication = gatehouse.Deduplication{Value: 1, Unit: "s"}
	d.Flags = gatehouse.Flags{
		Storage: []string{"-storage.trackMetricNamesStats"}, Select: []string{"-search.maxQueryDuration=20s"}, Insert: []string{"-maxLabelsPerTimeseries=20"},
	}
	w.Apply(created(d))
	eventually(t, "another one runs", func() bool {
		last := w.last()
		return last.State.Status == gatehouse.Running && last.Endpoint.Password != e.Endpoint.Password
	})
	awaitIn(t, w, "0", "kept")
	e = w.last()
	for url, flags := range map[string][]string{
		e.Endpoint.StorageURL: {`-retentionPeriod="6"`, `-dedup.minScrapeInterval="1s"`, `-storage.trackMetricNamesStats="true"`},
		e.Endpoint.SelectURL:  {`-dedup.minScrapeInterval="1s"`, `-search.latencyOffset="1s"`, `-search.maxQueryDuration="20s"`},
		e.Endpoint.InsertURL:  {`-maxLabelsPerTimeseries="20"`},
	} {
		have := ask(t, e.Endpoint.at(url), "/flags", "")
		for _, flag := range flags {
			if !strings.Contains(have, flag) {
				t.Errorf("%s runs without %s", url, flag)
			}
		}
	}
	for _, ev := range w.seen() {
		if ev.State.Status == gatehouse.Failed {
			t.Errorf("the restart was reported as a failure: %s", ev.State.Detail)
		}
	}
	d.StoppedBy = "somebody"
	w.Apply(created(d))
	w.await(t, gatehouse.Stopped)
	eventually(t, "all programs have ended", func() bool { return strings.Contains(w.last().State.Detail, "stopped by somebody") })
	d.StoppedBy = ""
	w.Apply(created(d))
	w.await(t, gatehouse.Running)
	awaitIn(t, w, "0", "kept")
	w.Apply(gatehouse.Change{GoneDeployment: testID})
	eventually(t, "the data is in the trash", func() bool { ids, err := w.Trash(); return err == nil && len(ids) == 1 })
	w.Apply(created(d))
	w.await(t, gatehouse.Running)
	awaitIn(t, w, "0", "kept")
}

func TestEveryFlagOfAClusterIsKnownToItsProgram(t *testing.T) {
	t.Parallel()
	dir := clusterDir(t)
	for name, value := range ends {
		t.Run(name, func(t *testing.T) {
			d := managedCluster()
			for _, f := range gatehouse.EngineFlags {
				for _, p := range f.Programs {
					d.Flags.Set(p, append(d.Flags.Of(p), "-"+f.Name+"="+f.Format(value(f))))
				}
			}
			d.Flags.Single = nil
			w := supervise(t, dir, t.TempDir())
			w.Apply(created(d))
			e := w.await(t, gatehouse.Running).Endpoint
			for p, url := range map[gatehouse.Program]string{gatehouse.StorageProgram: e.StorageURL, gatehouse.InsertProgram: e.InsertURL, gatehouse.SelectProgram: e.SelectURL} {
				flags := ask(t, e.at(url), "/flags", "")
				for _, flag := range d.Flags.Of(p) {
					name, value, _ := strings.Cut(flag, "=")
					if !strings.Contains(flags, name+"="+strconv.Quote(value)) {
						t.Errorf("%s runs without %s", p, flag)
					}
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

// The limit of the ingestion rate is not among them: the programs of a cluster know none.
func TestTheLimitsOfATierBiteInACluster(t *testing.T) {
	t.Parallel()
	w := supervise(t, clusterDir(t), t.TempDir())
	d := managedCluster()
	d.Tier = tightCluster.Name
	w.Apply(created(d))
	e := w.await(t, gatehouse.Running).Endpoint
	for i := range 20 {
		writeTo(t, e, "0", fmt.Sprintf(`many{n="%d"}`, i))
	}
	eventually(t, "vmstorage drops what is beyond its hourly limit", func() bool {
		return strings.Contains(ask(t, e.at(e.StorageURL), "/metrics", ""), "vm_hourly_series_limit_rows_dropped_total 10\n")
	})
	if err := e.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := "/select/0/prometheus/api/v1/query?query=count(" + url.QueryEscape("many") + ")"
	if status, answer := request(t, e.at(e.SelectURL), path, "", true); status/100 != 4 || !strings.Contains(answer, "search.maxUniqueTimeseries") {
		t.Errorf("a query over 10 series is answered %d: %s", status, answer)
	}
	path = "/select/0/prometheus/api/v1/query?query=" + url.QueryEscape(`count(many{n=~"[1-3]"})`)
	eventually(t, "a query over 3 series is answered", func() bool { return strings.Contains(ask(t, e.at(e.SelectURL), path, ""), `"3"`) })
}

func TestAMissingProgramOfAClusterIsNamedWithWhereItComesFrom(t *testing.T) {
	dir := t.TempDir()
	w := supervise(t, dir, t.TempDir())
	for _, present := range []string{"", "vminsert-prod"} {
		if present != "" {
			if err := os.WriteFile(filepath.Join(dir, present), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		err := w.CanRun(gatehouse.Cluster)
		if gatehouse.ErrorCode(err) != gatehouse.Unavailable {
			t.Fatalf("CanRun says %v", err)
		}
		text := gatehouse.ErrorMessage(err)
		for _, want := range []string{"vmstorage", "vmselect", dir, "-cluster.tar.gz", "connect a cluster that already runs"} {
			if !strings.Contains(text, want) {
				t.Errorf("it says %q; want it to say %q", text, want)
			}
		}
		if named := strings.Contains(text, "no vmstorage, vmselect, vminsert"); named != (present == "") {
			t.Errorf("with %q there, it says %q", present, text)
		}
	}
	w.Apply(created(managedCluster()))
	w.awaitFailed(t, "there is no vmstorage, vmselect in "+dir)
	if err := (&Supervisor{}).missing(gatehouse.StorageProgram); !strings.Contains(err.Error(), "--engine-dir") {
		t.Errorf("without --engine-dir it says %v", err)
	}
}

func TestAVmselectThatCannotStartKeepsNobodyFromWriting(t *testing.T) {
	t.Parallel()
	dir := clusterDir(t)
	for _, name := range executables(gatehouse.SelectProgram) {
		os.Remove(filepath.Join(dir, name))
	}
	// It stands for a vmselect that a flag, or a damaged cache, keeps from starting.
	path := filepath.Join(dir, string(gatehouse.SelectProgram))
	if err := os.WriteFile(path, []byte("#!/bin/sh\n[ \"$1\" = -version ] && exit\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	dataDir := t.TempDir()
	w := supervise(t, dir, dataDir)
	w.Apply(created(managedCluster()))
	var e *Endpoint
	eventually(t, "vminsert serves", func() bool { e = w.last().Endpoint; return e != nil && e.InsertURL != "" })
	eventually(t, "vmselect is named", func() bool { return strings.HasPrefix(w.last().State.Detail, "vmselect does not start") })
	writeTo(t, e, "0", "without_vmselect")
	w.stop(t)

	w = supervise(t, clusterDir(t), dataDir)
	w.Apply(created(managedCluster()))
	w.await(t, gatehouse.Running)
	awaitIn(t, w, "0", "without_vmselect")
}

func TestAClusterHasTimeToWriteItsDataEvenAfterStopsDeadline(t *testing.T) {
	t.Parallel()
	dir, dataDir := clusterDir(t), t.TempDir()
	w := supervise(t, dir, dataDir)
	w.Apply(created(managedCluster()))
	e := w.await(t, gatehouse.Running).Endpoint
	writeTo(t, e, "0", "last_second")
	awaitIn(t, w, "0", "last_second") // so that vmstorage has it, in memory
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.Stop(ctx)

	w = supervise(t, dir, dataDir)
	w.Apply(created(managedCluster()))
	w.await(t, gatehouse.Running)
	awaitIn(t, w, "0", "last_second")
}
