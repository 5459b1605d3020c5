package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
)

// kind is one way to use a token: a deployment and whether the token holds a tenant.
type kind struct {
	name        string
	in          snippet.Input
	write, read string // what stands before /api/v1/… in the URLs
	spelled     string // the write prefix with the tenant spelled out, as vmctl does when it is told a tenant
	ui          string // what stands before /vmui/
}

// code gives an example as a person uses it: with a tenant of their own, and here with a free port.
func (k kind) code(t *testing.T, id string) string {
	t.Helper()
	e, ok := snippet.Find(k.in, id)
	if !ok {
		t.Fatalf("there is no example %q", id)
	}
	port := "127.0.0.1:" + freePort(t)
	return strings.NewReplacer("/insert/0/", "/insert/8/", "/select/0/", "/select/8/", "127.0.0.1:18429", port, "127.0.0.1:18880", port).Replace(e.Code)
}

// TestClientsOfEveryKindOfToken runs the real clients, or what they send, on a single node and on a cluster with both kinds of token.
func TestClientsOfEveryKindOfToken(t *testing.T) {
	t.Parallel()
	t.Run("stand-in for a cluster", func(t *testing.T) { testClients(t, startFleet(t)) })
	t.Run("cluster", func(t *testing.T) { testClients(t, startCluster(t)) })
}

func testClients(t *testing.T, c *cluster) {
	dir := newDataDir(t)
	p := serve(t, dir, "--engine-dir", t.TempDir())
	c.connect(p, "fleet")
	server := httptest.NewServer(promptVictoriaMetrics(t))
	t.Cleanup(server.Close)
	must(t, dir, "", "deployment", "connect", "node", "--type", "single_node", "--url", server.URL)
	p.waitRunning("node")
	seven := gatehouse.Tenant{AccountID: 7}
	for _, k := range []kind{
		{name: "single node", in: snippet.Input{Type: gatehouse.SingleNode, Secret: newToken(t, dir, "node", "both", "rw")}},
		{name: "tenant token", in: snippet.Input{Type: gatehouse.Cluster, Tenant: &seven, Secret: tenantToken(t, p, "seven", "7")},
			write: "/prometheus", read: "/prometheus", spelled: "/insert/7/prometheus"},
		{name: "any-tenant token", in: snippet.Input{Type: gatehouse.Cluster, Secret: newToken(t, dir, "fleet", "any", "rw")},
			write: "/insert/8/prometheus", read: "/select/8/prometheus", spelled: "/insert/8/prometheus", ui: "/select/8"},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			k.in.EndpointURL, k.in.Access, k.in.DeploymentName, k.in.TokenName = p.access, gatehouse.ReadWrite, "d", k.name
			start(t, t.TempDir(), "sh", "-c", k.code(t, "vmagent"))
			results := k.startVmalert(t, p)
			k.curl(t)
			k.vmui(t, p)
			k.grafana(t, p)
			k.vmctl(t, p)
			p.below(t, k.read).arrives(k.in.Secret, `up{job="vmagent"}`)
			results()
		})
	}
}

// startVmalert runs the copied example with one more rule, and gives a function that waits for what the rules write back.
func (k kind) startVmalert(t *testing.T, p *program) func() {
	// vmalert looks 30 seconds back, for data that is late.
	up := fmt.Sprintf("up{job=\"earlier\"} 0 %d\n", time.Now().Add(-time.Minute).UnixMilli())
	p.below(t, k.write).answers(http.StatusNoContent, "POST", k.in.Secret, "/api/v1/import/prometheus", up)
	code := strings.NewReplacer("interval: 10s", "interval: 1s",
		"    rules:\n", "    rules:\n      - alert: AlwaysFiring\n        expr: vector(1)\n").Replace(k.code(t, "vmalert"))
	start(t, t.TempDir(), "sh", "-c", code)
	return func() {
		p := p.below(t, k.read)
		p.arrives(k.in.Secret, `ALERTS{alertname="AlwaysFiring",alertstate="firing"}`)
		p.arrives(k.in.Secret, `ALERTS{alertname="TargetDown",job="earlier"}`)
		p.arrives(k.in.Secret, `job:up:sum{job="earlier"} == 0`)
	}
}

