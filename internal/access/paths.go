package access

import (
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
)

// Kind is what a path does; it decides which access a token needs.
type Kind string

const (
	Write Kind = "write"
	Read  Kind = "read"
	UI    Kind = "ui"      // pages and their files; needs read access
	Own   Kind = "own"     // about the endpoint itself, which answers it; any access will do
	shut  Kind = "shut"    // known, and open to no token
	none  Kind = "unknown" // not in the table
)

// kinds are those that a route can have.
var kinds = []Kind{Write, Read, UI, Own}

// form says how a path may begin.
type form int

const (
	bare       form = iota
	prometheus      // /prometheus: optional on single-node, required in a cluster
	graphite        // /graphite: optional on single-node, where /prometheus works too; required in a cluster
	page            // /prometheus: optional on both
	anyForm         // with and without either, so that no spelling escapes a refusal
)

func (f form) prefixes(t gatehouse.DeploymentType) []string {
	switch {
	case f == bare:
		return []string{""}
	case f == prometheus && t == gatehouse.Cluster:
		return []string{"/prometheus"}
	case f == graphite && t == gatehouse.Cluster:
		return []string{"/graphite"}
	case f == prometheus || f == page:
		return []string{"", "/prometheus"}
	}
	return []string{"", "/prometheus", "/graphite"}
}

// row is one line of the path table. Paths are suffixes: in a cluster, what follows the tenant.
type row struct {
	on       gatehouse.DeploymentType // empty: both
	under    form
	kind     Kind
	exact    []string
	prefixes []string
	answer   *Answer // for Own
	// alerting marks what vmalert answers: one vmalert serves all tenants and filters nothing.
	alerting bool
	// noID marks the page that shows a scrape target's configuration when it is given an id argument.
	noID bool
}

var (
	answerHealth = &Answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "OK"}
	answerRobots = &Answer{Status: 200, ContentType: "text/plain; charset=utf-8", Body: "User-agent: *\nDisallow: /\n"}
	answerPing   = &Answer{Status: 204}
)

// table is what VictoriaMetrics v1.150 to v1.151 serves, read in its source: an allow-list, and a list of what is known and stays
// shut, so that a refusal can say so. An exact path wins over a prefix; among prefixes the first wins.
var table = []row{
	{under: graphite, kind: shut, exact: []string{"/tags/delSeries", "/tags/tagSeries", "/tags/tagMultiSeries"}},

	{under: prometheus, kind: Write,
		exact: []string{"/api/v1/write", "/api/v1/push", "/api/v1/import", "/api/v1/import/csv", "/api/v1/import/native",
			"/api/v1/import/prometheus"},
		prefixes: []string{"/api/v1/import/prometheus/"}},
	{under: bare, kind: Write,
		exact:    []string{"/newrelic"},
		prefixes: []string{"/influx/", "/opentelemetry/", "/datadog/", "/newrelic/", "/zabbixconnector/"}},
	{on: gatehouse.SingleNode, under: bare, kind: Write, exact: []string{"/write", "/api/v2/write", "/query", "/ping"}},
	{on: gatehouse.Cluster, under: bare, kind: Write, exact: []string{"/prometheus", "/prometheus/"}},

	{under: prometheus, kind: Read,
		exact: []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/query_exemplars", "/api/v1/series",
			"/api/v1/series/count", "/api/v1/labels", "/api/v1/metadata", "/api/v1/export", "/api/v1/export/csv",
			"/api/v1/export/native", "/federate"},
		prefixes: []string{labelPrefix}},
	{under: prometheus, kind: Read,
		exact: []string{"/api/v1/status/buildinfo", "/api/v1/status/tsdb", "/api/v1/status/top_queries",
			"/api/v1/status/active_queries", "/api/v1/status/metric_names_stats"}},
	{on: gatehouse.SingleNode, under: bare, kind: Read, exact: []string{"/-/healthy", "/-/ready"}},
	{on: gatehouse.Cluster, under: prometheus, kind: Read, exact: []string{"/-/healthy", "/-/ready"}},

	{under: prometheus, kind: Read, alerting: true,
		exact: []string{"/api/v1/rules", "/api/v1/alerts", "/api/v1/notifiers", "/rules", "/alerts", "/notifiers",
			"/vmalert", "/vmalert/", "/vmalert/alerts", "/vmalert/alert", "/vmalert/rule", "/vmalert/rules", "/vmalert/groups",
			"/vmalert/notifiers", "/vmalert/api/v1/rules", "/vmalert/api/v1/alerts", "/vmalert/api/v1/notifiers",
			"/vmalert/api/v1/alert", "/vmalert/api/v1/rule", "/vmalert/api/v1/group"},
		prefixes: []string{"/vmalert/static/"}},
	// A vmalert with -http.pathPrefix=/vmalert would take the rest for its own reload, flags, metrics and profiles.
	{under: prometheus, kind: shut, prefixes: []string{"/vmalert/"}},

	{under: graphite, kind: Read,
		exact: []string{"/render", "/tags", "/functions", "/metrics/find", "/metrics/expand", "/metrics/index.json",
			"/metrics/find/", "/metrics/expand/", "/metrics/index.json/"},
		prefixes: []string{"/tags/", "/functions/"}},

	{under: bare, kind: UI, exact: []string{"/"}},
	{under: page, kind: UI,
		exact:    []string{"/vmui", "/graph", "/expand-with-exprs", "/prettify-query"},
		prefixes: []string{"/vmui/", "/graph/", "/static/"}},
	{under: page, kind: UI, noID: true, exact: []string{"/metric-relabel-debug"}},

	{under: anyForm, kind: shut,
		exact: []string{"/-/reload", "/-/quit", "/config", "/api/v1/status/config", "/api/v1/status/flags",
			"/api/v1/status/runtimeinfo", "/targets", "/api/v1/targets", "/service-discovery", "/target_response",
			"/target-relabel-debug", "/retention-filters-debug", "/downsampling-filters-debug", "/api/v1/read",
			"/api/v1/format_query", "/api/v1/parse_query", "/api/v1/alertmanagers"},
		prefixes: []string{"/api/v1/admin/", "/internal/"}},
	{under: bare, kind: shut,
		exact:    []string{"/metrics", "/flags", "/ready"},
		prefixes: []string{"/debug/", "/snapshot/", "/delete/", "/admin/", "/insert/", "/select/"}},
	{on: gatehouse.Cluster, under: bare, kind: shut, exact: []string{"/-/healthy", "/-/ready"}},

	// vmctl asks for /health before it imports.
	{under: bare, kind: Own, exact: []string{"/health"}, answer: answerHealth},
	{under: bare, kind: Own, exact: []string{"/robots.txt"}, answer: answerRobots},
	{on: gatehouse.Cluster, under: bare, kind: Own, exact: []string{"/ping"}, answer: answerPing},
}

