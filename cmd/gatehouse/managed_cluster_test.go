package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

var clusterPrograms = []string{"vmstorage", "vminsert", "vmselect"}

// clusterEngineDir holds all programs that Gatehouse can run, those of a cluster among them.
func clusterEngineDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	link := func(path string) {
		t.Helper()
		if err := os.Symlink(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range clusterPrograms {
		link(clusterProgram(t, name))
	}
	for _, name := range []string{"victoria-metrics", "vmalert"} {
		link(engineProgram(t, name))
	}
	return dir
}

// serveCluster starts a server with a managed cluster "fleet".
func serveCluster(t *testing.T) (p *program, engineDir string) {
	t.Helper()
	engineDir = clusterEngineDir(t)
	p = serve(t, newDataDir(t), "--engine-dir", engineDir)
	must(t, p.dataDir, "", "deployment", "create", "fleet", "--type", "cluster", "--engine-dir", engineDir)
	p.waitRunning("fleet")
	return p, engineDir
}

// programPID finds the process of one of a managed cluster's programs.
func (p *program) programPID(deployment, name string) int {
	p.t.Helper()
	var pid int
	path := filepath.Join(p.dataDir, "deployments", p.show(deployment).ID, name+".pid")
	eventually(p.t, "the process of "+name+" is noted", func() error {
		note, err := os.ReadFile(path)
		if err == nil {
			_, err = fmt.Sscanf(string(note), "%d", &pid)
		}
		return err
	})
	return pid
}

func (p *program) programPIDs(deployment string) map[string]int {
	p.t.Helper()
	all := map[string]int{}
	for _, name := range clusterPrograms {
		all[name] = p.programPID(deployment, name)
	}
	return all
}

// awaitEnd waits until the processes have ended.
func awaitEnd(t *testing.T, pids map[string]int) {
	t.Helper()
	for name, pid := range pids {
		eventually(t, name+" has ended", func() error {
			if isAlive(pid) {
				return fmt.Errorf("process %d runs", pid)
			}
			return nil
		})
	}
}

// exported reads a series back without any cache, through the endpoint.
func (p *program) exported(secret, prefix, series string) error {
	a, err := p.tryRequest("GET", secret, prefix+"/prometheus/api/v1/export?match[]="+url.QueryEscape(series), "")
	if err == nil && !strings.Contains(a.body, "[42]") {
		err = fmt.Errorf("the answer is %d: %s", a.status, a.body)
	}
	return err
}

func TestAClusterWithoutItsProgramsIsRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	told := func(text string) {
		t.Helper()
		for _, word := range []string{"there is no vmstorage, vmselect, vminsert in ", "-cluster.tar.gz", "deployment connect --type cluster"} {
			if !strings.Contains(text, word) {
				t.Errorf("it says %q; want it to say %q", text, word)
			}
		}
	}
	r := command(t, dir, "", "deployment", "create", "fleet", "--type", "cluster", "--engine-dir", t.TempDir())
	if told(r.err); r.code != exitFailed || strings.Count(r.err, "\n") != 1 {
		t.Errorf("the command ends with %+v", r)
	}
	c := newAPIClient(t, p, dir, "terraform")
	const body = `{"name":"fleet","type":"cluster","provider":"local","region":"local","tier":11,"storage_size":10,"storage_size_unit":"GB","retention":6,"retention_unit":"m"}`
	told(c.wantStatus(http.StatusServiceUnavailable, "POST", body, "deployments").body)
	if list := must(t, dir, "", "deployment", "list"); strings.Contains(list, "fleet") {
		t.Errorf("it is there all the same:\n%s", list)
	}
}

func TestTokensOfAManagedCluster(t *testing.T) {
	t.Parallel()
	p, _ := serveCluster(t)
	one, two, any := tenantToken(t, p, "one", "7"), tenantToken(t, p, "two", "8:1"), newToken(t, p.dataDir, "fleet", "any", "rw")
	p.answers(http.StatusNoContent, "POST", one, writeSuffix, "by_one 42")
	p.answers(http.StatusNoContent, "POST", two, "/insert/8:1"+writeSuffix, "by_two 42")
	p.answers(http.StatusNoContent, "POST", any, "/insert/7"+writeSuffix, "by_any 42")
	p.answers(http.StatusForbidden, "POST", one, "/insert/8:1"+writeSuffix, "stray 42")
	p.answers(http.StatusForbidden, "GET", two, "/select/7/prometheus/api/v1/export?match[]=by_one", "")
	for _, read := range []struct{ secret, prefix, series string }{
		{one, "", "by_one"}, {one, "", "by_any"}, {two, "", "by_two"}, {two, "/select/8:1", "by_two"}, {any, "/select/8:1", "by_two"}, {any, "/select/7:0", "by_any"},
	} {
		eventually(t, read.series+" can be read", func() error { return p.exported(read.secret, read.prefix, read.series) })
	}
	for secret, all := range map[string]string{one: `{__name__=~"by_two|stray"}`, two: `{__name__=~"by_one|by_any|stray"}`} {
		if p.exported(secret, "", all) == nil {
			t.Errorf("a token reads %s of another tenant", all)
		}
	}
	e := newTester(t, p)
	e.press(t, "curl", "fleet", "rw", "Write a sample: done.", "Read it back: done.", "The address and the token work.")
	for _, name := range clusterPrograms {
		text := e.get("/deployments/" + p.show("fleet").ID + "/logs?log=" + name)
		if !strings.Contains(text, "Log of "+name) || !strings.Contains(text, "app/"+name) {
			t.Errorf("the page of logs does not show that of %s", name)
		}
	}
	if out := command(t, p.dataDir, "", "doctor").out; !strings.Contains(out, "deployment fleet") || !strings.Contains(out, "it runs") {
		t.Errorf("doctor says\n%s", out)
	}
}

