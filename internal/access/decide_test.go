package access

import (
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

var (
	tenant7  = &gatehouse.Tenant{AccountID: 7}
	tenant79 = &gatehouse.Tenant{AccountID: 7, ProjectID: 9}
)

// judge runs a raw path through the same steps as a request.
func judge(t testing.TB, d gatehouse.DeploymentType, scope Scope, raw string) (Route, *Refusal) {
	t.Helper()
	path, err := CleanPath(decoded(t, raw))
	if err != nil {
		return Route{}, refuseMalformed("/")
	}
	return Decide(d, scope, path)
}

func TestDecideSingleNode(t *testing.T) {
	routes := func(a gatehouse.Access, raw, want string, kind Kind) {
		t.Helper()
		r, refusal := judge(t, gatehouse.SingleNode, Scope{Access: a}, raw)
		if refusal != nil {
			t.Errorf("%s with %q: %s; want it let in", raw, a, refusal.Text)
		} else if r.Path != want || r.Kind != kind || r.Part != Single || r.Answer != nil {
			t.Errorf("%s with %q: %+v; want %s as %s", raw, a, r, want, kind)
		}
	}
	refuses := func(a gatehouse.Access, raw string, reason Reason, hint string) {
		t.Helper()
		r, refusal := judge(t, gatehouse.SingleNode, Scope{Access: a}, raw)
		if refusal == nil {
			t.Errorf("%s with %q is let in as %+v; want %s", raw, a, r, reason)
		} else if refusal.Reason != reason || !strings.Contains(refusal.Text, hint) {
			t.Errorf("%s with %q: %s (%s); want %s with %q", raw, a, refusal.Reason, refusal.Text, reason, hint)
		}
	}

	for _, a := range []gatehouse.Access{gatehouse.Write, gatehouse.ReadWrite} {
		routes(a, "/api/v1/write", "/api/v1/write", Write)
		routes(a, "/prometheus/api/v1/write", "/prometheus/api/v1/write", Write)
		routes(a, "//api//v1/write", "/api/v1/write", Write)
		routes(a, "/api/v1/import/prometheus/metrics/job/x%2Fy/instance/z", "/api/v1/import/prometheus/metrics/job/x/y/instance/z", Write)
		routes(a, "/influx/api/v2/write", "/influx/api/v2/write", Write)
		routes(a, "/datadog/intake/", "/datadog/intake/", Write)
		routes(a, "/query", "/query", Write)
		refuses(a, "/api/v1/import/prometheusX", UnknownPath, "/api/v1/import/prometheus")
	}
	for _, a := range []gatehouse.Access{gatehouse.Read, gatehouse.ReadWrite} {
		routes(a, "/api/v1/query", "/api/v1/query", Read)
		routes(a, "/api/v1/label/a%2Fb/values", "/api/v1/label/a/b/values", Read)
		routes(a, "/prometheus/api/v1/label/job/values", "/prometheus/api/v1/label/job/values", Read)
		routes(a, "/graphite/metrics/find/", "/graphite/metrics/find/", Read)
		routes(a, "/metrics/find", "/metrics/find", Read)
		routes(a, "/tags/host", "/tags/host", Read)
		routes(a, "/-/healthy", "/-/healthy", Read)
		routes(a, "/api/v1/rules", "/api/v1/rules", Read)
		routes(a, "/vmui/", "/vmui/", UI)
		routes(a, "/prometheus/vmui/config.json", "/prometheus/vmui/config.json", UI)
		routes(a, "/", "/", UI)
	}
	refuses(gatehouse.Read, "/api/v1/write", WrongScope, "needs write access, and this token has Read;")
	refuses(gatehouse.Write, "/api/v1/query", WrongScope, "needs read access, and this token has Write;")
	refuses(gatehouse.Write, "/vmui/", WrongScope, "read")
	refuses(gatehouse.Read, "/query", WrongScope, "write")
	refuses("", "/api/v1/query", WrongScope, "read")

	rw := gatehouse.ReadWrite
	refuses(rw, "/metrics", ForbiddenPath, "no access token")
	refuses(rw, "/-/reload", ForbiddenPath, "")
	refuses(rw, "/prometheus/-/reload", ForbiddenPath, "")
	for _, path := range []string{"/vmalert/-/reload", "/vmalert/flags", "/vmalert/metrics", "/vmalert/debug/pprof/heap", "/prometheus/vmalert/flags"} {
		refuses(rw, path, ForbiddenPath, "")
	}
	refuses(rw, "/api/v1/status/config", ForbiddenPath, "")
	refuses(rw, "/tags/delSeries", ForbiddenPath, "")
	refuses(rw, "/graphite/tags/delSeries", ForbiddenPath, "")
	refuses(rw, "/prometheus/tags/tagSeries", ForbiddenPath, "")
	refuses(rw, "/graphite/api/v1/admin/tsdb/delete_series", ForbiddenPath, "")
	refuses(rw, "/insert/0/prometheus/api/v1/write", ForbiddenPath, "single node")
	refuses(rw, "/select/0/prometheus/api/v1/query", ForbiddenPath, "/prometheus/api/v1/query")

	refuses(rw, "/api/v1/querry", UnknownPath, "/api/v1/query")
	refuses(rw, "/api/v1/writ", UnknownPath, "/api/v1/write")
	refuses(rw, "/API/v1/write", UnknownPath, "/api/v1/write")
	refuses(rw, "/prometheus/prometheus/api/v1/query", UnknownPath, "/prometheus/api/v1/query")
	refuses(rw, "/graphite/api/v1/query", UnknownPath, "/api/v1/query")
	refuses(rw, "/prometheus/-/healthy", UnknownPath, "/-/healthy")
	refuses(rw, "/api/v1/label/values", UnknownPath, "/api/v1/label")
	refuses(rw, "/api/v1/status/", UnknownPath, "")
	refuses(rw, "/staticX", UnknownPath, "/static/")
	refuses(rw, "/write/", UnknownPath, "/write")
	refuses(rw, "/x/../api/v1/write", MalformedPath, "")

	for _, raw := range []string{"/metric-relabel-debug", "/prometheus/metric-relabel-debug"} {
		if r, refusal := judge(t, gatehouse.SingleNode, Scope{Access: gatehouse.Read}, raw); refusal != nil || !r.NoID {
			t.Errorf("%s: %+v, %v; its id argument must be refused", raw, r, refusal)
		}
	}
	for _, a := range []gatehouse.Access{gatehouse.Read, gatehouse.Write} {
		if r, refusal := judge(t, gatehouse.SingleNode, Scope{Access: a}, "/health"); refusal != nil || r.Answer != answerHealth {
			t.Errorf("/health with %q: %+v, %v; the endpoint should answer itself", a, r, refusal)
		}
	}
}

func TestDecideCluster(t *testing.T) {
	anyTenant := Scope{Access: gatehouse.ReadWrite}
	only7 := Scope{gatehouse.ReadWrite, tenant7}
	only79 := Scope{gatehouse.ReadWrite, tenant79}
	routes := func(s Scope, raw, want string, part Part) {
		t.Helper()
		r, refusal := judge(t, gatehouse.Cluster, s, raw)
		if refusal != nil {
			t.Errorf("%s for %v: %s; want it let in", raw, s.Tenant, refusal.Text)
		} else if r.Path != want || r.Part != part || r.Answer != nil {
			t.Errorf("%s for %v: %+v; want %s", raw, s.Tenant, r, want)
		}
	}
	refuses := func(s Scope, raw string, reason Reason, hint string) {
		t.Helper()
		r, refusal := judge(t, gatehouse.Cluster, s, raw)
		if refusal == nil {
			t.Errorf("%s for %v is let in as %+v; want %s", raw, s.Tenant, r, reason)
		} else if refusal.Reason != reason || !strings.Contains(refusal.Text, hint) {
			t.Errorf("%s for %v: %s (%s); want %s with %q", raw, s.Tenant, refusal.Reason, refusal.Text, reason, hint)
		}
	}

	// Without a tenant of its own, a token names one in the path.
	routes(anyTenant, "/insert/7/prometheus/api/v1/write", "/insert/7/prometheus/api/v1/write", Insert)
	routes(anyTenant, "/insert/7/prometheus", "/insert/7/prometheus", Insert)
	routes(anyTenant, "/insert/7/influx/write", "/insert/7/influx/write", Insert)
	routes(anyTenant, "/select/7:9/prometheus/api/v1/query", "/select/7:9/prometheus/api/v1/query", Select)
	routes(anyTenant, "/select/7/vmui/", "/select/7/vmui/", Select)
	routes(anyTenant, "/select/7/", "/select/7/", Select)
	routes(anyTenant, "/select/7/prometheus/api/v1/rules", "/select/7/prometheus/api/v1/rules", Select)
	routes(anyTenant, "/select/7/prometheus/api/v1/status/top_queries", "/select/7/prometheus/api/v1/status/top_queries", Select)
	routes(anyTenant, "/insert/multitenant/prometheus/api/v1/write", "/insert/multitenant/prometheus/api/v1/write", Insert)
	routes(anyTenant, "/select/multitenant/prometheus/api/v1/query", "/select/multitenant/prometheus/api/v1/query", Select)

	// All spellings of a tenant are one, and go upstream in one form.
	for _, spelling := range []string{"7", "7:0", "007", "%37", "7%3A0", "7:00"} {
		routes(anyTenant, "/select/"+spelling+"/prometheus/api/v1/query", "/select/7/prometheus/api/v1/query", Select)
		routes(only7, "/select/"+spelling+"/prometheus/api/v1/query", "/select/7/prometheus/api/v1/query", Select)
		refuses(only79, "/select/"+spelling+"/prometheus/api/v1/query", WrongTenant, "bound to tenant 7:9;")
	}
	for _, bad := range []string{"+7", "%207", "-1", "7:", ":7", "7:1:2", "4294967296", "7:4294967296", "0x7", "x"} {
		refuses(anyTenant, "/select/"+bad+"/prometheus/api/v1/query", UnknownPath, "needs a tenant")
		refuses(only7, "/insert/"+bad+"/prometheus/api/v1/write", UnknownPath, "needs a tenant")
	}
	refuses(anyTenant, "/insert/prometheus/api/v1/write", ForbiddenPath, "needs a tenant")
	refuses(only7, "/insert/prometheus/api/v1/write", ForbiddenPath, "needs a tenant")
	refuses(anyTenant, "/select/7", UnknownPath, "/select/<tenant>/")

	// A tenant token sends the suffix alone.
	routes(only7, "/prometheus/api/v1/write", "/insert/7/prometheus/api/v1/write", Insert)
	routes(only79, "/prometheus/api/v1/write", "/insert/7:9/prometheus/api/v1/write", Insert)
	routes(only7, "/prometheus/", "/insert/7/prometheus/", Insert)
	routes(only79, "/prometheus/api/v1/query_range", "/select/7:9/prometheus/api/v1/query_range", Select)
	routes(only7, "/graphite/render", "/select/7/graphite/render", Select)
	routes(only7, "/vmui/", "/select/7/vmui/", Select)
	routes(only7, "/prometheus/vmui/", "/select/7/prometheus/vmui/", Select)
	routes(only7, "/", "/select/7/", Select)
	routes(only7, "/prometheus/-/healthy", "/select/7/prometheus/-/healthy", Select)
	routes(only79, "/insert/7:9/prometheus/api/v1/write", "/insert/7:9/prometheus/api/v1/write", Insert)
	refuses(only7, "/insert/multitenant/prometheus/api/v1/write", WrongTenant, "tenant 7;")
	refuses(only7, "/select/8/prometheus/api/v1/query", WrongTenant, "")
	refuses(only7, "/select/8", WrongTenant, "")
	refuses(only7, "/write", UnknownPath, "")
	// A tenant token may leave out /prometheus.
	routes(only7, "/api/v1/query", "/select/7/prometheus/api/v1/query", Select)
	routes(only7, "/api/v1/label/a/b/values", "/select/7/prometheus/api/v1/label/a/b/values", Select)
	routes(only7, "/api/v1/status/top_queries", "/select/7/prometheus/api/v1/status/top_queries", Select)
	routes(only7, "/-/healthy", "/select/7/prometheus/-/healthy", Select)
	routes(only79, "/api/v1/write", "/insert/7:9/prometheus/api/v1/write", Insert)
	routes(only79, "/api/v1/import/prometheus/metrics/job/x", "/insert/7:9/prometheus/api/v1/import/prometheus/metrics/job/x", Insert)
	refuses(Scope{gatehouse.Read, tenant7}, "/api/v1/write", WrongScope, "write")
	refuses(only7, "/api/v1/querry", UnknownPath, "/prometheus/api/v1/query")
	refuses(only7, "/api/v1/admin/tsdb/delete_series", ForbiddenPath, "")
	refuses(only7, "/select/7/api/v1/query", UnknownPath, "/select/7/prometheus/api/v1/query")

	refuses(anyTenant, "/prometheus/api/v1/write", ForbiddenPath, "/insert/<tenant>/prometheus/api/v1/write")
	refuses(anyTenant, "/prometheus/api/v1/query", ForbiddenPath, "/select/<tenant>/prometheus/api/v1/query")
	refuses(anyTenant, "/api/v1/query", UnknownPath, "/select/<tenant>/prometheus/api/v1/query")
	refuses(anyTenant, "/api/v1/status/active_queries", UnknownPath, "")
	refuses(anyTenant, "/-/healthy", ForbiddenPath, "")
	refuses(anyTenant, "/insert/7/prometheus/api/v1/query", UnknownPath, "/select/7/prometheus/api/v1/query")
	refuses(anyTenant, "/select/7/prometheus/api/v1/write", UnknownPath, "/insert/7/prometheus/api/v1/write")
	refuses(anyTenant, "/select/7/prometheus/api/v1/querry", UnknownPath, "/select/7/prometheus/api/v1/query")
	refuses(anyTenant, "/foo/7/vmui/", UnknownPath, "")
	refuses(anyTenant, "/Select/7/prometheus/api/v1/query", UnknownPath, "")
	refuses(anyTenant, "/insert/7/health", UnknownPath, "")
	for _, s := range []Scope{anyTenant, only7} {
		refuses(s, "/admin/tenants", ForbiddenPath, "")
		refuses(s, "/delete/7/prometheus/api/v1/admin/tsdb/delete_series", ForbiddenPath, "")
		refuses(s, "/select/7/graphite/tags/delSeries", ForbiddenPath, "")
		refuses(s, "/select/7/target-relabel-debug", ForbiddenPath, "")
		refuses(s, "/metrics", ForbiddenPath, "")
		refuses(s, "/internal/resetRollupResultCache", ForbiddenPath, "")
	}
	refuses(Scope{gatehouse.Read, tenant7}, "/prometheus/api/v1/write", WrongScope, "write")
	refuses(Scope{gatehouse.Write, tenant7}, "/prometheus/api/v1/rules", WrongScope, "read")
	refuses(Scope{Access: gatehouse.Write}, "/select/7/vmui/", WrongScope, "read")

	// One vmalert serves all tenants, so a tenant token never reaches it.
	for raw, want := range map[string]string{
		"/prometheus/api/v1/rules":             `{"status":"success","data":{"groups":[]}}`,
		"/prometheus/rules":                    `{"status":"success","data":{"groups":[]}}`,
		"/select/7/prometheus/api/v1/alerts":   `{"status":"success","data":{"alerts":[]}}`,
		"/prometheus/notifiers":                `{"status":"success","data":{"notifiers":[]}}`,
		"/prometheus/vmalert/api/v1/notifiers": `{"status":"success","data":{"notifiers":[]}}`,
		"/prometheus/vmalert/api/v1/group":     `{"status":"success","data":{"groups":[]}}`,
		"/prometheus/vmalert":                  `{"status":"success","data":{"groups":[]}}`,
	} {
		r, refusal := judge(t, gatehouse.Cluster, only7, raw)
		if refusal != nil || r.Answer == nil || r.Answer.Status != 200 || r.Answer.Body != want {
			t.Errorf("%s for a tenant token: %+v, %v; want the empty answer %s", raw, r.Answer, refusal, want)
		}
	}
}

func TestNoRowIsHiddenByAnotherOfAnotherKind(t *testing.T) {
	for d, p := range pathsOf {
		for path, r := range p.exact {
			for _, u := range p.prefixes {
				if u.matches(path) && u.kind != r.kind && r.kind != shut && u.kind != shut { // single paths may be shut under a prefix, or be let out of a shut one
					t.Errorf("%s: %s is %s by itself and %s under %s", d, path, r.kind, u.kind, u.shown)
				}
			}
		}
		for i, u := range p.prefixes {
			for _, before := range p.prefixes[:i] {
				if strings.HasPrefix(u.prefix, before.prefix) {
					t.Errorf("%s: %s never matches, because %s comes first", d, u.shown, before.shown)
				}
			}
		}
	}
}

func FuzzDecide(f *testing.F) {
	for _, raw := range []string{
		"/api/v1/write", "/select/7/prometheus/api/v1/query", "/insert/multitenant/influx/write", "/tags/delSeries", "/vmalert/../-/reload",
		"/api/v1/label/x%2F..%2F..%2Fadmin/values", "/select/7%3A0/graphite/tags/delSeries", "/prometheus/api/v1/admin/tsdb/delete_series",
		"/static/../metrics", "/api/v1/import/prometheus/../../admin", "/insert/+7/x", "//metrics", "/%6detrics", "/metrics;x", "/delete/7/x",
	} {
		for which := range 4 {
			f.Add(raw, which)
		}
	}
	f.Fuzz(func(t *testing.T, raw string, which int) {
		in, err := url.ParseRequestURI(raw)
		if err != nil {
			t.Skip("net/http refuses it")
		}
		path, err := CleanPath(in.Path)
		if err != nil {
			return
		}
		d := gatehouse.SingleNode
		scope := Scope{Access: gatehouse.ReadWrite}
		if which&1 != 0 {
			d = gatehouse.Cluster
		}
		if which&2 != 0 && d == gatehouse.Cluster {
			scope.Tenant = tenant7
		}
		route, refusal := Decide(d, scope, path)
		if refusal != nil {
			if responses[refusal.Reason].status == 0 || refusal.Text == "" {
				t.Fatalf("%q: a refusal without status or text: %+v", raw, refusal)
			}
			return
		}
		if route.Answer != nil {
			return
		}
		u := (&backend{scheme: "http", host: "backend"}).url(route.Path, "", false)
		seen, err := url.ParseRequestURI(u.RequestURI())
		if err != nil || seen.Path != route.Path {
			t.Fatalf("%q was judged as %q, and the backend sees %+v, %v", raw, route.Path, seen, err)
		}
		mustBeHarmless(t, d, scope, seen.Path)

		// What the table holds by kind, narrower tokens must be held to.
		_, byReader := Decide(d, Scope{gatehouse.Read, scope.Tenant}, path)
		_, byWriter := Decide(d, Scope{gatehouse.Write, scope.Tenant}, path)
		if (byReader == nil) == (byWriter == nil) {
			t.Fatalf("%q as %s: reader %v, writer %v; exactly one may pass", raw, route.Kind, byReader, byWriter)
		}
	})
}

// mustBeHarmless checks a path as the backend sees it, by other means than the table: it reads it as VictoriaMetrics would.
func mustBeHarmless(t testing.TB, d gatehouse.DeploymentType, scope Scope, path string) {
	t.Helper()
	if strings.Contains(path, "//") || strings.Contains(path+"/", "/../") || strings.Contains(path+"/", "/./") {
		t.Fatalf("the backend sees %q", path)
	}
	if d == gatehouse.Cluster {
		segments := strings.SplitN(path, "/", 4)
		if len(segments) != 4 || segments[1] != "insert" && segments[1] != "select" {
			t.Fatalf("the backend sees %q, which names no tenant", path)
		}
		tenant, err := gatehouse.ParseTenant(segments[2])
		if err != nil && (segments[2] != multitenant || scope.Tenant != nil) || err == nil && tenant.String() != segments[2] {
			t.Fatalf("the backend sees %q, whose tenant is not in canonical form", path)
		}
		if scope.Tenant != nil && tenant != *scope.Tenant {
			t.Fatalf("the backend sees %q with a token of tenant %s", path, scope.Tenant)
		}
		path = "/" + segments[3]
	}
	bare := path
	for _, prefix := range []string{"/prometheus/", "/graphite/"} { // VictoriaMetrics takes off one of them
		if strings.HasPrefix(bare, prefix) {
			bare = bare[len(prefix)-1:]
			break
		}
	}
	for _, p := range []string{path, bare} {
		for _, bad := range []string{"/tags/delSeries", "/tags/tagSeries", "/tags/tagMultiSeries", "/config", "/api/v1/status/config", "/metrics", "/flags",
			"/targets", "/api/v1/targets", "/service-discovery", "/target_response", "/target-relabel-debug", "/-/reload", "/ready"} {
			if p == bad {
				t.Fatalf("the backend sees %q", path)
			}
		}
		for _, bad := range []string{"/api/v1/admin/", "/internal/", "/snapshot", "/debug/", "/delete/", "/admin/"} {
			if strings.HasPrefix(p, bad) {
				t.Fatalf("the backend sees %q", path)
			}
		}
	}
}
