package access

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// mostTokensShown bounds how many tokens have metrics of their own; the metric gatehouse_token_metrics_omitted counts the others.
const mostTokensShown = 10_000

// WriteMetrics writes the metrics of the endpoint, of each deployment and of each token in use in the Prometheus text format.
func (t *Table) WriteMetrics(to io.Writer) {
	t.meters.set.WritePrometheus(to)
	w := bufio.NewWriter(to)
	defer w.Flush() // a client that has gone needs no error
	tokens := t.allActive()
	if len(tokens) > mostTokensShown { // always the same ones
		slices.SortFunc(tokens, func(a, b *Grant) int { return strings.Compare(a.TokenID, b.TokenID) })
	}
	busy := map[*deployment]load{}
	for _, g := range tokens {
		busy[g.deployment] = busy[g.deployment].plus(g)
	}
	for _, d := range t.allDeployments() {
		d.write(w, busy[d])
	}
	shown, omitted := 0, 0
	for _, g := range tokens {
		if shown >= mostTokensShown {
			omitted++
		} else if g.write(w) {
			shown++
		}
	}
	fmt.Fprintf(w, "gatehouse_token_metrics_omitted %d\n", omitted)
}

// allDeployments gives those that are known by more than the ID.
func (t *Table) allDeployments() []*deployment {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*deployment
	for _, d := range t.deployments {
		if d.known != nil {
			all = append(all, d)
		}
	}
	return all
}

func (t *Table) allActive() []*Grant {
	t.activeMu.Lock()
	defer t.activeMu.Unlock()
	return slices.Collect(maps.Values(t.active))
}

// load is how many requests run and wait.
type load struct{ running, waiting int64 }

func (l load) plus(g *Grant) load {
	gate := &g.live().gate
	return load{l.running + gate.running.Load(), l.waiting + gate.waiting.Load()}
}

func (l load) write(w io.Writer, prefix, labels string) {
	fmt.Fprintf(w, "%s_running_requests{%s} %d\n%s_waiting_requests{%s} %d\n", prefix, labels, l.running, prefix, labels, l.waiting)
}

// labels name a deployment, and give its ID, which outlives the name.
func (d *deployment) labels(c *config) string {
	return fmt.Sprintf(`deployment="%s",deployment_id="%s"`, labelValue(c.name), labelValue(d.id))
}

func (d *deployment) write(w io.Writer, busy load) {
	labels := d.labels(d.config.Load())
	d.totals.write(w, "gatehouse_deployment", labels)
	busy.write(w, "gatehouse_deployment", labels)
	total := uint64(0)
	for i := range d.durations.counts {
		bound := "+Inf"
		if i < len(durationBounds) {
			bound = fmt.Sprint(durationBounds[i])
		}
		total += d.durations.counts[i].Load()
		fmt.Fprintf(w, "gatehouse_deployment_request_duration_seconds_bucket{%s,le=%q} %d\n", labels, bound, total)
	}
	fmt.Fprintf(w, "gatehouse_deployment_request_duration_seconds_sum{%s} %g\n", labels, float64(d.durations.micros.Load())/1e6)
	fmt.Fprintf(w, "gatehouse_deployment_request_duration_seconds_count{%s} %d\n", labels, total)
	errors := uint64(0)
	for _, reason := range []Reason{BackendFailed, BackendTooSlow, Unavailable} {
		errors += d.totals.refusedFor(reason)
	}
	fmt.Fprintf(w, "gatehouse_deployment_backend_errors_total{%s} %d\n", labels, errors)
}

// write reports false for a token that was revoked: it is on its way out of the table.
func (g *Grant) write(w io.Writer) bool {
	l, c := g.live(), g.deployment.config.Load()
	if l.revoked.Load() || c == nil {
		return false
	}
	labels := fmt.Sprintf(`%s,token="%s",token_id="%s"`, g.deployment.labels(c), labelValue(g.Name), labelValue(g.TokenID))
	l.totals.write(w, "gatehouse_token", labels)
	fmt.Fprintf(w, "gatehouse_token_request_duration_seconds_sum{%s} %g\n", labels, float64(l.totals.micros.Load())/1e6)
	fmt.Fprintf(w, "gatehouse_token_request_duration_seconds_count{%s} %d\n", labels, l.totals.allAnswered())
	if n, ok := l.written.Load().sum(); ok {
		fmt.Fprintf(w, "gatehouse_token_samples_in_total{%s} %d\n", labels, n)
	}
	if n, ok := l.read.Load().sum(); ok {
		fmt.Fprintf(w, "gatehouse_token_samples_out_total{%s} %d\n", labels, n)
	}
	load{}.plus(g).write(w, "gatehouse_token", labels)
	if at := l.usage.at.Load(); at > 0 {
		fmt.Fprintf(w, "gatehouse_token_last_used_timestamp_seconds{%s} %d\n", labels, at/1e6)
	}
	return true
}

// write leaves out counters that are zero: most kinds and reasons never occur for most tokens.
func (t *totals) write(w io.Writer, prefix, labels string) {
	for _, kind := range kinds {
		i, ok := kind.countedAs()
		for class := 0; ok && class < statusClasses; class++ {
			if n := t.answeredWith(i, class); n > 0 {
				fmt.Fprintf(w, "%s_requests_total{%s,kind=%q,status=\"%dxx\"} %d\n", prefix, labels, kind, class+2, n)
			}
		}
	}
	for _, reason := range reasons {
		if n := t.refusedFor(reason); n > 0 {
			fmt.Fprintf(w, "%s_refusals_total{%s,reason=%q} %d\n", prefix, labels, reason, n)
		}
	}
	fmt.Fprintf(w, "%s_bytes_in_total{%s} %d\n%s_bytes_out_total{%s} %d\n", prefix, labels, t.in.Load(), prefix, labels, t.out.Load())
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func labelValue(s string) string { return labelEscaper.Replace(s) }
