package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestAManagedDeploymentAnswersToItsCredentialAlone(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	if err := w.Available(); err != nil {
		t.Fatal(err)
	}
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running)
	if e.State.Version != "v1.151.0" || e.State.Detail != "" || e.State.At.IsZero() {
		t.Errorf("the state is %+v", e.State)
	}
	if first := w.seen()[0].State.Status; first != gatehouse.Provisioning {
		t.Errorf("the first state is %s, want Provisioning", first)
	}
	write(t, e.Endpoint, "greeting")
	awaitSample(t, e.Endpoint, "greeting")
	for _, path := range []string{"/api/v1/query?query=greeting", "/api/v1/import/prometheus", "/metrics", "/flags", "/debug/pprof/cmdline"} {
		if status, _ := request(t, e.Endpoint, path, "", false); status != 401 {
			t.Errorf("%s answers %d without a credential, want 401", path, status)
		}
	}

	pid := w.enginePID(t)
	w.Apply(created(managedDeployment()))
	w.stop(t)
	if startTime(pid) != "" {
		t.Error("the engine outlives Stop")
	}
	last := w.seen()[len(w.seen())-1]
	if last.State.Status != gatehouse.Stopped || last.Endpoint != nil || last.State.Detail == "" {
		t.Errorf("after Stop the state is %+v", last)
	}
	if n := len(w.seen()); n != 3 {
		t.Errorf("%d states were reported, want Provisioning, Running, Stopped: %v", n, w.seen())
	}
	w.Apply(created(managedDeployment()))
	if len(w.seen()) != 3 {
		t.Error("a stopped Supervisor starts an engine")
	}
}

func TestASampleIsVisibleToQueriesSoon(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running).Endpoint
	write(t, e, "fresh")
	awaitSample(t, e, "fresh")
	eventually(t, "a query sees the sample", func() bool {
		return strings.Contains(ask(t, e, "/api/v1/query?query=fresh", ""), `"42"`)
	})
	// How soon that is cannot be asserted on a slow machine; with VictoriaMetrics' default of 30 s it would never be sooner.
	if !strings.Contains(ask(t, e, "/flags", ""), `-search.latencyOffset="1s"`) {
		t.Error("queries do not see the newest samples")
	}
}

func TestAKilledEngineStartsAgainWithItsData(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running)
	write(t, e.Endpoint, "before_the_crash")
	awaitSample(t, e.Endpoint, "before_the_crash")
	ask(t, e.Endpoint, "/snapshot/create", "") // writes everything to disk

	pid := w.enginePID(t)
	syscall.Kill(pid, syscall.SIGKILL)
	var again event
	eventually(t, "another engine serves", func() bool {
		all := w.seen()
		again = all[len(all)-1]
		return again.State.Status == gatehouse.Running && again.Endpoint != e.Endpoint
	})
	if again.Endpoint.Password == e.Endpoint.Password {
		t.Error("the password of the killed engine is used again")
	}
	awaitSample(t, again.Endpoint, "before_the_crash")
	failed := w.seen()[2].State
	if failed.Status != gatehouse.Failed || !strings.Contains(failed.Detail, "signal: killed") {
		t.Errorf("between the two the state was %+v", failed)
	}
}

func TestAHungEngineIsReportedAndLeftAlone(t *testing.T) {
	t.Parallel()
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running)
	pid := w.enginePID(t)

	syscall.Kill(pid, syscall.SIGSTOP)
	w.awaitFailed(t, "does not answer")
	syscall.Kill(pid, syscall.SIGCONT)
	if again := w.await(t, gatehouse.Running); *again.Endpoint != *e.Endpoint || w.enginePID(t) != pid {
		t.Error("the engine was started anew")
	}

	syscall.Kill(pid, syscall.SIGSTOP) // Stop must get through to it all the same
	w.stop(t)
	awaitGone(t, pid)
}

