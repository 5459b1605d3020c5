package history

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// plot is what a chart is made from.
type plot struct {
	id, title string
	unit      gatehouse.ChartUnit
	lines     []line
	limited   bool // the deployment's limit per token is drawn
}

// line is a query, and what the series that it gives are called.
type line struct {
	expr string
	name func(labels map[string]string) string
	zero bool // it is 0 where nothing is found, and not unknown
	// always are drawn, even if nothing is found at all.
	always []string
}

// named is a query that gives one series.
func named(name, expr string) line {
	return line{expr: expr, name: func(map[string]string) string { return name }}
}

// counted is the same for what is 0 where nothing is counted.
func counted(name, expr string) line {
	l := named(name, expr)
	l.zero, l.always = true, []string{name}
	return l
}

// selection writes queries for the metrics of a deployment or a token.
type selection struct {
	prefix  string // of metrics
	match   string // labels
	seconds int    // between two points
}

func selectionOf(scope gatehouse.ChartScope, step time.Duration) selection {
	s := selection{"gatehouse_deployment_", "deployment_id=" + strconv.Quote(scope.DeploymentID), int(step.Seconds())}
	if scope.TokenID != "" {
		s.prefix, s.match = "gatehouse_token_", s.match+",token_id="+strconv.Quote(scope.TokenID)
	}
	return s
}

// window is a metric over the time for which a point stands.
func (s selection) window(metric, more string) string {
	return fmt.Sprintf("%s%s{%s%s}[%ds]", s.prefix, metric, s.match, more, s.seconds)
}

// rise is how much a counter has grown.
func (s selection) rise(metric, more string) string {
	return "increase(" + s.window(metric, more) + ")"
}

// rate is the same per second, summed up by labels.
func (s selection) rate(by, metric, more string) string {
	return fmt.Sprintf("sum(%s) by (%s) / %d", s.rise(metric, more), by, s.seconds)
}

func (s selection) highest(metric string) string {
	return "max(max_over_time(" + s.window(metric, "") + "))"
}

// watched has values where it is known what the scope did: where Gatehouse ran and the deployment was there. Its token has no metrics
// of its own before it is used, and none either when there are very many others.
func (s selection) watched(deployment selection) string {
	expr := "max(count_over_time(" + deployment.window("bytes_in_total", "") + "))"
	if s == deployment {
		return expr
	}
	return fmt.Sprintf("max(count_over_time(%s)) or (%s and max(max_over_time(gatehouse_token_metrics_omitted[%ds])) == 0)",
		s.window("bytes_in_total", ""), expr, s.seconds)
}

// plots gives the charts of a scope.
func (s selection) plots(ofToken bool) []plot {
	plots := []plot{
		{id: "requests", title: "Requests", unit: gatehouse.PerSecond, lines: []line{s.requests()}},
		{id: "bytes", title: "Data", unit: gatehouse.BytesPerSecond, lines: []line{
			counted("In", s.rate("", "bytes_in_total", "")),
			counted("Out", s.rate("", "bytes_out_total", "")),
		}},
		{id: "errors", title: "Errors and refusals", unit: gatehouse.PerSecond, lines: []line{s.errors(), s.refusals()}},
		{id: "latency", title: "Latency", unit: gatehouse.Seconds, lines: s.latency(ofToken)},
		{id: "concurrency", title: "Concurrent requests", unit: gatehouse.Count, limited: ofToken, lines: []line{
			counted("Running", s.highest("running_requests")),
			counted("Waiting", s.highest("waiting_requests")),
		}},
	}
	if ofToken {
		return slices.Insert(plots, 1, plot{id: "samples", title: "Samples", unit: gatehouse.PerSecond, lines: []line{
			counted("In", s.rate("", "samples_in_total", "")),
			counted("Out", s.rate("", "samples_out_total", "")),
		}})
	}
	return append(plots,
		plot{id: "samples", title: "Samples", unit: gatehouse.PerSecond, lines: []line{
			named("Ingested", s.rate("", "samples_ingested_total", "")),
			named("Read", s.rate("", "samples_read_total", "")),
		}},
		plot{id: "series", title: "Active time series", unit: gatehouse.Count, lines: []line{named("Active", s.highest("active_series"))}},
		plot{id: "disk", title: "Disk", unit: gatehouse.Bytes, lines: []line{named("Used", s.highest("disk_bytes"))}},
	)
}

func (s selection) requests() line {
	return line{
		expr:   s.rate("kind, status", "requests_total", ""),
		name:   func(l map[string]string) string { return kindName(l["kind"]) + ", " + l["status"] },
		zero:   true,
		always: []string{"Read, 2xx", "Write, 2xx"},
	}
}

// errors are answers of the VictoriaMetrics itself.
func (s selection) errors() line {
	return line{
		expr:   s.rate("status", "requests_total", `,status=~"4xx|5xx"`),
		name:   func(l map[string]string) string { return "Answered " + l["status"] },
		zero:   true,
		always: []string{"Answered 5xx"},
	}
}

// refusals are answers of the access endpoint.
func (s selection) refusals() line {
	return line{
		expr: s.rate("reason", "refusals_total", ""),
		name: func(l map[string]string) string { return "Refused: " + strings.ReplaceAll(l["reason"], "_", " ") },
		zero: true,
	}
}

// latency of a token is only the mean, as a histogram for each would cost too much memory.
func (s selection) latency(ofToken bool) []line {
	if ofToken {
		return []line{named("Mean", fmt.Sprintf("sum(%s) / sum(%s)", s.rise("request_duration_seconds_sum", ""), s.rise("request_duration_seconds_count", "")))}
	}
	quantile := func(phi string) string {
		return fmt.Sprintf("histogram_quantile(%s, sum(%s) by (le))", phi, s.rise("request_duration_seconds_bucket", ""))
	}
	return []line{named("p50", quantile("0.5")), named("p99", quantile("0.99"))}
}

func kindName(kind string) string {
	if kind == "ui" {
		return "vmui"
	}
	return strings.ToUpper(kind[:min(1, len(kind))]) + kind[min(1, len(kind)):]
}