const (
	labelPrefix = "/api/v1/label/"
	labelSuffix = "/values"
)

// rule is one row laid out for matching.
type rule struct {
	*row
	prefix string
	suffix string // must follow the prefix and at least one byte
	shown  string // the prefix as a refusal names it
}

func (r *rule) matches(path string) bool {
	return strings.HasPrefix(path, r.prefix) && strings.HasSuffix(path, r.suffix) &&
		(r.suffix == "" || len(path) > len(r.prefix)+len(r.suffix))
}

// paths is the table of one deployment type.
type paths struct {
	exact    map[string]*row
	prefixes []*rule
	known    []string // what tokens may use, sorted, for the hint in a refusal
}

var pathsOf = map[gatehouse.DeploymentType]*paths{
	gatehouse.SingleNode: layOut(gatehouse.SingleNode),
	gatehouse.Cluster:    layOut(gatehouse.Cluster),
}

var unknown = &row{kind: none}

func layOut(t gatehouse.DeploymentType) *paths {
	p := &paths{exact: map[string]*row{}}
	for i := range table {
		r := &table[i]
		if r.on != "" && r.on != t {
			continue
		}
		for _, begin := range r.under.prefixes(t) {
			p.add(r, begin)
		}
	}
	slices.Sort(p.known)
	return p
}

func (p *paths) add(r *row, begin string) {
	for _, path := range r.exact {
		if _, taken := p.exact[begin+path]; taken {
			continue // the first row wins
		}
		p.exact[begin+path] = r
		if r.kind != shut && r.kind != Own {
			p.known = append(p.known, begin+path)
		}
	}
	for _, prefix := range r.prefixes {
		u := &rule{row: r, prefix: begin + prefix, shown: begin + prefix}
		if prefix == labelPrefix {
			u.suffix, u.shown = labelSuffix, begin+labelPrefix+"<name>"+labelSuffix
		}
		p.prefixes = append(p.prefixes, u)
		if r.kind != shut {
			p.known = append(p.known, u.shown)
		}
	}
}

// match finds the row of a path.
func (p *paths) match(path string) *row {
	if r, ok := p.exact[path]; ok {
		return r
	}
	for _, u := range p.prefixes {
		if u.matches(path) {
			return u.row
		}
	}
	return unknown
}