func TestStopKillsAtItsDeadline(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// It stands for an engine that hangs so that no signal but SIGKILL ends it.
	if err := os.WriteFile(filepath.Join(dir, "victoria-metrics"), []byte("#!/bin/sh\n[ \"$1\" = -version ] && exit\ntrap '' TERM INT\nwhile :; do sleep 0.2; done\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := supervise(t, dir, t.TempDir())
	w.Apply(created(managedDeployment()))
	pid := w.enginePID(t)
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	w.Stop(ctx)
	awaitGone(t, pid)
	if last := w.seen()[len(w.seen())-1].State.Status; last != gatehouse.Stopped {
		t.Errorf("the last state is %s, want Stopped", last)
	}
}

func TestOnlyChangesThatMatterRestartAnEngine(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	d := managedDeployment()
	w.Apply(created(d))
	e := w.await(t, gatehouse.Running)
	pid := w.enginePID(t)
	write(t, e.Endpoint, "kept")

	d.Name, d.MaxConcurrentRequests = "renamed", 7
	w.Apply(created(d))
	d.Retention = gatehouse.DefaultRetention // what it has already
	w.Apply(created(d))
	if startTime(pid) == "" || w.enginePID(t) != pid {
		t.Error("a change of name, limit or spelling restarts the engine")
	}

	d.Retention, d.Tier = gatehouse.Retention{Value: 6, Unit: "m"}, "small"
	w.Apply(created(d))
	awaitGone(t, pid)
	e = w.await(t, gatehouse.Running)
	flags := ask(t, e.Endpoint, "/flags", "")
	for _, want := range []string{`-retentionPeriod="6"`, `-storage.maxHourlySeries="100000"`, `-storage.maxDailySeries="200000"`, `-search.maxUniqueTimeseries="30000"`} {
		if !strings.Contains(flags, want) {
			t.Errorf("the engine runs without %s", want)
		}
	}
	awaitSample(t, e.Endpoint, "kept")
	for _, ev := range w.seen() {
		if ev.State.Status == gatehouse.Failed {
			t.Errorf("the restart was reported as a failure: %s", ev.State.Detail)
		}
	}
}

// killedGatehouse starts another process that supervises the data directory, and gives the endpoint of its engine.
func killedGatehouse(t *testing.T, dataDir string) (*os.Process, *Endpoint) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "ENGINE_TEST_SERVE="+dataDir)
	if os.Getenv("ENGINE_TEST_DIR") == "" {
		cmd.Env = append(cmd.Env, "ENGINE_TEST_DIR="+programDir(t))
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.State.Status == gatehouse.Running {
			return cmd.Process, e.Endpoint
		}
	}
	t.Fatal("the other Gatehouse has ended")
	return nil, nil
}

func TestAnEngineEndsWithAKilledGatehouseAndLosesNothing(t *testing.T) {
	dataDir := t.TempDir()
	parent, e := killedGatehouse(t, dataDir)
	w := supervise(t, programDir(t), dataDir)
	pid := w.enginePID(t)
	write(t, e, "last_second")
	parent.Kill()
	awaitGone(t, pid)

	w.Apply(created(managedDeployment()))
	awaitSample(t, w.await(t, gatehouse.Running).Endpoint, "last_second")
}

func TestAnEngineThatSystemdHasSignalledTooLosesNothing(t *testing.T) {
	dataDir := t.TempDir()
	w := supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running)
	write(t, e.Endpoint, "last_second")
	syscall.Kill(w.enginePID(t), syscall.SIGTERM)
	w.stop(t)

	w = supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	awaitSample(t, w.await(t, gatehouse.Running).Endpoint, "last_second")
}

func TestASecondGatehouseDoesNotTouchTheEngineOfTheFirst(t *testing.T) {
	dataDir := t.TempDir()
	first := supervise(t, programDir(t), dataDir)
	first.Apply(created(managedDeployment()))
	e := first.await(t, gatehouse.Running)
	pid := first.enginePID(t)

	second := supervise(t, programDir(t), dataDir)
	second.Apply(created(managedDeployment()))
	second.awaitFailed(t, "another gatehouse serve runs on this data directory")
	second.Apply(gatehouse.Change{GoneDeployment: testID})
	second.stop(t)
	if startTime(pid) == "" {
		t.Fatal("the first one's engine was ended")
	}
	write(t, e.Endpoint, "still_here")
}

func TestAProcessThatIsNotTheEngineIsLeftAlone(t *testing.T) {
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Process.Kill(); other.Wait() })
	w := supervise(t, programDir(t), t.TempDir())
	if err := os.MkdirAll(w.folder(testID), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := engineFiles(w.folder(testID)).writePID(other.Process.Pid); err != nil {
		t.Fatal(err)
	}
	w.Apply(created(managedDeployment()))
	w.await(t, gatehouse.Running)
	if startTime(other.Process.Pid) == "" {
		t.Error("a stranger was killed")
	}
}

func TestAnEngineHasTimeToWriteItsDataEvenAfterStopsDeadline(t *testing.T) {
	dataDir := t.TempDir()
	w := supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	write(t, w.await(t, gatehouse.Running).Endpoint, "last_second")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w.Stop(ctx)

	w = supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	awaitSample(t, w.await(t, gatehouse.Running).Endpoint, "last_second")
}
