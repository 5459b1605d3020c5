package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// heldPrograms is a directory of engine programs that do not start while it is held: what a fault looks like can then be seen, however
// slow the machine or fast the recovery.
type heldPrograms struct {
	t   *testing.T
	dir string
}

func newHeldPrograms(t *testing.T) heldPrograms {
	t.Helper()
	h := heldPrograms{t, t.TempDir()}
	for _, name := range []string{"victoria-metrics", "vmalert"} {
		h.replace(name, fmt.Sprintf("#!/bin/sh\nwhile [ \"$1\" != -version ] && [ -e '%s' ]; do sleep 0.1; done\nexec '%s' \"$@\"\n",
			h.flag(), filepath.Join(engineDir(t), name)))
	}
	return h
}

func (h heldPrograms) flag() string { return filepath.Join(h.dir, "held") }

func (h heldPrograms) hold() { h.must(os.WriteFile(h.flag(), nil, 0o600)) }

func (h heldPrograms) release() { h.must(os.Remove(h.flag())) }

// replace puts another file into the place of a program, of which a process may still run.
func (h heldPrograms) replace(name, content string) {
	h.t.Helper()
	fresh := filepath.Join(h.dir, name+".fresh")
	h.must(os.WriteFile(fresh, []byte(content), 0o755))
	h.must(os.Rename(fresh, filepath.Join(h.dir, name)))
}

func (h heldPrograms) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// shows does something, waits until the open page shows what matches, and logs how long that took. It asserts no time: this machine
// may be busy.
func (b *tab) shows(after string, do func(), pattern string) {
	b.Helper()
	began := time.Now()
	do()
	b.seesMatch(pattern)
	b.Logf("measured: %s: on the page after %v", after, time.Since(began).Round(time.Millisecond))
}

// otherDeployment makes a second deployment, and gives a check that it serves on with the same engine.
func (p *program) otherDeployment(t *testing.T) (untouched func()) {
	t.Helper()
	must(t, p.dataDir, "", "deployment", "create", "other")
	p.waitRunning("other")
	secret, pid := newToken(t, p.dataDir, "other", "t", "rw"), p.enginePID("other")
	return func() {
		t.Helper()
		p.wantWritable(secret, "untouched")
		if p.enginePID("other") != pid || p.show("other").Status != "RUNNING" {
			t.Error("the other deployment's engine was started anew")
		}
	}
}

func TestAnOpenOverviewFollowsWhatHappensToItsEngine(t *testing.T) {
	programs := newHeldPrograms(t)
	p, b := newConsole(t, "/deployments/default", "--engine-dir", programs.dir)
	untouched := p.otherDeployment(t)
	secret := newToken(t, p.dataDir, "default", "t", "rw")
	p.wantWritable(secret, "kept")
	p.wantSample(secret, "kept")
	p.waitOnDisk("default")
	b.sees("Last request")
	stayed := b.stay()
	const running = `Running Single node Managed`

	for _, c := range []struct {
		what   string
		signal syscall.Signal
		shows  string // with the remedy
		log    string
	}{
		{"an engine is killed", syscall.SIGKILL,
			`Error .*VictoriaMetrics has ended: something killed it, often the system for lack of memory; Gatehouse starts it again`, ""},
		{"an engine crashes", syscall.SIGQUIT,
			`Error .*VictoriaMetrics has ended: Gatehouse tries again; .*engine\.log may tell more \(exit status 2: SIGQUIT`, `(rip|pc) +0x[0-9a-f]+`},
	} {
		programs.hold()
		b.shows(c.what, func() { syscall.Kill(p.enginePID("default"), c.signal) }, c.shows)
		b.seesMatch(`Last log lines .*` + c.log + `.*All of the log`)
		if a := p.request("POST", secret, "/api/v1/import/prometheus", "lost 42"); a.status != http.StatusServiceUnavailable {
			t.Errorf("writing answers %d: %s", a.status, a.body)
		}
		untouched()
		b.shows(c.what+", and may start again", programs.release, running)
		b.seesNo("Last log lines")
		p.wantSample(secret, "kept")
	}

	pid := p.enginePID("default")
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	b.shows("an engine hangs", func() { syscall.Kill(pid, syscall.SIGSTOP) },
		fmt.Sprintf(`Error .*process %d\) runs but does not answer; look for overload, a slow disk or lack of memory.*Last log lines`, pid))
	untouched()
	b.shows("an engine hangs, and goes on", func() { syscall.Kill(pid, syscall.SIGCONT) }, running)
	p.wantSample(secret, "kept")
	if p.enginePID("default") != pid {
		t.Error("the engine was started anew")
	}
	stayed()
}

