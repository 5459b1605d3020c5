package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/api"
	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openapi"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

const endpointURL = "https://metrics.example.com"

var system = gatehouse.Actor{Kind: gatehouse.System, Name: "test", Role: gatehouse.Admin}

// site is the API on a real listener, with a real control plane on a real database.
type site struct {
	*testing.T
	url      string
	document openapi.Document
	store    *sqlite.Store
	control  *control.Control
	log      *syncBuffer
	admins   int
}

func newSite(t *testing.T, change ...func(*api.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, sqlite.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	sealer, err := secret.CreateSealer(filepath.Join(dir, secret.KeysetFile))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, store: store, log: &syncBuffer{}}
	s.control = control.New(control.Config{Store: store, Sealer: sealer, Live: true, Engines: engines{}})
	config := api.Config{
		Control: s.control, AccessEndpointURL: endpointURL, Version: "v0.0.0-test",
		InviteURL:     func(code string) string { return "https://gatehouse.example.com/invite?code=" + code },
		EngineVersion: func(gatehouse.DeploymentType) string { return "v1.151.0" }, Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, f := range change {
		f(&config)
	}
	handler, document := api.New(config)
	s.document = document
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// engines run nothing, and tell of it what the real ones might.
type engines struct{}

func (engines) CanRun(gatehouse.DeploymentType) error { return nil }

func (engines) Evaluation(context.Context, string) (gatehouse.Evaluation, error) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return gatehouse.Evaluation{Status: gatehouse.Running, Version: "v1.151.0", Groups: []gatehouse.RuleGroup{{
		Name: "g", Interval: 90 * time.Second, Rules: []gatehouse.RuleState{
			{Name: "a", Query: "up", Health: gatehouse.RuleUnjudged},
			{Name: "Down", Alerting: true, Query: "up == 0", Health: gatehouse.RuleOK, LastEvaluation: at, Samples: 1, Alerts: []gatehouse.Alert{
				{Name: "Down", Firing: true, Labels: map[string]string{"job": "node"}, Value: "0", Since: at},
			}},
		},
	}}}, nil
}

func (engines) ProgramLog(_ string, log gatehouse.LogName, lines int) ([]string, error) {
	return slices.Repeat([]string{"a line of " + string(log)}, min(lines, 3)), nil
}

// key makes an API key.
func (s *site) key(name string, change ...func(*gatehouse.NewAPIKey)) string {
	s.Helper()
	n := gatehouse.NewAPIKey{Name: name}
	for _, f := range change {
		f(&n)
	}
	_, value, err := s.control.CreateAPIKey(s.Context(), system, n)
	if err != nil {
		s.Fatal(err)
	}
	return value.Reveal()
}

func readOnly(n *gatehouse.NewAPIKey) { n.ReadOnly = true }

func only(ids ...string) func(*gatehouse.NewAPIKey) {
	return func(n *gatehouse.NewAPIKey) { n.Deployments = ids }
}

func (s *site) addDeployment(name string) gatehouse.Deployment {
	s.Helper()
	d, err := s.control.CreateDeployment(s.Context(), system, gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

func (s *site) addCluster(name string) gatehouse.Deployment {
	s.Helper()
	d, err := s.control.ConnectDeployment(s.Context(), system, gatehouse.NewDeployment{
		Name: name, Type: gatehouse.Cluster, InsertURLs: []string{"http://10.0.0.1:8480"}, SelectURLs: []string{"http://10.0.0.2:8481"},
	})
	if err != nil {
		s.Fatal(err)
	}
	return d
}

// client sends requests exactly as VictoriaMetrics Cloud's Go client does: the key's header and nothing else, no Content-Type and no
// Accept; Go adds Accept-Encoding: gzip.
type client struct {
	*testing.T
	base string
	key  string
}

func (s *site) client(key string) client { return client{s.T, s.url, key} }

// admin is a client with a new Read/Write key for everything.
func (s *site) admin() client {
	s.Helper()
	s.admins++
	return s.client(s.key(strings.Repeat("admin", s.admins)))
}

// answer is a whole response.
type answer struct {
	*testing.T
	status int
	header http.Header
	body   string
}

func (c client) send(method, body string, path ...string) answer {
	c.Helper()
	base, err := url.Parse(c.base)
	if err != nil {
		c.Fatal(err)
	}
	req, err := http.NewRequest(method, base.JoinPath(append([]string{"/api/v1"}, path...)...).String(), bodyOf(body))
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("X-VM-Cloud-Access", c.key)
	return c.do(req)
}

// bodyOf gives no body at all for "", as the client has none for GET and DELETE.
func bodyOf(text string) io.Reader {
	if text == "" {
		return nil
	}
	return strings.NewReader(text)
}

func (c client) do(req *http.Request) answer {
	c.Helper()
	browserless := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := browserless.Do(req)
	if err != nil {
		c.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.Fatal(err)
	}
	return answer{c.T, resp.StatusCode, resp.Header, string(text)}
}

// query is a GET with a query.
func (c client) query(path, query string) answer {
	c.Helper()
	req := newRequest(c.T, http.MethodGet, c.base+"/api/v1/"+path+"?"+query, "")
	req.Header.Set("X-VM-Cloud-Access", c.key)
	return c.do(req)
}

func (c client) get(path ...string) answer { c.Helper(); return c.send(http.MethodGet, "", path...) }

func (c client) del(path ...string) answer { c.Helper(); return c.send(http.MethodDelete, "", path...) }

func (c client) post(body string, path ...string) answer {
	c.Helper()
	return c.send(http.MethodPost, body, path...)
}

func (c client) put(body string, path ...string) answer {
	c.Helper()
	return c.send(http.MethodPut, body, path...)
}

// ok sees to it that the answer is one that the client takes: 2xx, and empty or JSON.
func (a answer) ok() answer {
	a.Helper()
	if a.status/100 != 2 {
		a.Fatalf("status %d: %s", a.status, a.body)
	}
	if a.body != "" && !json.Valid([]byte(a.body)) {
		a.Fatalf("the answer is no JSON: %s", a.body)
	}
	return a
}

// into decodes a JSON answer.
func (a answer) into(v any) answer {
	a.Helper()
	a.ok()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.Fatalf("%v in %s", err, a.body)
	}
	return a
}

// object decodes an answer that is a JSON object.
func (a answer) object() map[string]any {
	a.Helper()
	var m map[string]any
	a.into(&m)
	return m
}

// list decodes an answer that is a list of JSON objects.
func (a answer) list() []map[string]any {
	a.Helper()
	var l []map[string]any
	a.into(&l)
	return l
}

// refused sees to it that the answer has the status and one short line that holds the text.
func (a answer) refused(status int, text string) answer {
	a.Helper()
	var problem map[string]string
	err := json.Unmarshal([]byte(a.body), &problem)
	line := problem["error"]
	if a.status != status || err != nil || len(problem) != 1 || line == "" || strings.Contains(line, "\n") || len(line) > 400 || !strings.Contains(line, text) {
		a.Errorf("want status %d with %q in one line, got %d: %s", status, text, a.status, a.body)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("Cache-Control") != "no-store" {
		a.Errorf("the refusal has the wrong header: %v", a.header)
	}
	return a
}

// syncBuffer is a log that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
