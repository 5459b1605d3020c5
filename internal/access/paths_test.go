package access

import (
	"os"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// pathRow is one line of testdata/access-paths.tsv, which lists every path that VictoriaMetrics serves.
type pathRow struct {
	on    gatehouse.DeploymentType
	path  string
	kind  string
	note  string
	paths []string // examples of what the row stands for
}

func readPathRows(t testing.TB) []pathRow {
	t.Helper()
	data, err := os.ReadFile("testdata/access-paths.tsv")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]gatehouse.DeploymentType{"single": gatehouse.SingleNode, "cluster": gatehouse.Cluster}
	var rows []pathRow
	for _, line := range strings.Split(strings.TrimSpace(string(data)), "\n")[1:] {
		f := strings.Split(line, "\t")
		row := pathRow{on: types[f[0]], path: f[1], kind: f[3], note: f[6]}
		if row.on == "" || len(f) != 7 {
			t.Fatalf("cannot read the line %q", line)
		}
		if !strings.HasPrefix(row.path, "(") { // other ports than HTTP's, and OPTIONS, which no path stands for
			row.paths = examples(row.path)
		}
		rows = append(rows, row)
	}
	if len(rows) < 350 {
		t.Fatalf("only %d rows", len(rows))
	}
	return rows
}

var placeholders = strings.NewReplacer("<tenant>", "7", "<any write suffix>", "{prometheus/api/v1/write,influx/write}", "<any suffix>", "{prometheus/api/v1/query,vmui/}",
	"<any prometheus suffix, vmui>", "{prometheus/api/v1/query,vmui/}", "<any word>", "{foo,delete}", "<name>", "job", "<value>", "v", "<job>", "j", "<tag_name>", "host")

// examples expands <placeholders>, {alternatives}, {or one option}, [options] and * of a row.
func examples(path string) []string {
	path = placeholders.Replace(path)
	if note := strings.Index(path, " ("); note >= 0 {
		path = path[:note]
	}
	var out []string
	for _, one := range splitOutside(path, ", ") {
		if one != "..." {
			out = append(out, expand(one)...)
		}
	}
	return out
}

func expand(s string) []string {
	if i := strings.IndexAny(s, "{[*"); i >= 0 {
		before, after := s[:i], s[i+1:]
		options := []string{"", "x", "/x"} // of *
		if s[i] != '*' {
			end := closing(s[i:]) + i
			options = splitOutside(s[i+1:end], ",")
			if len(options) == 1 {
				options = append(options, "")
			}
			after = s[end+1:]
		}
		var out []string
		for _, option := range options {
			if option != "..." {
				out = append(out, expand(before+option+after)...)
			}
		}
		return out
	}
	if !strings.HasPrefix(s, "/") {
		s = "/" + s
	}
	return []string{s}
}

func closing(s string) int {
	depth := 0
	for i, c := range s {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	panic("no end of " + s)
}

func splitOutside(s, separator string) []string {
	var out []string
	depth, start := 0, 0
	for i := range s {
		switch s[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth == 0 && strings.HasPrefix(s[i:], separator) {
			out = append(out, s[start:i])
			start = i + len(separator)
		}
	}
	return append(out, s[start:])
}

// refusedOnPurpose are examples of read, write and ui rows that no token gets, although VictoriaMetrics serves them.
func refusedOnPurpose(row pathRow, path string) bool {
	switch {
	case strings.Contains(row.note, "PREFIX MATCH without a slash"), strings.HasSuffix(row.path, "/functions*"):
		// VictoriaMetrics does not look for the slash after the prefix. What has none is a typing error.
		return strings.HasSuffix(path, "x") && !strings.HasSuffix(path, "/x") || strings.HasSuffix(path, "/static")
	case strings.HasPrefix(path, "/graphite/"), row.on == gatehouse.Cluster && strings.Contains(path, "target-relabel-debug"):
		return row.kind == "ui" || strings.Contains(row.note, "refuse")
	case strings.Contains(path, "-filters-debug"): // Enterprise
		return true
	case strings.HasSuffix(row.path, "/vmalert/*"): // only what vmalert's pages need, see docs/adr
		return strings.HasSuffix(path, "/x")
	case strings.HasSuffix(path, "/favicon.ico"):
		return !strings.Contains(path, "/vmui/")
	}
	return false
}

func TestEveryPathOfVictoriaMetricsGoesToWhomItShould(t *testing.T) {
	judged := 0
	for _, row := range readPathRows(t) {
		tenants := []*gatehouse.Tenant{nil}
		if row.on == gatehouse.Cluster && !strings.Contains(row.path, "single-node paths") { // those are just what a tenant token sends
			tenants = append(tenants, tenant7)
		}
		for _, path := range row.paths {
			for _, tenant := range tenants {
				judged++
				checkRow(t, row, path, tenant)
			}
		}
	}
	t.Logf("%d requests judged", 3*judged)
}

func checkRow(t *testing.T, row pathRow, path string, tenant *gatehouse.Tenant) {
	t.Helper()
	var in []string // the accesses that are let in
	for _, access := range []gatehouse.Access{gatehouse.Read, gatehouse.Write, gatehouse.ReadWrite} {
		route, refusal := judge(t, row.on, Scope{access, tenant}, path)
		switch {
		case refusal != nil:
			if s := responses[refusal.Reason].status; s != 403 && s != 404 {
				t.Errorf("%s %s with %s: status %d", row.on, path, access, s)
			}
		case route.Answer != nil && !strings.HasPrefix(route.Answer.Body, `{"status"`):
			// not let in: answered by the endpoint
		default:
			in = append(in, string(access))
			if route.Answer == nil {
				mustBeHarmless(t, row.on, Scope{access, tenant}, route.Path)
			}
		}
	}
	want := map[string][]string{"read": {"r", "rw"}, "ui": {"r", "rw"}, "write": {"w", "rw"}}[row.kind]
	switch {
	case refusedOnPurpose(row, path):
		want = nil
	case row.on == gatehouse.Cluster && tenant == nil && path == "/":
		want = nil // the landing page of which part?
	case tenant != nil && pathsOf[gatehouse.Cluster].withPrometheus(path) != path:
		want = []string{"r", "rw"} // of its own tenant, as it may leave out /prometheus
	case tenant != nil && strings.Contains(path, multitenant):
		want = nil
	}
	if !slices.Equal(in, want) {
		t.Errorf("%s %s (%s: %s) for tenant %v lets in %v; want %v", row.on, path, row.kind, row.note, tenant, in, want)
	}
}
