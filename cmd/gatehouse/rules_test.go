package main

import (
	"encoding/json"
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

func (p *program) vmalertPID(deploymentID string) int {
	var pid int
	eventually(p.t, "the process of vmalert is noted", func() error {
		note, err := os.ReadFile(filepath.Join(p.dataDir, "deployments", deploymentID, "vmalert.pid"))
		if err == nil {
			_, err = fmt.Sscanf(string(note), "%d", &pid)
		}
		return err
	})
	return pid
}

// TestRulesAreEvaluated tells the whole story of a rule file: typed in the console, evaluated, seen, and recovering from every kill.
func TestRulesAreEvaluated(t *testing.T) {
	p, b := newConsole(t, "/deployments/default")
	d := p.show("default")
	reader := newToken(t, p.dataDir, "default", "reader", "r")
	receiver := newAlertmanager(t)

	b.click("link", "Rules")
	b.fill("Alertmanager URL optional", "alertmanager:9093")
	b.click("button", "Save")
	b.wantFieldError("Alertmanager URL optional", "is not a full http or https URL", "alertmanager:9093")
	b.fill("Alertmanager URL optional", receiver.URL)
	b.click("button", "Save")
	b.sees("No rules")

	b.click("link", "Add rule file")
	b.fill("File name", "story.yml")
	const broken = "groups:\n- name: story\n  rules:\n  - record: story:recorded\n    expr: sum(up\n"
	b.fill("Rules", broken)
	b.click("button", "Save")
	b.wantFieldError("Rules", "Line 5", broken)
	b.fill("Rules", storyRules)
	b.click("button", "Save")
	b.sees("story.yml")

	recorded := func(what string) {
		t.Helper()
		eventually(t, what, func() error {
			if a := p.request("GET", reader, "/api/v1/query?query=story:recorded", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"42"`) {
				return fmt.Errorf("status %d: %s", a.status, a.body)
			}
			return nil
		})
	}
	notified := func(what string) {
		t.Helper()
		before := receiver.firing.Load()
		eventually(t, what, func() error {
			if receiver.firing.Load() == before {
				return fmt.Errorf("it has got %d alerts", before)
			}
			return nil
		})
	}
	recorded("the recorded series can be queried")
	notified("the notifier gets the firing alert")
	if link := receiver.last.Load(); link != p.console+"/deployments/"+d.ID+"/rules" {
		t.Errorf("the alert leads to %v", link)
	}
	b.seesMatch(`AlwaysFiring Firing .*severity=page.* 7`)
	b.seesMatch(`vmalert v1\.\d+\.\d+: Running`)
	b.seesMatch(`story:recorded vector\(42\) OK`)

	b.click("link", "Logs")
	b.sees("VictoriaMetrics")
	b.visit("/deployments/" + d.ID + "/logs?log=vmalert&search=successfully")
	b.seesMatch(`\d+ of the last \d+ lines`)

	vmalert := p.vmalertPID(d.ID)
	syscall.Kill(vmalert, syscall.SIGKILL)
	notified("alerts go on after vmalert was killed")
	if again := p.vmalertPID(d.ID); again == vmalert {
		t.Error("vmalert was not started again")
	}

	vmalert = p.vmalertPID(d.ID)
	b.visit("/profile") // which does not follow what happens
	p.kill()
	p = serve(t, p.dataDir)
	p.waitRunning("default")
	notified("alerts go on after Gatehouse was killed")
	if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", vmalert)); len(line) > 0 { // empty: nobody has taken note of its end yet
		t.Error("the vmalert of the killed Gatehouse lives on")
	}
	recorded("the recorded series is still there")
}
