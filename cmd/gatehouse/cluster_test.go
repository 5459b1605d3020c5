package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
)

// fleet stands for a cluster: one URL that is vminsert and vmselect for the tenants 7 and 8, each on a real VictoriaMetrics. Like a
// cluster, it takes the tenant from the headers when the path has none that it can read.
type fleet struct {
	url     string
	vm      map[string]string // tenant to the URL of its VictoriaMetrics
	proxies map[string]http.Handler

	mu     sync.Mutex
	beyond []string // method and URI of requests for anything else
}

// promptVictoriaMetrics starts a VictoriaMetrics and gives its URL and a handler before it, through which a query finds what was
// written a moment ago. By itself it shows new series after up to ten seconds.
func promptVictoriaMetrics(t *testing.T) (string, http.Handler) {
	t.Helper()
	vm := &backend{t: t, dir: t.TempDir(), port: freePort(t)}
	vm.start()
	t.Cleanup(vm.stop)
	at := &url.URL{Scheme: "http", Host: "127.0.0.1:" + vm.port}
	eventually(t, "VictoriaMetrics is up", func() error {
		_, err := fetch(at.String() + "/health")
		return err
	})
	proxy := httputil.NewSingleHostReverseProxy(at)
	return at.String(), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/query") || strings.HasPrefix(r.URL.Path, "/api/v1/export") {
			if _, err := fetch(at.String() + "/internal/force_flush"); err != nil {
				t.Error(err)
			}
		}
		proxy.ServeHTTP(w, r)
	})
}

func startFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{vm: map[string]string{}, proxies: map[string]http.Handler{}}
	for _, tenant := range []string{"7", "8"} {
		f.vm[tenant], f.proxies[tenant] = promptVictoriaMetrics(t)
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		io.WriteString(w, "OK")
		return
	}
	part := strings.SplitN(r.URL.Path, "/", 4) // "", insert or select, tenant, suffix
	if len(part) == 4 {
		tenant, err := gatehouse.ParseTenant(part[2])
		if err != nil {
			tenant, err = gatehouse.ParseTenant(r.Header.Get("AccountID"))
		}
		if proxy := f.proxies[tenant.String()]; err == nil && proxy != nil {
			r.URL.Path, r.URL.RawPath = "/"+strings.TrimPrefix(part[3], "prometheus/"), ""
			proxy.ServeHTTP(w, r)
			return
		}
	}
	if r.URL.Path == "/metrics" {
		return // Gatehouse looks for the version
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.beyond = append(f.beyond, r.Method+" "+r.RequestURI)
	w.WriteHeader(http.StatusNoContent)
}

// takeBeyond gives the requests for other tenants than 7 and 8 since the last time.
func (f *fleet) takeBeyond() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := strings.Join(f.beyond, "\n")
	f.beyond = nil
	return taken
}

// connect makes the fleet a deployment of its name.
func (f *fleet) connect(p *program) {
	p.t.Helper()
	must(p.t, p.dataDir, "", "deployment", "connect", "fleet", "--type", "cluster", "--insert-url", f.url, "--select-url", f.url)
	p.waitRunning("fleet")
}

// names lists the metrics of a tenant, asking its VictoriaMetrics behind Gatehouse's back.
func (f *fleet) names(tenant string) (string, error) {
	if _, err := fetch(f.vm[tenant] + "/internal/force_flush"); err != nil {
		return "", err
	}
	return fetch(f.vm[tenant] + "/api/v1/label/__name__/values")
}

func fetch(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %s", url, resp.StatusCode, body)
	}
	return string(body), err
}

// below is the program as a client sees it that was given a URL with a path, in a (sub)test.
func (p *program) below(t *testing.T, prefix string) *program {
	q := *p
	q.t, q.access = t, q.access+prefix
	return &q
}

// answers sends a request that has to be answered with a status.
func (p *program) answers(want int, method, secret, path, body string) {
	p.t.Helper()
	if a := p.request(method, secret, path, body); a.status != want {
		p.t.Errorf("%s %s answered %d, want %d: %s", method, path, a.status, want, a.body)
	}
}

func tenantToken(t *testing.T, p *program, name, tenant string) string {
	t.Helper()
	return must(t, p.dataDir, "", "token", "create", "--deployment", "fleet", "--name", name, "--access", "rw", "--tenant", tenant)
}

