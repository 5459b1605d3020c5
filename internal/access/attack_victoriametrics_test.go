package access

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
)

// direct asks VictoriaMetrics itself, past the endpoint.
func direct(t *testing.T, vm, path string) string {
	t.Helper()
	res, err := http.Get(vm + path)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestNoDisguiseDeletesFromRealVictoriaMetrics sends what deletes, resets or reveals in every disguise, with arguments that would
// make it work, to a real VictoriaMetrics.
func TestNoDisguiseDeletesFromRealVictoriaMetrics(t *testing.T) {
	vm := program(t, "victoria-metrics", "-storageDataPath="+t.TempDir(), "-search.latencyOffset=0s", "-loggerLevel=WARN")
	e := newTarget(t, Options{})
	e.single("real", vm)
	s := e.token("real", gatehouse.ReadWrite, nil)
	e.post("/api/v1/import/prometheus", s, "precious{host=\"a\"} 1\n").mustBe(t, 204, "")
	isThere := func() bool {
		direct(t, vm, "/internal/force_flush")
		return strings.Contains(direct(t, vm, "/api/v1/export?match[]=precious"), "precious")
	}
	eventually(t, "the data is there", isThere)

	arguments := "match[]=precious&match[]={__name__!=\"\"}&path=precious;host=a&path=*&snapshot=x"
	for _, path := range []string{"/api/v1/admin/tsdb/delete_series", "/tags/delSeries", "/tags/tagSeries", "/snapshot/create", "/snapshot/delete_all", "/internal/resetRollupResultCache",
		"/api/v1/admin/status/metric_names_stats/reset", "/-/reload", "/config", "/flags", "/metrics", "/debug/pprof/cmdline", "/api/v1/status/config", "/delete/0/prometheus/api/v1/admin/tsdb/delete_series"} {
		var raw strings.Builder
		for _, target := range disguises(path) {
			if _, err := url.ParseRequestURI(target); err != nil || strings.Contains(target, " ") {
				continue
			}
			if !strings.ContainsAny(target, "?#") {
				target += "?" + arguments
			}
			raw.WriteString("POST " + target + " HTTP/1.1\r\n" + bearing(s) + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 16\r\n\r\nmatch[]=precious")
		}
		answers := e.attack(t, raw.String())
		answers.mustEndWithTheStranger(t)
		for _, a := range answers {
			for _, sign := range []string{"-storageDataPath", "flag{", "vm_rows", `"snapshot"`, "global:"} {
				if strings.Contains(a.body, sign) {
					t.Errorf("%s in a disguise is answered with %.200s", path, a.body)
				}
			}
		}
	}
	if !isThere() {
		t.Error("the data is gone")
	}
	metrics := direct(t, vm, "/metrics")
	for _, path := range []string{"/api/v1/admin/tsdb/delete_series", "/tags/delSeries", "/tags/tagSeries", "/snapshot/create", "/snapshot/delete_all"} {
		for line := range strings.Lines(metrics) {
			if strings.HasPrefix(line, `vm_http_requests_total{path="`+path+`"`) && !strings.HasSuffix(line, " 0\n") {
				t.Errorf("it was asked: %s", line)
			}
		}
	}
}

// twoTenants stands for a cluster of the tenants 7 and 8, each on a real VictoriaMetrics. Like one, it takes the tenant from the
// headers when the path has none that it can read.
type twoTenants struct {
	tenants map[gatehouse.Tenant]http.Handler

	mu     sync.Mutex
	beyond []string // requests for other tenants
}

func (c *twoTenants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	part := strings.SplitN(r.URL.Path, "/", 4) // "", insert or select, tenant, suffix
	tenant, err := gatehouse.Tenant{}, error(nil)
	if len(part) == 4 {
		if tenant, err = gatehouse.ParseTenant(part[2]); err != nil {
			tenant, _ = gatehouse.ParseTenant(r.Header.Get("AccountID") + ":" + r.Header.Get("ProjectID"))
		}
	}
	h := c.tenants[tenant]
	if h == nil || len(part) != 4 {
		c.mu.Lock()
		c.beyond = append(c.beyond, r.RequestURI)
		c.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	r.URL.Path, r.URL.RawPath = "/"+strings.TrimPrefix(part[3], "prometheus/"), ""
	h.ServeHTTP(w, r)
}

func TestATenantTokenWritesToItsRealTenantAlone(t *testing.T) {
	vm := map[string]string{}
	cluster := &twoTenants{tenants: map[gatehouse.Tenant]http.Handler{}}
	for _, name := range []string{"7", "8"} {
		vm[name] = program(t, "victoria-metrics", "-storageDataPath="+t.TempDir(), "-search.latencyOffset=0s", "-loggerLevel=WARN")
		u, err := url.Parse(vm[name])
		if err != nil {
			t.Fatal(err)
		}
		tenant, err := gatehouse.ParseTenant(name)
		if err != nil {
			t.Fatal(err)
		}
		cluster.tenants[tenant] = httputil.NewSingleHostReverseProxy(u)
	}
	backend := backendServer(t, cluster.ServeHTTP)
	e := newTarget(t, Options{})
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "real", Name: "real", Type: gatehouse.Cluster, InsertURLs: []string{backend.URL}, SelectURLs: []string{backend.URL}}})
	seven, eight := e.token("real", gatehouse.ReadWrite, tenant7), e.token("real", gatehouse.ReadWrite, &gatehouse.Tenant{AccountID: 8})

	e.post("/prometheus/api/v1/import/prometheus", seven, "of_seven 1\n").mustBe(t, 204, "")
	e.post("/prometheus/api/v1/import/prometheus", eight, "of_eight 1\n").mustBe(t, 204, "")
	var raw strings.Builder
	for i, tenant := range hiddenTenant {
		for _, word := range []string{"/insert/", "/select/", "/insert/7/../", "//insert//"} {
			target := word + tenant + "/prometheus/api/v1/import/prometheus?extra_label=vm_account_id=8&AccountID=8"
			if _, err := url.ParseRequestURI(target); err != nil || strings.Contains(target, " ") {
				continue
			}
			raw.WriteString("POST " + target + " HTTP/1.1\r\n" + bearing(seven) + otherTenant[i%len(otherTenant)] + "Content-Length: 13\r\n\r\nsmuggled 666\n")
		}
	}
	for _, header := range otherTenant {
		raw.WriteString("POST /prometheus/api/v1/import/prometheus HTTP/1.1\r\n" + bearing(seven) + header + "Content-Length: 31\r\n\r\nby_header{vm_account_id=\"8\"} 1\n")
		raw.WriteString("POST /prometheus/api/v1/export HTTP/1.1\r\n" + bearing(seven) + header + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 27\r\n\r\nmatch[]={__name__=~\"of_.*\"}")
	}
	answers := e.attack(t, raw.String())
	answers.mustEndWithTheStranger(t)
	for _, a := range answers {
		if strings.Contains(a.body, "of_eight") {
			t.Errorf("tenant 7 reads of tenant 8: %.300s", a.body)
		}
	}
	if len(cluster.beyond) != 0 {
		t.Errorf("other tenants were asked: %q", cluster.beyond)
	}
	for name, want := range map[string]string{"7": "by_header of_seven", "8": "of_eight"} {
		eventually(t, "tenant "+name+" has its data and no other", func() bool {
			direct(t, vm[name], "/internal/force_flush")
			var names []string
			for _, one := range []string{"by_header", "of_eight", "of_seven", "smuggled"} {
				if strings.Contains(direct(t, vm[name], "/api/v1/label/__name__/values"), `"`+one+`"`) {
					names = append(names, one)
				}
			}
			return strings.Join(names, " ") == want
		})
	}
}
