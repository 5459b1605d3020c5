package main

import (
	"bufio"
	"cmp"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	"gatehouse/internal/gatehouse"
)

// writeMetrics writes what /metrics shows and the history keeps.
func (s *server) writeMetrics(w io.Writer) {
	s.table.WriteMetrics(w)
	s.engines.WriteMetrics(w)
	if s.engines.Available() == nil { // else the operator has chosen to have no history, and an alert would never end
		s.history.WriteMetrics(w)
	}
	metrics.WriteProcessMetrics(w)
}

// limitPerToken is how many requests a token of the deployment may have running at a time, or 0 when that is not known.
func (s *server) limitPerToken(ctx context.Context, deploymentID string) int {
	d, err := s.store.FindDeployment(ctx, deploymentID)
	if err != nil {
		return 0
	}
	return cmp.Or(d.MaxConcurrentRequests, gatehouse.DefaultMaxConcurrentRequests)
}

// ruleMetric is the line that says how the rules of a deployment are doing; its name, before the ID, may hold everything.
var ruleMetric = regexp.MustCompile(`^gatehouse_deployment_rules_up\{.*,deployment_id="([^"]*)"\} ([01])$`)

// checkMetrics reads from the server's metrics what only the server knows: how rules are doing, and whether it keeps its metrics, without
// which Monitoring has gaps.
func (d *doctor) checkMetrics(ctx context.Context, client *http.Client) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.command.OpsListen+"/metrics", nil)
	if err != nil {
		return // checkServer has asked there
	}
	resp, err := client.Do(req)
	if err != nil {
		d.say("history", warned, "the server does not show its metrics (%v); look at its log", err)
		return
	}
	defer resp.Body.Close()
	kept := ""
	d.rulesUp = map[string]bool{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "gatehouse_history_up "); found {
			kept = value
		} else if m := ruleMetric.FindStringSubmatch(lines.Text()); m != nil {
			d.rulesUp[m[1]] = m[2] == "1"
		}
	}
	d.sayHistory(kept)
}

// sayHistory takes the value of gatehouse_history_up.
func (d *doctor) sayHistory(kept string) {
	switch kept {
	case "1":
		d.say("history", fine, "what Monitoring shows is kept")
		return
	case "":
		d.say("history", warned, "what Monitoring shows is not kept, as the server has no victoria-metrics program")
		return
	}
	d.say("history", warned, "the VictoriaMetrics of the server's own does not take what Monitoring shows; if the server runs for more than a minute, "+
		"look at its log and at %s", filepath.Join(d.commands.DataDir, "system", "engine.log"))
}