func TestTokensStayInTheirTenants(t *testing.T) {
	const write, read = "/prometheus/api/v1/import/prometheus", "/prometheus/api/v1/query?query=1"
	f := startFleet(t)
	dir := newDataDir(t)
	p := serve(t, dir, "--engine-dir", t.TempDir())
	f.connect(p)
	seven := tenantToken(t, p, "seven", "7")
	any := newToken(t, dir, "fleet", "any", "rw")

	t.Run("a tenant token needs no tenant in the URL and takes its own", func(t *testing.T) {
		p := p.below(t, "")
		p.answers(http.StatusNoContent, "POST", seven, write, "by_suffix 1")
		p.below(t, "/prometheus").arrives(seven, "by_suffix")
		for i, own := range []string{"7", "7:0", "007", "%37"} {
			name := fmt.Sprintf("spelled_out_%d", i)
			p.answers(http.StatusNoContent, "POST", seven, "/insert/"+own+write, name+" 1")
			p.below(t, "/select/"+own+"/prometheus").arrives(seven, name)
		}
	})

	t.Run("an any-tenant token names the tenant", func(t *testing.T) {
		p := p.below(t, "")
		p.answers(http.StatusNoContent, "POST", any, "/insert/7"+write, "from_any 7")
		p.answers(http.StatusNoContent, "POST", any, "/insert/8"+write, "from_any 8")
		for _, tenant := range []string{"7", "8"} {
			p := p.below(t, "/select/"+tenant+"/prometheus")
			p.arrives(any, "from_any")
			if n, err := p.query(any, "from_any"); err != nil || fmt.Sprint(n) != tenant {
				t.Errorf("tenant %s reads %v, %v", tenant, n, err)
			}
		}
		if beyond := f.takeBeyond(); beyond != "" {
			t.Errorf("other tenants were asked: %s", beyond)
		}
		for _, path := range []string{"/insert/multitenant" + write, "/select/multitenant" + read} {
			p.answers(http.StatusNoContent, "POST", any, path, `x{vm_account_id="8"} 1`)
			if got := f.takeBeyond(); got != "POST "+path {
				t.Errorf("the cluster was asked for %q, want %q", got, path)
			}
		}
		if a := p.request("POST", any, write, "x 1"); a.status/100 != 4 {
			t.Errorf("without a tenant it is answered %d: %s", a.status, a.body)
		}
	})

	t.Run("a tenant token reaches no other tenant", func(t *testing.T) {
		p := p.below(t, "")
		for _, other := range []string{"/insert/8", "/insert/8:0", "/insert/08", "/insert/%38", "/insert/0", "/insert/7:1", "/insert/multitenant", "//insert//8",
			"/insert/7/../8", "/insert/7/%2e%2e/8", "/insert/7/insert/8", "/insert/7%2F..%2F8", "/insert/+8", "/insert/7,8", "/select/8", "/delete/8", "/prometheus/insert/8"} {
			for _, path := range []string{write, read} {
				if a := p.request("POST", seven, other+path, "smuggled 1"); a.status != http.StatusForbidden && a.status != http.StatusNotFound {
					t.Errorf("%s answered %d: %s", other+path, a.status, a.body)
				}
			}
		}
		for _, header := range []string{"AccountID", "accountid", "VictoriaMetrics-AccountID", "X-Scope-OrgID"} {
			req, err := http.NewRequest("POST", p.access+write+"?extra_label=vm_account_id=8&AccountID=8", strings.NewReader(`by_header{vm_account_id="8"} 1`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+seven)
			req.Header[header] = []string{"8"}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
		p.below(t, "/prometheus").arrives(seven, "by_header") // in its own tenant
		for tenant, forbidden := range map[string][]string{"7": {"smuggled"}, "8": {"smuggled", "by_header", "by_suffix", "spelled_out_0"}} {
			names, err := f.names(tenant)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range forbidden {
				if strings.Contains(names, `"`+name+`"`) {
					t.Errorf("tenant %s holds %s: %s", tenant, name, names)
				}
			}
		}
		if beyond := f.takeBeyond(); beyond != "" {
			t.Errorf("other tenants were asked: %s", beyond)
		}
	})
}
