package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDashboardAndAlertsFindTheirData asks a VictoriaMetrics that scrapes a Gatehouse with traffic for every expression in deploy/.
// One that names a metric or label that Gatehouse does not have finds nothing.
func TestDashboardAndAlertsFindTheirData(t *testing.T) {
	t.Parallel()
	p := serve(t, newDataDir(t))
	p.waitRunning("default")
	writer, reader := newToken(t, p.dataDir, "default", "writer", "w"), newToken(t, p.dataDir, "default", "reader", "r")
	newAPIClient(t, p, p.dataDir, "rules").wantStatus(http.StatusNoContent, "POST", storyRules, "deployments", p.show("default").ID, "rule-sets", "files", "story.yml")
	config := filepath.Join(t.TempDir(), "scrape.yml")
	scrape := "scrape_configs: [{job_name: gatehouse, scrape_interval: 1s, static_configs: [{targets: ['" + strings.TrimPrefix(p.ops, "http://") + "']}]}]\n"
	if err := os.WriteFile(config, []byte(scrape), 0o600); err != nil {
		t.Fatal(err)
	}
	node := startSingleNode(t, "", "-promscrape.config="+config)

	traffic := func() {
		p.request("POST", writer, "/api/v1/import/prometheus", "m 1")
		p.request("GET", reader, "/api/v1/query?query=m", "")
		p.request("POST", reader, "/api/v1/import/prometheus", "m 1") // it may not
		p.request("GET", "nobody", "/api/v1/query", "")
	}
	for _, expr := range append(dashboardExpressions(t), alertExpressions(t)...) {
		t.Run(expr, func(t *testing.T) {
			eventually(t, "it finds something", func() error {
				traffic()
				if _, err := fetch(node + "/internal/force_flush"); err != nil {
					return err
				}
				body, err := fetch(node + "/api/v1/query?nocache=1&query=" + url.QueryEscape(expr))
				var found struct{ Data struct{ Result []struct{} } }
				if err == nil {
					err = json.Unmarshal([]byte(body), &found)
				}
				if err == nil && len(found.Data.Result) == 0 {
					err = fmt.Errorf("nothing: %s", body)
				}
				return err
			})
		})
	}
	for _, reason := range alertReasons(t) {
		if metrics := opsMetrics(t, p); !strings.Contains(metrics, `gatehouse_access_refusals_total{reason="`+reason+`"}`) {
			t.Errorf("no refusal has the reason %q, for which there is an alert", reason)
		}
	}
}

func TestVmalertAcceptsTheAlerts(t *testing.T) {
	t.Parallel()
	out, err := exec.Command(engineProgram(t, "vmalert"), "-dryRun", "-rule=../../deploy/alerts.yml").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func opsMetrics(t *testing.T, p *program) string {
	t.Helper()
	metrics, err := fetch(p.ops + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

// variables are those of the dashboard, with all chosen.
var variables = strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$deployment", ".*")

var labelValues = regexp.MustCompile(`^label_values\((.+), *(\w+)\)$`)

// dashboardExpressions gives the queries of the panels and of the variables.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				walk(child)
			}
		case map[string]any:
			for name, child := range node {
				text, isText := child.(string)
				values := labelValues.FindStringSubmatch(text)
				switch {
				case isText && name == "expr":
					found = append(found, variables.Replace(text))
				case values != nil:
					found = append(found, variables.Replace(fmt.Sprintf(`count by (%s) (%s) and on (%[1]s) {%[1]s!=""}`, values[2], values[1])))
				}
				walk(child)
			}
		}
	}
	walk(dashboard)
	if len(found) < 10 {
		t.Fatalf("the dashboard has only %d expressions", len(found))
	}
	return found
}

var (
	alertExpression = regexp.MustCompile(`(?m)^ +expr: (.+) (?:>|==) [0-9.]+$`)
	alertReason     = regexp.MustCompile(`\{reason="(\w+)"\}`)
)

func alertsText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alertExpressions gives what the alerts compare with a number, for every reason.
func alertExpressions(t *testing.T) []string {
	t.Helper()
	text := alertsText(t)
	var found []string
	for _, expr := range alertExpression.FindAllStringSubmatch(text, -1) {
		found = append(found, alertReason.ReplaceAllString(expr[1], ""))
	}
	if len(found) == 0 || len(found) != strings.Count(text, "alert:") {
		t.Fatalf("found %d expressions: %q", len(found), found)
	}
	return found
}

func alertReasons(t *testing.T) []string {
	t.Helper()
	var reasons []string
	for _, match := range alertReason.FindAllStringSubmatch(alertsText(t), -1) {
		reasons = append(reasons, match[1])
	}
	return reasons
}
