package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

const storyRules = `groups:
- name: story
  interval: 1s
  rules:
  - record: story:recorded
    expr: vector(42)
  - alert: AlwaysFiring
    expr: vector(7)
    labels: {severity: page}
`

// alertmanager counts the firing alerts that it gets as Alertmanager does, at /api/v2/alerts, and keeps the last one.
type alertmanager struct {
	*httptest.Server
	firing atomic.Int64
	last   atomic.Value
}

func newAlertmanager(t *testing.T) *alertmanager {
	a := &alertmanager{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var alerts []struct {
			Labels       map[string]string
			GeneratorURL string
		}
		if r.Method != http.MethodPost || r.URL.Path != "/api/v2/alerts" || json.Unmarshal(body, &alerts) != nil {
			http.Error(w, "not an alert", http.StatusBadRequest)
			return
		}
		for _, one := range alerts {
			if one.Labels["alertname"] == "AlwaysFiring" && one.Labels["severity"] == "page" {
				a.last.Store(one.GeneratorURL)
				a.firing.Add(1)
			}
		}
	}))
	t.Cleanup(a.Close)
	return a
}

// awaitMore waits until the Alertmanager gets another firing alert.
func (a *alertmanager) awaitMore(t *testing.T, what string) {
	t.Helper()
	before := a.firing.Load()
	eventually(t, what, func() error {
		if a.firing.Load() == before {
			return fmt.Errorf("it has got %d alerts", before)
		}
		return nil
	})
}

