package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

// show gives a deployment as the command line shows it, from this process: a new one for each look would keep the machine busy.
func (p *program) show(deployment string) (d deploymentJSON) {
	p.t.Helper()
	err := (&commands{DataDir: p.dataDir}).withData(p.t.Context(), func(ctl *control.Control, actor gatehouse.Actor) error {
		found, err := ctl.Deployment(p.t.Context(), actor, deployment)
		d = deploymentOut(found)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

// waitStatus waits until a deployment has the status, and a detail with the words.
func (p *program) waitStatus(deployment, status, words string) {
	p.t.Helper()
	eventually(p.t, "the deployment "+deployment+" is "+status, func() error {
		if d := p.show(deployment); d.Status != status || !strings.Contains(d.StatusDetail, words) {
			return fmt.Errorf("it is %s: %s", d.Status, d.StatusDetail)
		}
		return nil
	})
}

// enginePID finds the engine's process of a deployment.
func (p *program) enginePID(deployment string) int {
	p.t.Helper()
	id := p.show(deployment).ID
	for pid, line := range enginesOf(p.t, p.dataDir) {
		if strings.Contains(line, id) {
			n, err := strconv.Atoi(pid)
			if err != nil {
				p.t.Fatal(err)
			}
			return n
		}
	}
	p.t.Fatalf("no engine of the deployment %s runs", deployment)
	return 0
}

func (p *program) wantWritable(secret, series string) {
	p.t.Helper()
	if a := p.request("POST", secret, "/api/v1/import/prometheus", series+" 42"); a.status != http.StatusNoContent {
		p.t.Errorf("writing answers %d: %s", a.status, a.body)
	}
}

// wantSample waits until the sample can be read through the access endpoint.
func (p *program) wantSample(secret, series string) {
	p.t.Helper()
	eventually(p.t, "the sample of "+series+" is there", func() error {
		if a := p.request("GET", secret, "/api/v1/export?match[]="+series, ""); !strings.Contains(a.body, "[42]") {
			return fmt.Errorf("the answer is %d: %s", a.status, a.body)
		}
		return nil
	})
}

var partNameRe = regexp.MustCompile(`"[0-9A-F]{16}"`)

// waitOnDisk waits until an engine has written its first samples to disk, safe from its being killed. It does so every five seconds.
func (p *program) waitOnDisk(deployment string) {
	p.t.Helper()
	data := filepath.Join(p.dataDir, "deployments", p.show(deployment).ID, "data", "data")
	for _, kind := range []string{"small", "indexdb"} {
		eventually(p.t, "parts of "+kind+" are on disk", func() error {
			// What this list does not name is unfinished, and dropped at the next start.
			lists, err := filepath.Glob(filepath.Join(data, kind, "*", "parts.json"))
			for _, list := range lists {
				if text, err := os.ReadFile(list); err == nil && partNameRe.Match(text) {
					return nil
				}
			}
			return fmt.Errorf("%d lists name none, %v", len(lists), err)
		})
	}
}

func TestFaultsOfOneEngineAreShownAndTouchNoOtherDeployment(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	must(t, dir, "", "deployment", "create", "other")
	p.waitRunning("default")
	p.waitRunning("other")
	value, otherValue := newToken(t, dir, "default", "t", "rw"), newToken(t, dir, "other", "t", "rw")
	p.wantWritable(value, "kept")
	p.wantSample(value, "kept")
	p.waitOnDisk("default")
	otherPID := p.enginePID("other")

	pid := p.enginePID("default")
	syscall.Kill(pid, syscall.SIGSTOP)
	p.waitStatus("default", "ERROR", "does not answer")
	if a := p.request("POST", value, "/api/v1/import/prometheus", "lost 42"); a.status != http.StatusServiceUnavailable {
		t.Errorf("writing to a hung engine answers %d: %s", a.status, a.body)
	}
	p.wantWritable(otherValue, "untouched")
	syscall.Kill(pid, syscall.SIGCONT)
	p.waitRunning("default")
	p.wantSample(value, "kept")

	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "another engine serves", func() error {
		if a, err := p.tryRequest("POST", value, "/api/v1/import/prometheus", "after 42"); err != nil || a.status != http.StatusNoContent || p.enginePID("default") == pid {
			return fmt.Errorf("the answer is %d, %v", a.status, err)
		}
		return nil
	})
	p.wantSample(value, "kept")
	p.wantWritable(otherValue, "untouched_still")
	if p.enginePID("other") != otherPID || p.show("other").Status != "RUNNING" {
		t.Error("the other deployment's engine was started anew")
	}
}

func TestTiersFromAFile(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	file := filepath.Join(t.TempDir(), "tiers.yml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("tiers:\n  - id: 1000\n    name: tiny\n    max_active_series: 20\n")
	if r := command(t, dir, "", "--tiers", file, "serve"); r.code != exitFailed || !strings.Contains(r.err, "line 4") || strings.Count(r.err, "\n") != 1 {
		t.Errorf("a bad file ends with %+v", r)
	}
	write("tiers:\n  - id: 1000\n    name: tiny\n    active_time_series: 20\n    max_concurrent_requests: 7\n")
	p := serve(t, dir, "--tiers", file)
	p.waitRunning("default")
	must(t, dir, "", "deployment", "create", "small one", "--tiers", file, "--tier", "tiny")
	p.waitRunning("small one")
	if r := command(t, dir, "", "deployment", "create", "unknown", "--tier", "tiny"); r.code != exitFailed || !strings.Contains(r.err, "s.starter.a") {
		t.Errorf("without the file the tier is taken: %+v", r)
	}
	value := newToken(t, dir, "small one", "t", "rw")
	var lines strings.Builder
	for i := range 50 {
		fmt.Fprintf(&lines, "some_series{number=\"%d\"} 42\n", i)
	}
	if a := p.request("POST", value, "/api/v1/import/prometheus", lines.String()); a.status != http.StatusNoContent {
		t.Fatalf("writing answers %d: %s", a.status, a.body)
	}
	p.wantSample(value, "some_series")
	if a := p.request("GET", value, "/api/v1/export?match[]=some_series", ""); strings.Count(a.body, "\n") > 22 {
		t.Errorf("the tier lets %d series in", strings.Count(a.body, "\n"))
	}
	if got := p.show("small one").MaxConcurrentRequests; got != 7 {
		t.Errorf("a token may run %d requests at a time, want the tier's 7", got)
	}
}

func TestStopStartDeleteRestoreAndFree(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	value := newToken(t, dir, "default", "t", "rw")
	p.wantWritable(value, "kept")
	p.wantSample(value, "kept")
	pid := p.enginePID("default")

	must(t, dir, "", "deployment", "stop", "default")
	p.waitStatus("default", "STOPPED", "stopped by command line")
	eventually(t, "its engine has ended", func() error {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			return fmt.Errorf("process %d runs", pid)
		}
		return nil
	})
	if a := p.request("GET", value, "/api/v1/export?match[]=kept", ""); a.status != http.StatusServiceUnavailable {
		t.Errorf("a stopped deployment answers %d: %s", a.status, a.body)
	}
	p.stop()
	p = serve(t, dir)
	p.waitStatus("default", "STOPPED", "stopped by command line") // also after a restart of Gatehouse
	must(t, dir, "", "deployment", "start", "default")
	p.waitRunning("default")
	p.wantSample(value, "kept")

	id := p.show("default").ID
	must(t, dir, "", "deployment", "delete", "default")
	trash := filepath.Join(dir, "trash", id+"-*")
	awaitFolders := func(pattern string, want int) {
		t.Helper()
		eventually(t, pattern, func() error {
			if found, err := filepath.Glob(pattern); err != nil || len(found) != want {
				return fmt.Errorf("there are %d folders, want %d (%v)", len(found), want, err)
			}
			return nil
		})
	}
	awaitFolders(trash, 1)
	if list := must(t, dir, "", "deployment", "trash"); !strings.Contains(list, id) || !strings.Contains(list, "default") {
		t.Errorf("the trash is listed as\n%s", list)
	}
	must(t, dir, "", "deployment", "restore", "default", "--rename", "back again")
	p.waitRunning("back again")
	awaitFolders(trash, 0)
	if a := p.request("GET", value, "/api/v1/export?match[]=kept", ""); a.status != http.StatusUnauthorized {
		t.Errorf("the old token answers %d", a.status)
	}
	p.wantSample(newToken(t, dir, "back again", "t", "r"), "kept")

	must(t, dir, "", "deployment", "delete", id)
	awaitFolders(trash, 1)
	must(t, dir, "", "deployment", "free", "back again")
	if r := command(t, dir, "", "deployment", "restore", id); r.code != exitFailed || !strings.Contains(r.err, "freed") {
		t.Errorf("a freed deployment is restored: %+v", r)
	}
	awaitFolders(trash, 0)
}

func TestTheTrashIsEmptiedAfterItsRetention(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	strange := filepath.Join(dir, "trash", "0b7c1b36-5f3a-4b52-9a53-2f6c8a6f1c11-20250101T000000Z")
	if err := os.MkdirAll(strange, 0o700); err != nil {
		t.Fatal(err)
	}
	id := p.show("default").ID
	must(t, dir, "", "deployment", "delete", "default")
	awaitTrash := func(want int) {
		t.Helper()
		eventually(t, "the folder of the deleted deployment", func() error {
			if found, _ := filepath.Glob(filepath.Join(dir, "trash", id+"-*")); len(found) != want {
				return fmt.Errorf("there are %d folders, want %d", len(found), want)
			}
			return nil
		})
	}
	awaitTrash(1)
	p.stop()
	p = serve(t, dir)
	awaitTrash(1)
	p.stop()
	serve(t, dir, "--trash-retention", "1ms")
	awaitTrash(0)
	if _, err := os.Stat(strange); err != nil {
		t.Errorf("data that this Gatehouse has not deleted was freed: %v", err)
	}
}