func TestAnOpenRulesTabFollowsWhatHappensToVmalert(t *testing.T) {
	programs := newHeldPrograms(t)
	p, b := newConsole(t, "/deployments/default/rules", "--engine-dir", programs.dir)
	stayed := b.stay()
	d := p.show("default")
	newAPIClient(t, p, p.dataDir, "rules").wantStatus(http.StatusNoContent, "POST", storyRules, "deployments", d.ID, "rule-sets", "files", "story.yml")
	const evaluated = `AlwaysFiring Firing .*vmalert.*: Running`
	b.seesMatch(evaluated)
	enginePID := p.enginePID("default")

	programs.hold()
	b.shows("vmalert is killed", func() { syscall.Kill(p.vmalertPID(d.ID), syscall.SIGKILL) },
		`vmalert has ended \(signal: killed.*\); Gatehouse starts it again, and .*vmalert\.log may tell more`)
	b.shows("vmalert is killed, and may start again", programs.release, `vmalert.*: Running`)
	b.seesMatch(evaluated)

	pid := p.vmalertPID(d.ID)
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGCONT) })
	b.shows("vmalert hangs", func() { syscall.Kill(pid, syscall.SIGSTOP) },
		fmt.Sprintf(`vmalert \(process %d\) runs but does not answer; look for overload or lack of memory.* vmalert.*: Error`, pid))
	b.shows("vmalert hangs, and goes on", func() { syscall.Kill(pid, syscall.SIGCONT) }, `vmalert.*: Running`)
	b.seesMatch(evaluated)
	stayed()
	if p.enginePID("default") != enginePID {
		t.Error("the engine was started anew")
	}
}

// TestAnOpenPageOutlivesAKilledGatehouse kills the server with the newest token and sample not a moment old.
func TestAnOpenPageOutlivesAKilledGatehouse(t *testing.T) {
	console := "127.0.0.1:" + freePort(t)
	p, b := newConsole(t, "/deployments/default", "--console-listen", console)
	b.expectTrouble(`net::ERR_|Failed to fetch`)
	stayed := b.stay()
	secret := newToken(t, p.dataDir, "default", "survivor", "rw")
	eventually(t, "the token writes", func() error {
		if a := p.request("POST", secret, "/api/v1/import/prometheus", "kept 42"); a.status != http.StatusNoContent {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
	b.shows("Gatehouse is killed", p.kill, `Connection to Gatehouse lost\. Trying again…`)
	began := time.Now()
	again := serve(t, p.dataDir, "--console-listen", console)
	eventually(t, "the page says no more that the connection is lost", func() error {
		if shown, err := b.text(); err != nil || strings.Contains(shown, "Connection to Gatehouse lost") {
			return fmt.Errorf("it shows %s (%v)", shown, err)
		}
		return nil
	})
	b.sees("Running Single node Managed")
	t.Logf("measured: Gatehouse starts again: the page follows after %v", time.Since(began).Round(time.Millisecond))
	again.waitRunning("default")
	again.wantSample(secret, "kept")
	newToken(t, p.dataDir, "default", "after the kill", "r")
	b.sees("Access tokens 3")
	stayed()
}