func (e tester) get(path string) string {
	e.t.Helper()
	r, err := e.client.Get(e.console + path)
	if err != nil {
		e.t.Fatal(err)
	}
	return readAll(e.t, r)
}

func TestAManagedClusterKeepsItsDataOverItsLife(t *testing.T) {
	t.Parallel()
	p, _ := serveCluster(t)
	secret := tenantToken(t, p, "writer", "7")
	id := p.show("fleet").ID
	p.answers(http.StatusNoContent, "POST", secret, writeSuffix, "kept 42")

	must(t, p.dataDir, "", "deployment", "stop", "fleet")
	p.waitStatus("fleet", "STOPPED", "stopped by command line")
	p.answers(http.StatusServiceUnavailable, "POST", secret, writeSuffix, "lost 42")
	must(t, p.dataDir, "", "deployment", "start", "fleet")
	p.waitRunning("fleet")
	eventually(t, "the sample outlives a stop", func() error { return p.exported(secret, "", "kept") })

	before := p.programPIDs("fleet")
	must(t, p.dataDir, "", "deployment", "set", "fleet", "--tier", "cluster-medium", "--retention", "6m", "--select-flag=-search.maxQueryDuration=20s", "--insert-flag=-maxLabelsPerTimeseries=20")
	awaitEnd(t, before)
	p.waitRunning("fleet")
	eventually(t, "the sample outlives new settings", func() error { return p.exported(secret, "", "kept") })
	if r := command(t, p.dataDir, "", "deployment", "set", "fleet", "--insert-flag=-search.maxQueryDuration=20s"); r.code != exitFailed || !strings.Contains(r.err, "give it to vmselect") {
		t.Errorf("a flag of another program is taken: %+v", r)
	}

	must(t, p.dataDir, "", "deployment", "delete", "fleet")
	eventually(t, "its data is in the trash", func() error {
		if found, err := filepath.Glob(filepath.Join(p.dataDir, "trash", id+"-*")); len(found) != 1 {
			return fmt.Errorf("found %v, %v", found, err)
		}
		return nil
	})
	must(t, p.dataDir, "", "deployment", "restore", "fleet")
	p.waitRunning("fleet")
	secret = tenantToken(t, p, "reader", "7")
	eventually(t, "the sample outlives the trash", func() error { return p.exported(secret, "", "kept") })
}

func TestFaultsOfAManagedCluster(t *testing.T) {
	t.Parallel()
	p, engineDir := serveCluster(t)
	secret := tenantToken(t, p, "writer", "7")
	p.answers(http.StatusNoContent, "POST", secret, writeSuffix, "kept 42")
	eventually(t, "the sample can be read", func() error { return p.exported(secret, "", "kept") })

	pid := p.programPID("fleet", "vmselect")
	syscall.Kill(pid, syscall.SIGSTOP)
	p.waitStatus("fleet", "ERROR", fmt.Sprintf("vmselect (process %d) runs but does not answer", pid))
	p.answers(http.StatusNoContent, "POST", secret, writeSuffix, "meanwhile 42") // who writes notices nothing
	p.answers(http.StatusServiceUnavailable, "GET", secret, readSuffix+"?query=1", "")
	syscall.Kill(pid, syscall.SIGCONT)
	p.waitRunning("fleet")
	eventually(t, "what was written meanwhile can be read", func() error { return p.exported(secret, "", "meanwhile") })

	for i := range 10 {
		p.answers(http.StatusNoContent, "POST", secret, writeSuffix, fmt.Sprintf("last_second_%d 42", i))
	}
	left := p.programPIDs("fleet")
	p.kill()
	awaitEnd(t, left)
	p = serve(t, p.dataDir, "--engine-dir", engineDir)
	p.waitRunning("fleet")
	for i := range 10 {
		eventually(t, "the samples outlive a killed Gatehouse", func() error { return p.exported(secret, "", fmt.Sprintf("last_second_%d", i)) })
	}
	left = p.programPIDs("fleet")
	p.stop()
	awaitEnd(t, left)
}

func TestRulesOfAManagedClusterAreEvaluatedInTenant0(t *testing.T) {
	t.Parallel()
	p, _ := serveCluster(t)
	receiver := newAlertmanager(t)
	c := newAPIClient(t, p, p.dataDir, "rules")
	id := p.show("fleet").ID
	must(t, p.dataDir, "", "deployment", "set", "fleet", "--notifier-url", receiver.URL)
	c.wantStatus(http.StatusNoContent, "POST", storyRules, "deployments", id, "rule-sets", "files", "story")
	p.below(t, "/prometheus").recorded(tenantToken(t, p, "zero", "0"), "the series is recorded")
	receiver.awaitMore(t, "the alert fires")
	if a := p.request("GET", tenantToken(t, p, "other", "7"), "/prometheus/api/v1/query?query=story:recorded", ""); strings.Contains(a.body, `"42"`) {
		t.Errorf("another tenant has it too: %s", a.body)
	}
	syscall.Kill(p.programPID("fleet", "vmselect"), syscall.SIGKILL)
	p.waitRunning("fleet")
	receiver.awaitMore(t, "the alert fires again when vmselect is back")
}
