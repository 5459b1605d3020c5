package access

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// fuzzTokens are known by their hash alone, so that corpora can hold them.
var fuzzTokens = map[string]struct {
	deployment string
	scope      Scope
}{
	"fuzz-single-rw":    {"single", Scope{Access: gatehouse.ReadWrite}},
	"fuzz-single-r":     {"single", Scope{Access: gatehouse.Read}},
	"fuzz-single-w":     {"single", Scope{Access: gatehouse.Write}},
	"fuzz-cluster-rw":   {"cluster", Scope{Access: gatehouse.ReadWrite}},
	"fuzz-cluster-7":    {"cluster", Scope{gatehouse.ReadWrite, tenant7}},
	"fuzz-cluster-79-r": {"cluster", Scope{gatehouse.Read, tenant79}},
}

func newFuzzTarget(f *testing.F) *target {
	e := newTarget(f, Options{MaxQueueDuration: 50 * time.Millisecond, StallTimeout: 50 * time.Millisecond, RefusalDelay: time.Microsecond})
	for s, is := range fuzzTokens {
		e.add(s, is.deployment, is.scope.Access, is.scope.Tenant)
	}
	return e
}

// expected is a request that must reach the backend, in the words of the decision alone.
type expected struct {
	path, query, body string
	on                gatehouse.DeploymentType
	scope             Scope
}

// expect reads raw bytes as a server would, request by request, and judges each by itself. It gives what may reach the backend, in
// this order; the endpoint may stop earlier, as it loses patience with bodies that do not come.
func (e *target) expect(raw string) []expected {
	var list []expected
	for wire := bufio.NewReader(strings.NewReader(raw)); ; {
		r, err := http.ReadRequest(wire)
		if err != nil {
			return list
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return list
		}
		s, _ := secretOf(r.Header)
		is, known := fuzzTokens[s]
		if name, password, basic := r.BasicAuth(); basic && password == "" {
			is, known = fuzzTokens[name] // as a client of vmauth sends a bearer token
		}
		path, err := CleanPath(r.URL.Path)
		if known && err == nil && r.Method != http.MethodOptions {
			on := gatehouse.SingleNode
			if is.deployment == "cluster" {
				on = gatehouse.Cluster
			}
			if route, refusal := Decide(on, is.scope, path); refusal == nil && route.Answer == nil {
				list = append(list, expected{route.Path, r.URL.RawQuery, string(body), on, is.scope})
			}
		}
	}
}

// FuzzRequest sends arbitrary bytes. What the endpoint lets through is what Decide judged, once, in order, and shows the backend no
// credential and no tenant but the path's. Whoever follows on the connection has no part in it.
func FuzzRequest(f *testing.F) {
	e := newFuzzTarget(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 64<<10 {
			t.Skip("long ones are for other tests")
		}
		all := string(raw) + stranger + stranger // the first may end as the body of what came before
		e.backend.take()
		reached := 0
		for _, a := range e.converse(t, all) {
			if a.body == "reached" {
				reached++
			}
		}
		seen, want := e.backend.take(), e.expect(all)
		next := 0
		for _, r := range seen {
			for next < len(want) && !want[next].is(r) {
				next++ // the endpoint has refused it for another reason than its path
			}
			if next == len(want) {
				t.Fatalf("the backend sees %q, which was not judged like that; want %+v", r.raw, want)
			}
			r.mustNotBetray(t)
			mustBeHarmless(t, want[next].on, want[next].scope, r.path)
			next++
		}
		if reached > len(seen) {
			t.Fatalf("%d answers of the backend, which was asked %d times", reached, len(seen))
		}
	})
}

func (x expected) is(r recorded) bool {
	path, query, _ := strings.Cut(r.target, "?")
	return x.path == r.path && x.query == query && x.body == r.body && !strings.Contains(path, "#")
}

// converse sends raw bytes, reads answers for as long as the endpoint gives some, and waits until it closes the connection: then
// nothing of it runs any more.
func (e *target) converse(t testing.TB, raw string) answers {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	go func() { _, _ = io.WriteString(conn, raw) }()
	wire := bufio.NewReader(conn)
	defer func() {
		_, err := io.Copy(io.Discard, wire)
		if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
			t.Errorf("the connection stays open after %q", raw)
		}
	}()
	var got answers
	for {
		res, err := http.ReadResponse(wire, nil)
		if err != nil {
			return got
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return got
		}
		got = append(got, answer{res, string(body)})
	}
}

// FuzzAnswer lets the backend answer with arbitrary bytes. The client gets one answer or a broken one; the next on the connection is
// the next request's.
func FuzzAnswer(f *testing.F) {
	e := newFuzzTarget(f)
	answers := make(chan string, 1)
	e.single("single", rawBackend(f, func(c net.Conn, _ *http.Request) {
		raw := <-answers
		answers <- raw // in case that the request is sent once more
		_, _ = io.WriteString(c, raw)
	}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 64<<10 {
			t.Skip("long ones are for other tests")
		}
		answers <- string(raw)
		got := e.converse(t, "POST /api/v1/query HTTP/1.1\r\n"+bearing("fuzz-single-rw")+"Content-Length: 1\r\n\r\nx"+stranger)
		<-answers
		if len(got) > 2 || len(got) == 2 && got[1].StatusCode != 401 {
			t.Fatalf("%v", got.statuses())
		}
		for _, a := range got {
			if a.StatusCode < 200 || a.Header["Set-Cookie"] != nil || a.Header["X-Server-Hostname"] != nil {
				t.Fatalf("the client sees %d %v", a.StatusCode, a.Header)
			}
		}
		if len(got) > 0 && got[0].StatusCode == 401 {
			t.Fatal("the client is told that its credential is bad")
		}
	})
}
