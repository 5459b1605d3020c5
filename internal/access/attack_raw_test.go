package access

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// recorder is a backend that keeps every byte that reaches it.
type recorder struct {
	url string

	mu       sync.Mutex
	requests []recorded
}

// recorded is a request as it came over the wire.
type recorded struct {
	raw    string // all of it: head, body, chunks and trailers
	method string
	target string // as in the request line
	path   string // decoded once, as VictoriaMetrics does
	header http.Header
	body   string
}

func newRecorder(t testing.TB) *recorder {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorder{url: "http://" + ln.Addr().String()}
	var conns sync.Map
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Store(conn, nil)
			wg.Go(func() {
				defer conns.Delete(conn)
				defer conn.Close()
				rec.serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		conns.Range(func(conn, _ any) bool { conn.(net.Conn).Close(); return true })
		wg.Wait()
	})
	return rec
}

func (rec *recorder) serve(conn net.Conn) {
	var raw bytes.Buffer // exactly one request at a time, since a client waits for its answer before it sends the next
	wire := bufio.NewReader(io.TeeReader(conn, &raw))
	for {
		r, err := http.ReadRequest(wire)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // broken off: no server would take it for a request
		}
		rec.mu.Lock()
		rec.requests = append(rec.requests, recorded{raw.String(), r.Method, r.RequestURI, r.URL.Path, r.Header, string(body)})
		rec.mu.Unlock()
		raw.Reset()
		answer := "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nreached"
		if r.Method == http.MethodHead {
			answer = strings.TrimSuffix(answer, "reached")
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

// take gives the requests since the last call.
func (rec *recorder) take() []recorded {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	requests := rec.requests
	rec.requests = nil
	return requests
}

// target is an endpoint under attack, with a recorder behind a single-node deployment "single" and a cluster "cluster".
type target struct {
	*endpoint
	backend *recorder

	accepted, closed atomic.Int32 // connections
}

// newTarget makes one that waits for an attacker's header, and for the next request, as long as for the head of a body.
func newTarget(t testing.TB, o Options) *target {
	t.Helper()
	if o.MaxQueueDuration == 0 {
		o.MaxQueueDuration = patience / 2
	}
	if o.RefusalDelay == 0 {
		o.RefusalDelay = time.Millisecond
	}
	e := &target{}
	e.endpoint = newTunedEndpoint(t, o, func(s *http.Server) {
		s.ReadHeaderTimeout = o.MaxQueueDuration
		s.IdleTimeout = o.MaxQueueDuration
		s.ConnState = func(conn net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				_ = conn.(*net.TCPConn).SetWriteBuffer(4 << 10) // soon full when the client does not read
				e.accepted.Add(1)
			case http.StateClosed:
				e.closed.Add(1)
			}
		}
	})
	e.backend = newRecorder(t)
	e.single("single", e.backend.url)
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "cluster", Name: "cluster", Type: gatehouse.Cluster,
		InsertURLs: []string{e.backend.url}, SelectURLs: []string{e.backend.url}}})
	return e
}

// stranger follows on every attacker's connection. It has no credential, so it must be refused, if the connection still stands.
const stranger = "GET /api/v1/export HTTP/1.1\r\nHost: stranger\r\nConnection: close\r\n\r\n"

// attack sends raw bytes and a stranger's request over one connection, and gives all answers until the connection ends.
func (e *endpoint) attack(t testing.TB, raw string) answers {
	t.Helper()
	conn := e.dial()
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, raw+stranger) }()
	var got answers
	for r := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Errorf("the connection stays open after %.200q", raw)
			}
			return got
		}
		if res.StatusCode == http.StatusContinue {
			continue
		}
		body, _ := io.ReadAll(res.Body)
		got = append(got, answer{res, string(body)})
	}
}

// answers are what came back over one connection.
type answers []answer

func (as answers) statuses() []int {
	var s []int
	for _, a := range as {
		s = append(s, a.StatusCode)
	}
	return s
}

// mustEndWithTheStranger checks that all of a pipeline was answered, up to the refusal of the stranger at its end.
func (as answers) mustEndWithTheStranger(t testing.TB) {
	t.Helper()
	if len(as) == 0 || as[len(as)-1].StatusCode != 401 {
		t.Errorf("the stranger got no 401: %v", as.statuses())
	}
}

// bearing are the header lines of a request with a secret.
func bearing(secret string) string { return "Host: x\r\nAuthorization: Bearer " + secret + "\r\n" }

// mustNotBetray checks that a request shows the backend nothing of the client's credentials and no tenant but the path's.
func (r recorded) mustNotBetray(t testing.TB, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(r.raw, s) {
			t.Errorf("the backend sees a secret: %q", r.raw)
		}
	}
	for _, name := range append([]string{"Accountid", "Projectid", "Proxy-Authorization", "Trailer", "Upgrade", "Connection", "X-Forwarded-Prefix"}, credentialHeaders...) {
		if r.header[name] != nil {
			t.Errorf("the backend sees %s: %q", name, r.header[name])
		}
	}
	head, _, _ := strings.Cut(strings.ToLower(r.raw), "\r\n\r\n")
	if strings.Count(head, "\r\ncontent-length:")+strings.Count(head, "\r\ntransfer-encoding:") > 1 {
		t.Errorf("the backend sees two lengths: %q", r.raw)
	}
}
