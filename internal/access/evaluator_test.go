package access

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// evaluate asks the endpoint's Evaluator of a deployment.
func evaluate(e *endpoint, deployment, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	e.handler.Evaluator(deployment).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// addCluster makes a cluster, both parts of which are at one URL.
func (e *endpoint) addCluster(id, url string) {
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: id, Name: id, Type: gatehouse.Cluster, InsertURLs: []string{url}, SelectURLs: []string{url}}})
}

func TestAnEvaluatorDoesWhatVmalertNeedsAndNothingElse(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, echo).URL)
	for _, path := range evaluatorPaths {
		if got := evaluate(e, "d", "POST", path); got.Code != 200 {
			t.Errorf("%s: status %d: %s", path, got.Code, got.Body)
		}
		for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "post"} {
			if got := evaluate(e, "d", method, path); got.Code != 403 {
				t.Errorf("%s %s: status %d", method, path, got.Code)
			}
		}
	}
	for _, path := range []string{
		"/", "/api/v1/query", "/prometheus/api/v1/export", "/prometheus/api/v1/series", "/prometheus/api/v1/query_range", "/prometheus/api/v1/import",
		"/api/v1/admin/tsdb/delete_series", "/prometheus/api/v1/admin/tsdb/delete_series", "/metrics", "/flags", "/health", "/vmui/", "/unheard",
		"//prometheus/api/v1/query", "/prometheus/../prometheus/api/v1/query", "/prometheus/api/v1/query/", "/select/0/prometheus/api/v1/query",
	} {
		if got := evaluate(e, "d", "POST", path); got.Code != 403 {
			t.Errorf("%s: status %d: %s", path, got.Code, got.Body)
		}
	}
	if got := evaluate(e, "unheard", "POST", "/prometheus/api/v1/query"); got.Code != 503 {
		t.Errorf("a deployment that does not exist: status %d", got.Code)
	}
}

func TestAnEvaluatorOfAClusterHasTheTenantZero(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.addCluster("c", backendServer(t, echo).URL)
	for path, want := range map[string]string{
		"/prometheus/api/v1/query?extra_label=a%3Db":             "POST /select/0/prometheus/api/v1/query?extra_label=a%3Db",
		"/graphite/render":                                       "POST /select/0/graphite/render",
		"/prometheus/api/v1/write?extra_label=vm_account_id%3D7": "POST /insert/0/prometheus/api/v1/write?extra_label=vm_account_id%3D7",
	} {
		if got := evaluate(e, "c", "POST", path); got.Code != 200 || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: status %d: %s; want %s", path, got.Code, got.Body, want)
		}
	}
}

func TestHeadersOfARuleGroupChooseNoTenant(t *testing.T) {
	var seen http.Header
	e := newEndpoint(t, Options{})
	e.addCluster("c", backendServer(t, func(w http.ResponseWriter, r *http.Request) { seen = r.Header }).URL)
	r := httptest.NewRequest("POST", "/prometheus/api/v1/query", nil)
	r.Header.Set("AccountID", "7")
	r.Header.Set("ProjectID", "7")
	r.Header.Set("Authorization", "Basic cmVsYXk6cGFzc3dvcmQ=")
	w := httptest.NewRecorder()
	e.handler.Evaluator("c").ServeHTTP(w, r)
	for _, name := range []string{"AccountID", "ProjectID", "Authorization"} {
		if seen == nil || seen.Get(name) != "" {
			t.Errorf("the backend gets %s %q", name, seen.Get(name))
		}
	}
}

func TestAnEvaluatorHasTheLimitOfAToken(t *testing.T) {
	held, arrived := make(chan struct{}), make(chan struct{}, 8)
	e := newEndpoint(t, Options{MaxQueueDuration: 1})
	backend := backendServer(t, func(w http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; <-held })
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, URLs: []string{backend.URL}, MaxConcurrentRequests: 1}})
	h := e.handler.Evaluator("d")
	ask := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("POST", "/prometheus/api/v1/query", nil))
		return w.Code
	}
	first := make(chan int)
	go func() { first <- ask() }()
	<-arrived
	if got := ask(); got != 429 {
		t.Errorf("one more than the limit: status %d", got)
	}
	close(held)
	if got := <-first; got != 200 {
		t.Errorf("the first: status %d", got)
	}
}

func TestABackendCannotSendVmalertElsewhere(t *testing.T) {
	e := newEndpoint(t, Options{})
	for _, status := range []int{301, 302, 303, 307, 308} {
		e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://169.254.169.254/latest/meta-data/")
			w.WriteHeader(status)
		}).URL)
		if got := evaluate(e, "d", "POST", "/prometheus/api/v1/query"); got.Code != 502 || got.Header().Get("Location") != "" {
			t.Errorf("a backend that answers %d: status %d, to %q", status, got.Code, got.Header().Get("Location"))
		}
	}
}

func TestEvaluatorsAreCountedApartFromTokens(t *testing.T) {
	var lines bytes.Buffer
	e := newEndpoint(t, Options{AccessLog: slog.New(slog.NewTextHandler(&lines, nil))})
	e.single("d", backendServer(t, echo).URL)
	evaluate(e, "d", "POST", "/prometheus/api/v1/query?query=up")
	for name, want := range map[string]string{
		`gatehouse_rules_requests_total{status="2xx"}`:              "1",
		`gatehouse_explore_requests_total{status="2xx"}`:            "0",
		`gatehouse_access_requests_total{kind="read",status="2xx"}`: "0",
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
	if line := lines.String(); !strings.Contains(line, "rules=true") || !strings.Contains(line, "deployment=d") || strings.Contains(line, "token") || strings.Contains(line, "person") {
		t.Errorf("access log: %s", line)
	}
}
