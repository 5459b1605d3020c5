package access

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// patience is how long a test waits for what must happen. It is only ever used up by a failure.
const patience = 60 * time.Second

// endpoint is a running access endpoint with real connections.
type endpoint struct {
	t       testing.TB
	table   *Table
	handler *Handler
	url     string
	log     *logBuffer
	client  *http.Client
}

// logBuffer keeps what was logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newEndpoint(t testing.TB, o Options) *endpoint {
	t.Helper()
	return newTunedEndpoint(t, o, func(*http.Server) {})
}

// newTunedEndpoint lets tune change the server before it serves, for those who cannot wait for its timeouts.
func newTunedEndpoint(t testing.TB, o Options, tune func(*http.Server)) *endpoint {
	t.Helper()
	e := &endpoint{t: t, log: &logBuffer{}}
	o.Log = slog.New(slog.NewTextHandler(e.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e.table = NewTable(o.Log)
	e.handler = NewHandler(e.table, o)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(e.handler)
	server.ErrorLog = slog.NewLogLogger(o.Log.Handler(), slog.LevelError)
	tune(server)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(ln)
	}()
	t.Cleanup(func() {
		server.Close()
		<-served
	})
	e.url = "http://" + ln.Addr().String()
	e.client = &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(e.client.CloseIdleConnections)
	return e
}

// single connects a single-node deployment at the URLs.
func (e *endpoint) single(id string, urls ...string) {
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: id, Name: id, Type: gatehouse.SingleNode, URLs: urls}})
}

// token makes a token and gives its secret.
func (e *endpoint) token(deployment string, access gatehouse.Access, tenant *gatehouse.Tenant) string {
	s := secret.New(secret.AccessToken).Reveal()
	e.add(s, deployment, access, tenant)
	return s
}

func (e *endpoint) add(s, deployment string, access gatehouse.Access, tenant *gatehouse.Tenant) {
	e.table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "id of " + secret.Mask(s), DeploymentID: deployment, Name: "a token",
		Hash: secret.Hash(s), Access: access, Tenant: tenant}})
}

func (e *endpoint) revoke(s string) {
	hash := secret.Hash(s)
	e.table.Apply(gatehouse.Change{GoneToken: &hash})
}

// answer is a response, read whole.
type answer struct {
	*http.Response
	body string
}

// request makes a request with a Bearer secret, or none for "".
func (e *endpoint) request(method, path, bearer string, body io.Reader, headers ...string) *http.Request {
	e.t.Helper()
	r, err := http.NewRequest(method, e.url+path, body)
	if err != nil {
		e.t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func (e *endpoint) do(r *http.Request) answer {
	e.t.Helper()
	res, err := e.client.Do(r)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return answer{res, string(body)}
}

func (e *endpoint) get(path, bearer string, headers ...string) answer {
	e.t.Helper()
	return e.do(e.request("GET", path, bearer, nil, headers...))
}

func (e *endpoint) post(path, bearer, body string, headers ...string) answer {
	e.t.Helper()
	return e.do(e.request("POST", path, bearer, strings.NewReader(body), headers...))
}

// mustRefuse checks a refusal's status and its text, which must have the shape of the Prometheus API.
func (a answer) mustRefuse(t *testing.T, status int, hint string) {
	t.Helper()
	var said struct{ Status, ErrorType, Error string }
	if err := json.Unmarshal([]byte(a.body), &said); err != nil {
		t.Fatalf("%d %q is not JSON: %v", a.StatusCode, a.body, err)
	}
	if a.StatusCode != status || said.Status != "error" || said.ErrorType == "" || !strings.Contains(said.Error, hint) {
		t.Fatalf("%d %s; want %d and %q", a.StatusCode, a.body, status, hint)
	}
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Fatalf("Content-Type %q", got)
	}
}

func (a answer) mustBe(t *testing.T, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.body != body {
		t.Fatalf("%d %q; want %d %q", a.StatusCode, a.body, status, body)
	}
}

// backendServer starts a real backend.
func backendServer(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// echo answers with what it saw.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintf(w, "%s %s %s", r.Method, r.RequestURI, body)
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (e *endpoint) metric(name string) string {
	var b bytes.Buffer
	e.table.WriteMetrics(&b)
	for line := range strings.Lines(b.String()) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// rawConn speaks HTTP by hand.
type rawConn struct{ net.Conn }

func (e *endpoint) dial() rawConn {
	e.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return rawConn{conn}
}

func (c rawConn) response(t *testing.T) answer {
	t.Helper()
	return readResponse(t, bufio.NewReader(c))
}

func readResponse(t *testing.T, r *bufio.Reader) answer {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(body)}
}
