package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// writeLog puts lines into a log of the deployment.
func (s *site) writeLog(d gatehouse.Deployment, name string, lines ...string) {
	s.Helper()
	dir := filepath.Join(s.dir, "deployments", d.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		s.Fatal(err)
	}
}

func TestLogsAreShownAndSearched(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	logs := "/deployments/" + d.ID + "/logs"
	v.get(logs).wantText("#log-lines", "This deployment has no engine log")

	s.writeLog(d, "engine.log", "info\tstarted <b>here</b>", "warn\tSlow query", "info\tended", "bad \xff byte", strings.Repeat("long ", 2000))
	s.writeLog(d, "vmalert.log", "info\trules loaded")
	p := v.get(logs)
	p.wantText("#log-lines", "Last 5 lines")
	p.wantText(".log", "started <b>here</b>")
	if len(p.text(".log")) > 5000 {
		t.Error("a long line is shown in full")
	}
	if p.attr("#log-lines", "hx-trigger") != "every 2s" {
		t.Error("the page does not follow the log")
	}
	p = v.get(logs + "?search=SLOW+query&pause=1")
	p.wantText("#log-lines", "1 of the last 5 lines")
	if got := p.text(".log"); got != "warn Slow query" {
		t.Errorf("found %q", got)
	}
	if find(p.doc, "#log-lines[hx-trigger]") != nil {
		t.Error("the paused page follows the log")
	}
	v.get(logs+"?log=vmalert").wantText(".log", "rules loaded")
	v.get(logs+"?log=../../engine").wantStatus(http.StatusOK).wantText(".log", "started")
}

func TestLogsAreCutToTheLastLines(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	lines := make([]string, 10_000)
	for i := range lines {
		lines[i] = "one of many lines"
	}
	s.writeLog(d, "engine.log", append(lines, "the newest")...)
	p := v.get("/deployments/" + d.ID + "/logs")
	p.wantText("#log-lines", "Last 2,000 lines")
	p.wantText(".log", "the newest")
}

func TestAConnectedDeploymentHasItsLogsElsewhere(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addCluster("fleet")
	p := v.get("/deployments/" + d.ID + "/logs")
	p.wantText("#log-lines", "runs elsewhere")
	if tabs := p.text(".tabs"); strings.Contains(tabs, "Logs") {
		t.Errorf("the tabs offer %q", tabs)
	}
}
