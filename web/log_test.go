package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// writeLog puts lines into a log of the deployment.
func (s *site) writeLog(d gatehouse.Deployment, name string, lines ...string) {
	s.Helper()
	dir := filepath.Join(s.dir, "deployments", d.ID)
	if d.Connected() {
		dir = filepath.Join(s.dir, "connected", d.ID)
	}
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

func TestOfAConnectedDeploymentTheLogOfVmalertIsHere(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addCluster("fleet")
	logs := "/deployments/" + d.ID + "/logs"
	v.get(logs).wantText("#log-lines", "only deployments with rules have one")
	s.writeLog(d, "vmalert.log", "info\trules loaded")
	for _, path := range []string{logs, logs + "?log=vmalert", logs + "?log=engine"} {
		p := v.get(path)
		p.wantText(".log", "rules loaded")
		if got := p.text("#log-filter select"); got != "vmalert" {
			t.Errorf("the page offers the logs %q", got)
		}
	}
	v.get(logs).wantText(".tabs", "Logs")
	_, err := s.control.Log(t.Context(), system, d.ID, gatehouse.EngineLog, 10)
	if gatehouse.ErrorCode(err) != gatehouse.NotFound || !strings.Contains(err.Error(), "runs elsewhere") {
		t.Errorf("its engine's log: %v", err)
	}
}

func TestAnEngineInTroubleShowsItsLastLogLines(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addUser(viewerEmail, gatehouse.Viewer)
	d := s.addDeployment("prod")
	overview := "/deployments/" + d.ID
	set := func(status gatehouse.Status, detail string) {
		t.Helper()
		if err := s.store.SetState(t.Context(), d.ID, gatehouse.State{Status: status, Detail: detail}); err != nil {
			t.Fatal(err)
		}
	}
	set(gatehouse.Failed, "there is no program")
	if p := v.get(overview); p.has(".last-lines") {
		t.Errorf("an engine without a log shows %s", p.text(".last-lines"))
	}
	s.writeLog(d, "engine.log", append(slices.Repeat([]string{"info\tan old line"}, 100), "panic\tthe <b>magic</b> smoke \xff")...)
	p := v.get(overview)
	p.wantText(".last-lines", "Last log linesinfo an old line")
	p.wantText(".last-lines", "panic the <b>magic</b> smoke \uFFFD All of the log")
	if n := strings.Count(p.text(".last-lines"), "old line"); n != 49 {
		t.Errorf("it shows %d older lines, want 49", n)
	}
	if !p.has(".last-lines[open]") || p.attr(".last-lines a", "href") != overview+"/logs?log=engine" {
		t.Error("the lines are hidden, or do not lead to the log")
	}
	set(gatehouse.Provisioning, "VictoriaMetrics is still opening its data")
	v.get(overview).wantText(".last-lines", "magic")
	if p := s.signedIn(viewerEmail).get(overview); p.has(".last-lines") {
		t.Error("a viewer reads the log")
	}
	for _, status := range []gatehouse.Status{gatehouse.Running, gatehouse.Stopped} {
		set(status, "it uses 95 % of its storage")
		if p := v.get(overview); p.has(".last-lines") {
			t.Errorf("a deployment that is %s shows its log", status)
		}
	}
}

func TestOfAClusterTheLogOfTheProgramInTroubleIsShown(t *testing.T) {
	programs := t.TempDir()
	for _, name := range []string{"vmstorage", "vminsert", "vmselect"} {
		if err := os.WriteFile(filepath.Join(programs, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", programs)
	s, v := newSiteWithAdmin(t)
	d, err := s.control.CreateDeployment(t.Context(), system, gatehouse.NewDeployment{Name: "fleet", Type: gatehouse.Cluster})
	if err != nil {
		t.Fatal(err)
	}
	s.writeLog(d, "vmstorage.log", "all is well")
	s.writeLog(d, "vmselect.log", "the magic smoke")
	for detail, want := range map[string]string{"vmselect has ended: Gatehouse starts it again": "the magic smoke", "the disk is full": "all is well"} {
		if err := s.store.SetState(t.Context(), d.ID, gatehouse.State{Status: gatehouse.Failed, Detail: detail}); err != nil {
			t.Fatal(err)
		}
		v.get("/deployments/"+d.ID).wantText(".last-lines .log", want)
	}
}