func (k kind) curl(t *testing.T) {
	out, err := exec.Command("sh", "-c", k.code(t, "curl-write")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "204") {
		t.Errorf("the write example: %v: %s", err, out)
	}
	read := k.code(t, "curl-read")
	eventually(t, "the sample is found", func() error {
		out, err := exec.Command("sh", "-c", read).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "gatehouse_example") {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
}

var asset = regexp.MustCompile(`(?:src|href)="([^"#]+)"`)

// vmui opens VictoriaMetrics' page as a browser does, which can only send Basic.
func (k kind) vmui(t *testing.T, p *program) {
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	send := func(method string, to *url.URL, form string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequest(method, to.String(), strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("anyone", k.in.Secret)
		if form != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	for _, path := range []string{"/vmui/", "/vmui", "/graph", "/prometheus/vmui"} {
		to, err := url.Parse(p.access + k.ui + path)
		if err != nil {
			t.Fatal(err)
		}
		resp, page := send("GET", to, "")
		for hops := 0; resp.StatusCode/100 == 3 && hops < 5; hops++ {
			location := resp.Header.Get("Location")
			if strings.HasPrefix(location, "/") || strings.Contains(location, "://") {
				t.Errorf("%s redirects to %s, which is not relative", to.Path, location)
			}
			if to, err = resp.Location(); err != nil {
				t.Fatal(err)
			}
			resp, page = send("GET", to, "")
		}
		if resp.StatusCode != http.StatusOK || !strings.Contains(page, "<html") {
			t.Errorf("%s ends at %s with %d: %.200s", path, to.Path, resp.StatusCode, page)
			continue
		}
		parts := []string{"config.json", "timezone", "custom-dashboards"}
		for _, found := range asset.FindAllStringSubmatch(page, -1) {
			parts = append(parts, found[1])
		}
		if len(parts) < 5 {
			t.Errorf("the page at %s names no scripts and styles: %.500s", to.Path, page)
		}
		for _, part := range parts {
			at, err := to.Parse(part)
			if err != nil {
				t.Fatal(err)
			}
			if at.Host != to.Host {
				continue
			}
			if resp, body := send("GET", at, ""); resp.StatusCode != http.StatusOK {
				t.Errorf("%s answered %d: %.200s", at.Path, resp.StatusCode, body)
			}
		}
	}
	for path, form := range map[string]string{"query": "query=1%2B1", "query_range": "query=1%2B1&start=-5m&step=60"} {
		to, err := url.Parse(p.access + k.ui + "/prometheus/api/v1/" + path)
		if err != nil {
			t.Fatal(err)
		}
		if resp, body := send("POST", to, form); resp.StatusCode != http.StatusOK || !strings.Contains(body, `"2"`) {
			t.Errorf("vmui's POST to %s answered %d: %s", path, resp.StatusCode, body)
		}
	}
}

// grafana sends what the data sources of Prometheus and of VictoriaMetrics send to see whether they work.
func (k kind) grafana(t *testing.T, p *program) {
	p = p.below(t, k.read)
	for _, probe := range []struct{ method, path string }{
		{"GET", "/-/healthy"}, // VictoriaMetrics' data source
		{"POST", "/api/v1/query?query=1%2B1"},
		{"GET", "/api/v1/query?query=vector(1)&time=4"},
		{"GET", "/api/v1/status/buildinfo"},
		{"GET", "/api/v1/status/tsdb"},
		{"POST", "/api/v1/query_range?query=up&start=0&end=60&step=15"},
		{"POST", "/api/v1/series?match%5B%5D=up"},
		{"POST", "/api/v1/labels"},
		{"GET", "/api/v1/label/__name__/values"},
		{"GET", "/api/v1/metadata"},
		{"GET", "/api/v1/rules"},
		{"GET", "/api/v1/alerts"},
	} {
		p.answers(http.StatusOK, probe.method, k.in.Secret, probe.path, "")
	}
}

// vmctl sends what vmctl sends: when it imports from elsewhere, and when it copies from one VictoriaMetrics to another.
// TestVmctlCopies runs the program itself, which is not among the engine's.
func (k kind) vmctl(t *testing.T, p *program) {
	root, read := p.below(t, ""), p.below(t, k.read)
	root.answers(http.StatusOK, "GET", k.in.Secret, "/health", "")
	line := fmt.Sprintf(`{"metric":{"__name__":"by_vmctl"},"values":[8],"timestamps":[%d]}`, time.Now().Add(-time.Minute).UnixMilli())
	root.answers(http.StatusNoContent, "POST", k.in.Secret, k.spelled+"/api/v1/import", line)
	read.arrives(k.in.Secret, "by_vmctl == 8")

	read.answers(http.StatusOK, "GET", k.in.Secret, "/api/v1/label/__name__/values", "")
	native := read.request("GET", k.in.Secret, "/api/v1/export/native?match[]=by_vmctl", "")
	if native.status != http.StatusOK || native.body == "" {
		t.Fatalf("the native export answered %d: %s", native.status, native.body)
	}
	root.answers(http.StatusNoContent, "POST", k.in.Secret, k.spelled+"/api/v1/import/native?extra_label=copied=yes", native.body)
	read.arrives(k.in.Secret, `by_vmctl{copied="yes"} == 8`)
}
