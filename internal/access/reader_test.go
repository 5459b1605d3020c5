package access

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// readAs asks the endpoint's Reader of a deployment.
func readAs(e *endpoint, deployment string, tenant *gatehouse.Tenant, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.handler.Reader(deployment, "ann@example.com", tenant).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestAReaderReadsItsDeploymentAndDoesNothingElse(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("mine", backendServer(t, echo).URL)
	e.single("other", backendServer(t, echo).URL)
	for path, want := range map[string]int{
		"/prometheus/api/v1/query": 200, "/prometheus/vmui/": 200, "/api/v1/label/a%2Fb/values": 200,
		"/api/v1/write": 403, "/write": 403, "/prometheus/api/v1/import": 403, "/api/v1/admin/tsdb/delete_series": 403,
		"/metrics": 403, "/flags": 403, "/graphite/tags/delSeries": 403, "/unheard": 404, "/select/0/prometheus/api/v1/query": 403,
		"/metric-relabel-debug?id=1": 403,
	} {
		for _, method := range []string{"GET", "POST"} {
			if got := readAs(e, "mine", nil, method, path); got.Code != want {
				t.Errorf("%s %s: status %d, want %d: %s", method, path, got.Code, want, got.Body)
			}
		}
	}
	if got := readAs(e, "unheard", nil, "GET", "/api/v1/query"); got.Code != 503 {
		t.Errorf("a deployment that does not exist: status %d", got.Code)
	}
}

func TestAReaderOfATenantReadsNoOther(t *testing.T) {
	e := newEndpoint(t, Options{})
	url := backendServer(t, echo).URL
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "c", Name: "c", Type: gatehouse.Cluster, InsertURLs: []string{url}, SelectURLs: []string{url}}})
	seven := &gatehouse.Tenant{AccountID: 7}
	for path, want := range map[string]int{
		"/prometheus/api/v1/query": 200, "/prometheus/vmui/": 200, "/select/7/prometheus/api/v1/query": 200,
		"/select/8/prometheus/api/v1/query": 403, "/select/multitenant/prometheus/api/v1/query": 403, "/insert/7/prometheus/api/v1/write": 403,
		"/admin/tenants": 403,
	} {
		got := readAs(e, "c", seven, "GET", path)
		if got.Code != want || want == 200 && !strings.Contains(got.Body.String(), "/select/7/") {
			t.Errorf("%s: status %d, want %d: %s", path, got.Code, want, got.Body)
		}
	}
}

func TestAReaderEndsWithItsDeployment(t *testing.T) {
	e := newEndpoint(t, Options{})
	url := backendServer(t, echo).URL
	e.single("d", url)
	reader := e.handler.Reader("d", "ann@example.com", nil)
	ask := func() int {
		w := httptest.NewRecorder()
		reader.ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/query", nil))
		return w.Code
	}
	if got := ask(); got != 200 {
		t.Errorf("status %d", got)
	}
	e.table.Apply(gatehouse.Change{GoneDeployment: "d"})
	if got := ask(); got != 503 {
		t.Errorf("deleted: status %d", got)
	}
	e.single("d", url)
	if got := ask(); got != 503 {
		t.Errorf("restored, which may be another one: status %d", got)
	}
}

func TestReadersAreCountedApartFromTokens(t *testing.T) {
	var lines bytes.Buffer
	e := newEndpoint(t, Options{AccessLog: slog.New(slog.NewTextHandler(&lines, nil))})
	e.single("d", backendServer(t, echo).URL)
	readAs(e, "d", nil, "GET", "/api/v1/query?query=up")
	for name, want := range map[string]string{
		`gatehouse_explore_requests_total{status="2xx"}`:                                                 "1",
		`gatehouse_access_requests_total{kind="read",status="2xx"}`:                                      "0",
		`gatehouse_deployment_requests_total{deployment="d",deployment_id="d",kind="read",status="2xx"}`: "1",
	} {
		if got := e.metric(name); got != want {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	if n := len(e.table.allActive()); n != 0 {
		t.Errorf("%d tokens are in use", n)
	}
	if err := e.table.SaveUses(true, func(uses []gatehouse.TokenUse) error { t.Errorf("uses %v", uses); return nil }); err != nil {
		t.Error(err)
	}
	if line := lines.String(); !strings.Contains(line, "person=ann@example.com") || strings.Contains(line, "token") {
		t.Errorf("access log: %s", line)
	}
}
