package access

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// program starts one of the VictoriaMetrics programs of this repository, or that of a path, and gives its URL.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	path := name
	if !filepath.IsAbs(name) {
		path = engineProgram(t, name)
	}
	addr := freeAddress(t)
	cmd := exec.Command(path, append([]string{"-httpListenAddr=" + addr}, args...)...)
	log := &logBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said: %s", name, log)
		}
	})
	eventually(t, name+" is up", func() bool {
		res, err := http.Get("http://" + addr + "/health")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == 200
	})
	return "http://" + addr
}

func engineProgram(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("bin/%s is missing; build it with: go tool task engine", name)
	}
	return path
}

// freeAddress finds one that nobody uses right now.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestRealClientsAgainstRealVictoriaMetrics(t *testing.T) {
	vm := program(t, "victoria-metrics", "-storageDataPath="+t.TempDir(), "-httpAuth.username=gatehouse", "-httpAuth.password=inner",
		"-search.latencyOffset=0s", "-loggerLevel=WARN")
	e := newEndpoint(t, Options{})
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, Managed: true}})
	e.table.SetEngine("d", &Engine{URL: vm, Username: "gatehouse", Password: "inner"})
	r, w := e.token("d", gatehouse.Read, nil), e.token("d", gatehouse.Write, nil)
	ok := func(t *testing.T, a answer, within ...string) {
		t.Helper()
		if a.StatusCode/100 != 2 {
			t.Errorf("%s %s: %d %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.body)
		}
		for _, part := range within {
			if !strings.Contains(a.body, part) {
				t.Errorf("%s %s: %s; want %s in it", a.Request.Method, a.Request.URL.Path, a.body, part)
			}
		}
	}
	flush := e.request("GET", "", "", nil, "Authorization", basicAuth("gatehouse:inner")) // directly: what was just written is seen at once
	flush.URL, _ = url.Parse(vm + "/internal/force_flush")
	comesBack := func(t *testing.T, query, value string) {
		t.Helper()
		var last answer
		eventually(t, "the data comes back", func() bool {
			e.do(flush).mustBe(t, 200, "")
			last = e.post("/api/v1/query", r, "query="+query, "Content-Type", "application/x-www-form-urlencoded")
			return strings.Contains(last.body, `"`+value+`"`)
		})
	}

	t.Run("text, CSV and JSON lines", func(t *testing.T) {
		ok(t, e.post("/api/v1/import/prometheus", w, "by_text 1\n"))
		ok(t, e.do(e.request("GET", "/prometheus/api/v1/import/prometheus", w, strings.NewReader("by_get 2\n"))))
		ok(t, e.post("/api/v1/import/csv?format=1:metric:by_csv", w, "3\n"))
		ok(t, e.post("/api/v1/import/prometheus/metrics/job@base64/YS9i", w, "by_push 4\n"))
		comesBack(t, "by_text", "1")
		comesBack(t, "by_get", "2")
		comesBack(t, "by_csv", "3")
		comesBack(t, `by_push{job="a/b"}`, "4")
	})
	t.Run("Telegraf", func(t *testing.T) {
		basic := []string{"Authorization", basicAuth("telegraf:" + w)}
		ok(t, e.post("/query?q=CREATE+DATABASE+telegraf", "", "", basic...))
		ok(t, e.post("/write?db=telegraf", "", "cpu,host=a usage=5\n", basic...))
		comesBack(t, "cpu_usage", "5")
	})
	t.Run("InfluxDB v2", func(t *testing.T) {
		ok(t, e.post("/api/v2/write?org=o&bucket=b", "", "mem,host=a used=6\n", "Authorization", "Token "+w))
		comesBack(t, "mem_used", "6")
	})
	t.Run("the Datadog agent", func(t *testing.T) {
		key := []string{"DD-API-KEY", w, "Content-Type", "application/json"}
		ok(t, e.get("/datadog/api/v1/validate", "", key...), `"valid":true`)
		ok(t, e.post("/datadog/api/v2/series", "", `{"series":[{"metric":"dd.load","type":3,"points":[{"timestamp":0,"value":7}],"resources":[{"name":"a","type":"host"}]}]}`, key...))
		ok(t, e.post("/datadog/intake/", "", "{}", key...))
	})
	t.Run("vmctl", func(t *testing.T) {
		ok(t, e.get("/health", "", "Authorization", basicAuth("u:"+w)), "OK")
		ok(t, e.post("/api/v1/import", "", `{"metric":{"__name__":"by_vmctl","a/b":"c"},"values":[8],"timestamps":[`+fmt.Sprint(time.Now().UnixMilli())+`]}`, "Authorization", basicAuth("u:"+w)))
		eventually(t, "the label is there", func() bool {
			return strings.Contains(e.get("/api/v1/label/a%2Fb/values", r).body, `"c"`)
		})
	})
	t.Run("Vector", func(t *testing.T) {
		if a := e.get("/api/v1/write", w); a.StatusCode == 401 || a.StatusCode == 403 || a.StatusCode == 404 {
			t.Errorf("its health check gets %d", a.StatusCode)
		}
	})
	t.Run("an old vmagent asks for the protocol", func(t *testing.T) {
		e.get("/api/v1/write?get_vm_proto_version=1", w).mustBe(t, 200, "1")
	})
	t.Run("vmagent", func(t *testing.T) {
		agent := program(t, "vmagent", "-remoteWrite.url="+e.url+"/api/v1/write", "-remoteWrite.bearerToken="+w, "-remoteWrite.flushInterval=100ms",
			"-remoteWrite.tmpDataPath="+t.TempDir(), "-loggerLevel=WARN")
		res, err := http.Post(agent+"/api/v1/import/prometheus", "text/plain", strings.NewReader("by_vmagent 9\n"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		comesBack(t, "by_vmagent", "9")
		found := false
		for _, use := range e.table.DrainUses() {
			found = found || strings.HasPrefix(use.Use.UserAgent, "vmagent")
		}
		if !found {
			t.Error("the use does not name vmagent")
		}
	})
	t.Run("Grafana", func(t *testing.T) {
		form := []string{"Content-Type", "application/x-www-form-urlencoded", "User-Agent", "Grafana/12.0"}
		ok(t, e.post("/api/v1/query", r, "query=1%2B1", form...), `"2"`)
		ok(t, e.get("/api/v1/status/buildinfo", r), `"version"`)
		ok(t, e.post("/api/v1/query_range", r, "query=by_text&start=-5m&step=60", form...), `"success"`)
		ok(t, e.post("/api/v1/series", r, "match[]=by_text", form...), "by_text")
		ok(t, e.post("/api/v1/labels", r, "", form...), "__name__")
		ok(t, e.get("/api/v1/label/__name__/values", r), "by_text")
		ok(t, e.get("/api/v1/metadata", r), `"success"`)
		ok(t, e.get("/api/v1/rules", r), `"groups":[]`)
		ok(t, e.get("/rules", r), `"groups":[]`)
		ok(t, e.get("/api/v1/alerts", r), `"alerts":[]`)
		ok(t, e.get("/-/healthy", r))
		ok(t, e.get("/api/v1/export?match[]=by_text", r), "by_text")
		ok(t, e.get("/federate?match[]=by_text", r), "by_text")
		ok(t, e.get("/metrics/find?query=*", r), "by_text")
	})
	t.Run("a browser", func(t *testing.T) {
		basic := []string{"Authorization", basicAuth("me:" + r)}
		a := e.get("/vmui", "", basic...)
		if location := a.Header.Get("Location"); a.StatusCode != 302 || !strings.HasPrefix(location, "vmui/") {
			t.Errorf("%d to %q; want a relative redirect", a.StatusCode, location)
		}
		ok(t, e.get("/vmui/", "", basic...), "<html")
		ok(t, e.get("/vmui/config.json", "", basic...))
		ok(t, e.get("/prometheus/vmui/timezone", "", basic...))
		ok(t, e.get("/", "", basic...))
	})
	t.Run("an answer comes compressed only to who asks", func(t *testing.T) {
		a := e.get("/api/v1/export?match[]={__name__=~\"by_.*\"}", r, "Accept-Encoding", "gzip")
		ok(t, a)
		if plain := e.get("/vmui/", r); plain.Header.Get("Content-Encoding") != "" || a.Header.Get("X-Server-Hostname") != "" {
			t.Errorf("%v", plain.Header)
		}
		if packed := e.get("/vmui/", r, "Accept-Encoding", "gzip"); packed.Header.Get("Content-Encoding") != "gzip" || strings.Contains(packed.body, "<html") {
			t.Errorf("%v", packed.Header)
		}
	})
	t.Run("nothing leaks", func(t *testing.T) {
		e.get("/metrics", r).mustRefuse(t, 403, "")
		e.post("/graphite/api/v1/admin/tsdb/delete_series", r, "match[]=by_text").mustRefuse(t, 403, "")
		e.post("/tags/delSeries", r, "path=by_text").mustRefuse(t, 403, "")
		comesBack(t, "by_text", "1")
		var metrics strings.Builder
		e.table.WriteMetrics(&metrics)
		for _, s := range []string{r, w, "inner"} {
			if strings.Contains(e.log.String(), s[5:]) && s != "inner" || strings.Contains(metrics.String(), s) {
				t.Error("a secret is in the log or in the metrics")
			}
		}
	})
}