// recorded waits until the series of storyRules can be queried with a token.
func (p *program) recorded(reader, what string) {
	p.t.Helper()
	eventually(p.t, what, func() error {
		if a := p.request("GET", reader, "/api/v1/query?query=story:recorded", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"42"`) {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
}

// vmalertPID gives the process that evaluates the rules of a deployment, managed or connected.
func (p *program) vmalertPID(deploymentID string) int {
	var pid int
	eventually(p.t, "the process of vmalert is noted", func() error {
		found, err := filepath.Glob(filepath.Join(p.dataDir, "*", deploymentID, "vmalert.pid"))
		if err != nil || len(found) != 1 {
			return fmt.Errorf("found %v, %v", found, err)
		}
		note, err := os.ReadFile(found[0])
		if err == nil {
			_, err = fmt.Sscanf(string(note), "%d", &pid)
		}
		return err
	})
	return pid
}

// isAlive also counts a process that has ended as gone when nobody has taken note of its end yet.
func isAlive(pid int) bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return len(line) > 0
}

// TestRulesAreEvaluated tells the whole story of a rule file: typed in the console, evaluated, seen, and recovering from every kill.
func TestRulesAreEvaluated(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default")
	d := p.show("default")
	reader := newToken(t, p.dataDir, "default", "reader", "r")
	receiver := newAlertmanager(t)

	b.click("link", "Rules")
	b.fill("Alertmanager URL optional", "alertmanager:9093")
	b.click("button", "Save")
	b.wantFieldError("Alertmanager URL optional", "is not a full http or https URL", "alertmanager:9093")
	b.fill("Alertmanager URL optional", receiver.URL)
	b.clickToLoad("button", "Save")
	b.sees("No rules")

	b.clickToLoad("link", "Add rule file")
	b.fill("File name", "story.yml")
	const broken = "groups:\n- name: story\n  rules:\n  - record: story:recorded\n    expr: sum(up\n"
	b.fill("Rules", broken)
	b.click("button", "Save")
	b.wantFieldError("Rules", "Line 5", broken)
	b.fill("Rules", storyRules)
	b.click("button", "Save")
	b.sees("story.yml")

	p.recorded(reader, "the recorded series can be queried")
	receiver.awaitMore(t, "the notifier gets the firing alert")
	if link := receiver.last.Load(); link != p.console+"/deployments/"+d.ID+"/rules" {
		t.Errorf("the alert leads to %v", link)
	}
	b.seesMatch(`AlwaysFiring Firing .*severity=page.* 7`)
	b.seesMatch(`vmalert v1\.\d+\.\d+: Running`)
	b.seesMatch(`story:recorded vector\(42\) OK`)

	b.clickToLoad("link", "Logs")
	b.sees("VictoriaMetrics")
	b.visit("/deployments/" + d.ID + "/logs?log=vmalert&search=successfully")
	b.seesMatch(`\d+ of the last \d+ lines`)

	vmalert := p.vmalertPID(d.ID)
	syscall.Kill(vmalert, syscall.SIGKILL)
	eventually(t, "vmalert is started again", func() error {
		if p.vmalertPID(d.ID) == vmalert {
			return errors.New("its process is still noted")
		}
		return nil
	})
	receiver.awaitMore(t, "alerts go on after vmalert was killed")

	vmalert = p.vmalertPID(d.ID)
	b.visit("/profile") // which does not follow what happens
	p.kill()
	p = serve(t, p.dataDir)
	p.waitRunning("default")
	receiver.awaitMore(t, "alerts go on after Gatehouse was killed")
	awaitEnd(t, map[string]int{"the vmalert of the killed Gatehouse": vmalert})
	p.recorded(reader, "the recorded series is still there")
}

// TestRulesOfAConnectedDeploymentAreEvaluated tells the same of a VictoriaMetrics that Gatehouse does not run, with a credential and a path
// prefix.
func TestRulesOfAConnectedDeploymentAreEvaluated(t *testing.T) {
	t.Parallel()
	const upstream = "upstream-secret-5"
	passwordFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(passwordFile, []byte(upstream), 0o600); err != nil {
		t.Fatal(err)
	}
	node := startNode(t, engineProgram(t, "victoria-metrics"), "/vm/a", "-httpAuth.username=gate", "-httpAuth.password="+upstream, "-storageDataPath=data")
	programs := newHeldPrograms(t)
	p, b := newConsole(t, "/deployments/default", "--engine-dir", programs.dir)
	must(t, p.dataDir, "", "deployment", "connect", "elsewhere", "--type", "single_node", "--url", node,
		"--upstream-username", "gate", "--upstream-password-file", passwordFile)
	p.waitRunning("elsewhere")
	d := p.show("elsewhere")
	reader := newToken(t, p.dataDir, "elsewhere", "reader", "r")
	receiver := newAlertmanager(t)

	b.visit("/deployments/" + d.ID + "/rules")
	b.fill("Alertmanager URL optional", receiver.URL)
	b.clickToLoad("button", "Save")
	b.sees("No rules")
	b.clickToLoad("link", "Add rule file")
	b.fill("File name", "story.yml")
	b.fill("Rules", storyRules)
	b.click("button", "Save")
	receiver.awaitMore(t, "the notifier gets the firing alert")
	p.recorded(reader, "the recorded series can be queried")
	b.seesMatch(`AlwaysFiring Firing .*severity=page.* 7`)
	b.seesMatch(`vmalert.*: Running`)
	b.click("link", "Logs")
	b.seesMatch(`Last \d+ lines`)

	b.visit("/deployments/" + d.ID)
	vmalert := p.vmalertPID(d.ID)
	programs.hold()
	syscall.Kill(vmalert, syscall.SIGKILL)
	b.sees("Its rules need a look.")
	programs.release()
	receiver.awaitMore(t, "alerts go on after vmalert was killed")
	b.seesNo("Its rules need a look")

	b.visit("/profile") // which does not follow what happens
	vmalert = p.vmalertPID(d.ID)
	p.stop()
	if isAlive(vmalert) {
		t.Error("vmalert outlives Gatehouse")
	}
	p = serve(t, p.dataDir)
	receiver.awaitMore(t, "alerts go on after Gatehouse was started anew")
	vmalert = p.vmalertPID(d.ID)
	p.kill()
	p = serve(t, p.dataDir)
	receiver.awaitMore(t, "alerts go on after Gatehouse was killed")
	awaitEnd(t, map[string]int{"the vmalert of the killed Gatehouse": vmalert})
	p.recorded(reader, "the recorded series is still there")
	if log := p.log.String(); strings.Contains(log, upstream) {
		t.Error("the log holds the credential of the connected VictoriaMetrics")
	}

	vmalert = p.vmalertPID(d.ID)
	must(t, p.dataDir, "", "deployment", "delete", "elsewhere")
	eventually(t, "of the deleted deployment nothing is left", func() error {
		if _, err := os.Stat(filepath.Join(p.dataDir, "connected", d.ID)); err == nil || isAlive(vmalert) {
			return fmt.Errorf("its folder: %v; vmalert runs: %v", err, isAlive(vmalert))
		}
		return nil
	})
}

// TestRulesOfAConnectedClusterHaveTheTenantZero has clusters, and where to read back what vminsert got for the tenant 0.
func TestRulesOfAConnectedClusterHaveTheTenantZero(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) (fleet *cluster, node string){
		"single nodes under a path prefix": func(t *testing.T) (*cluster, string) {
			insert := startSingleNode(t, "/insert/0/prometheus")
			_, url := startFront(t, insert, startSingleNode(t, "/select/0/prometheus"))
			return &cluster{insertURL: url, selectURL: url}, insert
		},
		"vminsert, vmselect and vmstorage": func(t *testing.T) (*cluster, string) {
			fleet := startCluster(t)
			return fleet, fleet.selectURL + "/select/0/prometheus"
		},
	} {
		t.Run(name, func(t *testing.T) {
			fleet, node := start(t)
			p := serve(t, newDataDir(t))
			fleet.connect(p, "fleet")
			id := p.show("fleet").ID
			newAPIClient(t, p, p.dataDir, "rules").wantStatus(http.StatusNoContent, "POST", storyRules, "deployments", id, "rule-sets", "files", "story.yml")
			eventually(t, "the rule is recorded", func() error {
				found, err := series(node, "story:recorded")
				if err == nil && len(found) != 1 {
					err = fmt.Errorf("found %v", found)
				}
				return err
			})
			all := newToken(t, p.dataDir, "fleet", "all", "r")
			for tenant, want := range map[string]bool{"7": false, "0": fleet.multitenant} { // only real ones read what they have written
				a := p.request("GET", all, "/select/"+tenant+"/prometheus/api/v1/series?match[]=story:recorded", "")
				if got := strings.Contains(a.body, "story:recorded"); got != want {
					t.Errorf("tenant %s has it: %v, want %v: %s", tenant, got, want, a.body)
				}
			}
		})
	}
}
