package access

import (
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// disguises are spellings of a path that somebody between an attacker and the data might take for the path itself.
func disguises(path string) []string {
	last := strings.LastIndexByte(path, '/')
	percent := func(s, of string, by ...string) string {
		for i, c := range of {
			s = strings.ReplaceAll(s, string(c), by[i])
		}
		return s
	}
	all := []string{
		path,
		path + "/",
		path + "?",
		path + "?x=/../",
		path + "#/api/v1/query",
		path + "%23",
		path + ";",
		path + ";/api/v1/query",
		path + "%3b",
		path + "%00",
		path + "%20",
		path + "%0a",
		path + "%0d%0aX:%20y",
		path + "%09",
		path + "\\",
		path + "%5c",
		path + ".",
		path + "/.",
		path + "/..",
		path + "%3F",
		path + "%252f",
		"/" + path,
		"//" + path,
		"/." + path,
		"/.." + path,
		"/x/.." + path,
		"/x/%2e%2e" + path,
		"/x/%252e%252e" + path,
		"/x/..;" + path,
		"/x/..;x" + path,
		"/x/.%00./" + path,
		"/x\\.." + path,
		"/x%5c..%5c" + path[1:],
		"/x/%c0%ae%c0%ae" + path,
		"/x/%e0%80%ae%e0%80%ae" + path,
		"/x/\xc0\xae\xc0\xae" + path,
		"/api/v1/query/.." + path,
		"/api/v1/query/..%2f.." + path,
		"/api/v1/query%2f..%2f.." + path,
		"/api/v1/query;/.." + path,
		"/api/v1/query?/../../.." + path,
		"/api/v1/query%3f/../../.." + path,
		"/api/v1/query#/../../.." + path,
		"/api/v1/label/x/../../../.." + path,
		"/api/v1/import/prometheus/../../../.." + path,
		"/vmui/.." + path,
		"/vmui/%2e%2e" + path,
		"/static//.." + path,
		"/vmalert/.." + path,
		"/prometheus" + path,
		"/graphite" + path,
		"/prometheus/graphite" + path,
		"/prometheus/prometheus" + path,
		"/%70rometheus" + path,
		"/prometheus/" + path,
		"/insert/7/prometheus" + path,
		"/insert/7" + path,
		"/insert/7/" + path,
		"/select/7/prometheus" + path,
		"/select/7" + path,
		"/select/7//" + path,
		"/select/7/graphite" + path,
		"/select/7/vmui/.." + path,
		"/select/7/..;/7" + path,
		"/select/7/%2e%2e/7" + path,
		"/select/7%2f..%2f.." + path,
		"/insert/7:0/prometheus/api/v1/import/prometheus/..%2f" + path,
		"/delete/7" + path,
		"http://127.0.0.1" + path,
		"http://x:y@127.0.0.1" + path,
		"HTTP://127.0.0.1/" + path,
		"http:" + path,
		"http:///" + path,
		"file://" + path,
		"//127.0.0.1" + path,
		"x:" + path,
		path[1:],
		"*" + path,
		"?" + path,
		"#" + path,
		path[:last] + "%2f" + path[last+1:],
		path[:last] + "%2F" + path[last+1:],
		path[:last] + "%252F" + path[last+1:],
		path[:last] + "//" + path[last+1:],
		path[:last] + "/./" + path[last+1:],
		path[:last] + "\\" + path[last+1:],
		path[:last] + "/;x=y/" + path[last+1:],
		path[:last] + "%c0%af" + path[last+1:],
		path[:last] + "/%u002e/" + path[last+1:],
		path[:last] + "/" + strings.ToUpper(path[last+1:]),
		percent(path, "aeiou", "%61", "%65", "%69", "%6f", "%75"),
		percent(path, "aeiou", "%2561", "%2565", "%2569", "%256f", "%2575"),
		percent(path, "/", "%2f"),
		"/" + percent(path, "/", "%2F"),
	}
	return all
}

// adminPaths are all paths of the table that no token may reach.
func adminPaths(t testing.TB) map[gatehouse.DeploymentType][]string {
	t.Helper()
	paths := map[gatehouse.DeploymentType][]string{}
	for _, row := range readPathRows(t) {
		if row.kind == "admin" || row.kind == "ops" {
			for _, path := range row.paths {
				if path != "/" {
					paths[row.on] = append(paths[row.on], path)
				}
			}
		}
	}
	return paths
}

// TestNoDisguiseReachesAnAdminPath sends every admin and ops path of VictoriaMetrics in every disguise, pipelined. What gets
// through must be another path, and harmless.
func TestNoDisguiseReachesAnAdminPath(t *testing.T) {
	e := newTarget(t, Options{})
	tokens := map[string]Scope{
		e.token("single", gatehouse.ReadWrite, nil):       {Access: gatehouse.ReadWrite},
		e.token("cluster", gatehouse.ReadWrite, nil):      {Access: gatehouse.ReadWrite},
		e.token("cluster", gatehouse.ReadWrite, tenant79): {gatehouse.ReadWrite, tenant79},
	}
	sent := 0
	for s, scope := range tokens {
		on := e.table.lookup(hashOf(s)).deployment.config.Load().kind
		for _, path := range adminPaths(t)[on] {
			var raw strings.Builder
			for _, target := range disguises(path) {
				if u, err := url.ParseRequestURI(target); err != nil || strings.ContainsAny(target, " ") || u == nil {
					continue // net/http ends the connection; the next test sends these
				}
				raw.WriteString("POST " + target + " HTTP/1.1\r\n" + bearing(s) + "\r\n")
				sent++
			}
			e.attack(t, raw.String()).mustEndWithTheStranger(t)
			for _, r := range e.backend.take() {
				r.mustNotBetray(t, s)
				mustBeHarmless(t, on, scope, r.path)
				checkJudgedTarget(t, on, scope, r)
			}
		}
	}
	t.Logf("%d requests sent", sent)
}

// checkJudgedTarget checks that what the backend decodes is a path that its table lets in, by the table's own word.
func checkJudgedTarget(t testing.TB, on gatehouse.DeploymentType, scope Scope, r recorded) {
	t.Helper()
	if clean, err := CleanPath(r.path); err != nil || clean != r.path {
		t.Fatalf("the backend sees %q, which is not clean", r.target)
	}
	again, refusal := Decide(on, scope, r.path)
	if refusal != nil || again.Path != r.path || again.Answer != nil {
		t.Fatalf("the backend sees %q, which would be refused: %+v", r.path, refusal)
	}
}

func TestTargetsThatAreNoPathReachNothing(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("single", gatehouse.ReadWrite, nil)
	for _, target := range []string{
		"*", "**", "/*/../metrics", "x", "", "?", "??", "#", "%", "/%", "/%4", "/%zz", "/%u0041", "/\x00", "/\x01", "/\x7f", "/api/v1/query\x00", "/api/v1/query\x0b", "/api/v1/query\t",
		"http:", "http://", "http:///api/v1/query\x00", "https://[::1/api/v1/query", "http://[fe80::1%25en0]/metrics", "mailto:a@b", "127.0.0.1:80", ":80", "[::1]:80", "//", "///", "//:80",
		"javascript:alert(1)", "http://a b/metrics", "/..", "/.", "/../", "/..%2f", "/%2e%2e", "/%2E%2e/metrics", "/.%2e/metrics", "/%5c", "\\api\\v1\\query", "/\xff", "/%ff", "/%c0%ae%c0%ae/metrics",
		"/api/v1/query/" + strings.Repeat("../", 30_000), "/" + strings.Repeat("%2e%2e/", 14_000), "/" + strings.Repeat("a", 100_000), "/" + strings.Repeat("a/", 50_000), "/" + strings.Repeat(";", 100_000),
		"/select/" + strings.Repeat("0", 100_000) + "7/prometheus/api/v1/query", "/api/v1/label/" + strings.Repeat("/values", 10) + "/../values",
	} {
		for _, method := range []string{"GET", "POST", "HEAD", "DELETE", "CONNECT", "get", "PRI", "X"} {
			answers := e.attack(t, method+" "+target+" HTTP/1.1\r\n"+bearing(s)+"Connection: close\r\n\r\n")
			for _, r := range e.backend.take() {
				if r.path != "/" || method == "CONNECT" { // "//" and "?" are spellings of the landing page
					t.Errorf("%s %.60q: the backend sees %.200q", method, target, r.raw)
				}
			}
			if len(answers) > 1 {
				t.Errorf("%s %.60q is answered as %v", method, target, answers.statuses())
			}
		}
	}
}

// TestLongPathsGoThrough is the other side: a path is not refused for its length alone.
func TestLongPathsGoThrough(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("single", gatehouse.ReadWrite, nil)
	for sent, want := range map[string]string{
		"/api/v1/label/" + strings.Repeat("a", 100_000) + "/values":                     "/api/v1/label/" + strings.Repeat("a", 100_000) + "/values",
		"/api/v1/label/" + strings.Repeat("%25%3b%3F", 10_000) + "/values":              "/api/v1/label/" + strings.Repeat("%;?", 10_000) + "/values",
		strings.Repeat("/", 100_000) + "api" + strings.Repeat("/", 9) + "v1/query":      "/api/v1/query",
		"/api/v1/label/\xc3\xbc\xff%00"[:len("/api/v1/label/\xc3\xbc\xff")] + "/values": "/api/v1/label/\xc3\xbc\xff/values",
		"/api/v1/label/%252e%252e%252f/values":                                          "/api/v1/label/%2e%2e%2f/values",
		"/api/v1/label/values/values":                                                   "/api/v1/label/values/values",
	} {
		e.attack(t, "GET "+sent+" HTTP/1.1\r\n"+bearing(s)+"\r\n")
		if seen := e.backend.take(); len(seen) != 1 || seen[0].path != want {
			t.Errorf("%.60q: the backend sees %.300q", sent, seen)
		}
	}
}
