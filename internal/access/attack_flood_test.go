package access

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// ends waits until the endpoint has closed the connection, whatever it answers before.
func (c rawConn) ends(t testing.TB) string {
	t.Helper()
	got, err := io.ReadAll(c)
	if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
		t.Errorf("the connection stays open; so far: %.200q", got)
	}
	return string(got)
}

// TestNobodyHoldsAConnectionForLong sends too little, in every place where that is possible.
func TestNobodyHoldsAConnectionForLong(t *testing.T) {
	e := newTarget(t, Options{MaxQueueDuration: 300 * time.Millisecond, StallTimeout: 300 * time.Millisecond})
	s := e.token("single", gatehouse.ReadWrite, nil)
	for what, head := range map[string]string{
		"nothing":                   "",
		"half a request line":       "GET /api/v1/qu",
		"half a header":             "GET /api/v1/query HTTP/1.1\r\n" + bearing(s) + "X: ",
		"half a body, no token":     "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
		"half a body, wrong token":  "POST /api/v1/write HTTP/1.1\r\n" + bearing("wrong") + "Content-Length: 100\r\n\r\nhalf",
		"half a chunk, wrong token": "POST /api/v1/write HTTP/1.1\r\n" + bearing("wrong") + "Transfer-Encoding: chunked\r\n\r\n64\r\nhalf",
		"half a body, wrong path":   "POST /metrics HTTP/1.1\r\n" + bearing(s) + "Content-Length: 100\r\n\r\nhalf",
		"half a body, own answer":   "POST /health HTTP/1.1\r\n" + bearing(s) + "Content-Length: 100\r\n\r\nhalf",
		"half a body of OPTIONS":    "OPTIONS * HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
		"half a body":               "POST /api/v1/write HTTP/1.1\r\n" + bearing(s) + "Content-Length: 100\r\n\r\nhalf",
		"half a long body":          "POST /api/v1/import HTTP/1.1\r\n" + bearing(s) + fmt.Sprintf("Content-Length: %d\r\n\r\n", 4*headSize) + strings.Repeat("x", 2*headSize),
		"half a trailer":            "POST /api/v1/import HTTP/1.1\r\n" + bearing(s) + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: y",
		"no second request":         "GET /api/v1/query HTTP/1.1\r\n" + bearing(s) + "\r\n",
		"half a second request":     "GET /api/v1/query HTTP/1.1\r\n" + bearing(s) + "\r\nGET /api",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn := e.dial()
			_, _ = io.WriteString(conn, head)
			conn.ends(t)
		})
	}
	t.Run("one byte after the other", func(t *testing.T) {
		conn := e.dial()
		_, _ = io.WriteString(conn, "POST /api/v1/write HTTP/1.1\r\n"+bearing(s)+"Content-Length: 1000000\r\nX: ")
		for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
			if _, err := io.WriteString(conn, "x"); err != nil {
				break
			}
			if time.Since(start) > patience {
				t.Fatal("the connection stays open")
			}
		}
	})
	t.Run("an early answer does not wait for the rest of the body", func(t *testing.T) {
		e.single("early", rawBackend(t, func(c net.Conn, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 6\r\n\r\ncannot")
			_, _ = io.Copy(io.Discard, c)
		}))
		conn := e.dial()
		_, _ = io.WriteString(conn, "POST /api/v1/import HTTP/1.1\r\n"+bearing(e.token("early", gatehouse.Write, nil))+fmt.Sprintf("Content-Length: %d\r\n\r\n", 2*headSize)+strings.Repeat("x", headSize))
		if got := conn.ends(t); !strings.Contains(got, "400 Bad Request") && !strings.Contains(got, "408 Request Timeout") {
			t.Errorf("%q", got)
		}
	})
	t.Cleanup(func() { e.waitRunning(0) })
}

// TestNobodyHoldsAConnectionByNotReading sends requests without end and never reads an answer.
func TestNobodyHoldsAConnectionByNotReading(t *testing.T) {
	e := newTarget(t, Options{MaxQueueDuration: 300 * time.Millisecond, StallTimeout: 300 * time.Millisecond})
	e.single("talkative", backendServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 32<<10)) }).URL)
	s := e.token("talkative", gatehouse.ReadWrite, nil)
	requests := []string{
		"GET /api/v1/query HTTP/1.1\r\nHost: x\r\n\r\n",         // is refused
		"GET /health HTTP/1.1\r\n" + bearing(s) + "\r\n",        // the endpoint answers
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",                 // the endpoint answers
		"GET /api/v1/query HTTP/1.1\r\n" + bearing(s) + "\r\n",  // the backend answers
		"HEAD /api/v1/query HTTP/1.1\r\n" + bearing(s) + "\r\n", // the backend answers with nothing but a header
	}
	var conns []rawConn
	var senders sync.WaitGroup
	for _, request := range requests {
		conn := e.dial()
		_ = conn.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		many := strings.Repeat(request, 1000)
		senders.Go(func() {
			for {
				if _, err := io.WriteString(conn, many); err != nil {
					return
				}
			}
		})
		conns = append(conns, conn)
	}
	eventually(t, "all are connected", func() bool { return int(e.accepted.Load()) == len(requests) })
	eventually(t, "none is connected any more", func() bool { return int(e.closed.Load()) == len(requests) })
	e.waitRunning(0)
	for _, conn := range conns {
		conn.Close() // the kernel may have kept it from the client that the other end is closed
	}
	senders.Wait()
}

// TestNobodyHoldsAConnectionByNotReadingAHeader has a backend that sends nothing after a long header, which ReverseProxy flushes by
// itself since the length of the answer is not known.
func TestNobodyHoldsAConnectionByNotReadingAHeader(t *testing.T) {
	e := newTarget(t, Options{StallTimeout: 300 * time.Millisecond})
	e.single("quiet", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 200<<10))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}).URL)
	conn := e.dial()
	_ = conn.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	_, _ = io.WriteString(conn, "GET /api/v1/query HTTP/1.1\r\n"+bearing(e.token("quiet", gatehouse.Read, nil))+"\r\n")
	eventually(t, "it is connected no more", func() bool { return e.closed.Load() == 1 })
	e.waitRunning(0)
}

// TestFloodsOfConnectionsHurtNobodyElse keeps hundreds of slow connections open while another token works, and counts afterwards
// what is left of them.
func TestFloodsOfConnectionsHurtNobodyElse(t *testing.T) {
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	t.Run("flood", func(t *testing.T) {
		e := newTarget(t, Options{MaxQueueDuration: 2 * time.Second, StallTimeout: 2 * time.Second})
		attacker, other := e.token("single", gatehouse.ReadWrite, nil), e.token("single", gatehouse.ReadWrite, nil)
		heads := []string{
			"",
			"GET /api/v1/query HTTP/1.1\r\nHost: x\r\nX: ",
			"POST /api/v1/write HTTP/1.1\r\n" + bearing(attacker) + "Content-Length: 100\r\n\r\nhalf",
			"POST /api/v1/import HTTP/1.1\r\n" + bearing(attacker) + fmt.Sprintf("Content-Length: %d\r\n\r\n", 4*headSize) + strings.Repeat("x", 2*headSize),
			"POST /api/v1/write HTTP/1.1\r\n" + bearing("wrong") + "Content-Length: 100\r\n\r\nhalf",
			"GET /api/v1/query HTTP/1.1\r\n" + strings.Repeat("a:b\r\n", 10_000),
		}
		var conns []rawConn
		for i := range 300 {
			conn := e.dial()
			_, _ = io.WriteString(conn, heads[i%len(heads)])
			conns = append(conns, conn)
			if i%10 == 0 {
				e.post("/api/v1/write", other, "x").mustBe(t, 200, "reached")
			}
		}
		e.post("/api/v1/write", other, "x").mustBe(t, 200, "reached")
		for i, conn := range conns {
			if i%2 == 0 {
				conn.Close() // some go away by themselves
			} else {
				conn.ends(t)
			}
		}
		e.waitRunning(0)
		eventually(t, "no request is left", func() bool { return e.begun(attacker) == 0 })
		for _, r := range e.backend.take() {
			if r.body != "x" {
				t.Errorf("half a request reached the backend: %.100q", r.raw)
			}
		}
	})
	eventually(t, "goroutines and files are as many as before", func() bool {
		return runtime.NumGoroutine() <= goroutines && openFiles(t) <= files
	})
}

// openFiles counts the descriptors of this process, where the system shows them.
func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return len(entries)
}

func TestHeadersOfAnySizeAreTakenOrTurnedAway(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("single", gatehouse.ReadWrite, nil)
	head := "GET /api/v1/query HTTP/1.1\r\n" + bearing(s)
	var distinct strings.Builder
	for i := range 15_000 {
		fmt.Fprintf(&distinct, "x%x:\r\n", i)
	}
	for what, f := range map[string]struct {
		raw  string
		want int
	}{
		"one of 200 KB":             {head + "X: " + strings.Repeat("x", 200<<10) + "\r\n\r\n", 200},
		"one of 300 KB":             {head + "X: " + strings.Repeat("x", 300<<10) + "\r\n\r\n", 431},
		"a name of 300 KB":          {head + strings.Repeat("x", 300<<10) + ": x\r\n\r\n", 431},
		"a query of 200 KB":         {"GET /api/v1/query?" + strings.Repeat("x", 200<<10) + " HTTP/1.1\r\n" + bearing(s) + "\r\n", 200},
		"a request line of 300 KB":  {"GET /" + strings.Repeat("x", 300<<10) + " HTTP/1.1\r\n" + bearing(s) + "\r\n", 431},
		"a method of 300 KB":        {strings.Repeat("X", 300<<10) + " / HTTP/1.1\r\n" + bearing(s) + "\r\n", 431},
		"15,000 of one name":        {head + strings.Repeat("a:b\r\n", 15_000) + "\r\n", 200},
		"15,000 names":              {head + distinct.String() + "\r\n", 200},
		"100,000 of one name":       {head + strings.Repeat("a:b\r\n", 100_000) + "\r\n", 431},
		"10,000 times Connection":   {head + strings.Repeat("Connection: x, y, Authorization\r\n", 8_000/5) + "\r\n", 200},
		"a fold without end":        {head + "X: x\r\n" + strings.Repeat(" x\r\n", 100_000) + "\r\n", 431},
		"1,000 times Authorization": {head + strings.Repeat("Authorization: Bearer "+s+"\r\n", 1000) + "\r\n", 401},
	} {
		t.Run(what, func(t *testing.T) {
			answers := e.attack(t, f.raw)
			if len(answers) == 0 || answers[0].StatusCode != f.want {
				t.Errorf("%v; want %d", answers.statuses(), f.want)
			}
			for _, r := range e.backend.take() {
				r.mustNotBetray(t, s)
			}
		})
	}
}

// TestAFloodOfWrongTokensCostsLittle sends 12,000 wrong tokens over many connections, while a good token works from the same
// address.
func TestAFloodOfWrongTokensCostsLittle(t *testing.T) {
	const connections, each = 50, 240
	e := newTarget(t, Options{RefusalDelay: time.Millisecond})
	good := e.token("single", gatehouse.ReadWrite, nil)
	e.get("/api/v1/query", good).mustBe(t, 200, "reached")
	before, start := heap(), time.Now()
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			conn := e.dial()
			defer conn.Close()
			answers := bufio.NewReader(conn)
			for i := range each {
				_, _ = io.WriteString(conn, "GET /api/v1/query HTTP/1.1\r\n"+bearing(secret.New(secret.AccessToken).Reveal())+"\r\n")
				res, err := http.ReadResponse(answers, nil)
				if err != nil {
					t.Errorf("request %d: %v", i, err)
					return
				}
				if _, _ = io.Copy(io.Discard, res.Body); res.StatusCode != 401 {
					t.Errorf("%d", res.StatusCode)
				}
			}
		})
	}
	for range 20 {
		e.get("/api/v1/query", good).mustBe(t, 200, "reached")
	}
	wg.Wait()
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	windows := int(time.Since(start)/quietWindow) + 2
	if n := strings.Count(e.log.String(), "refused a credential"); n == 0 || n > windows*quietLines {
		t.Errorf("%d log lines", n)
	}
	if got := e.metric(`gatehouse_access_bad_credentials_total{flaw="unknown"}`); got != fmt.Sprint(connections*each) {
		t.Errorf("%s counted", got)
	}
	if got := e.metric("gatehouse_access_refusals_delayed_total"); got == "0" || got == "" {
		t.Error("nobody was made to wait")
	}
	t.Run("and hides no fault of a backend from the log", func(t *testing.T) {
		e.single("single", rawBackend(t, func(net.Conn, *http.Request) {}))
		e.post("/api/v1/write", good, "x").mustRefuse(t, 502, "")
		if !strings.Contains(e.log.String(), "a backend did not answer as it should") {
			t.Error("the log does not say that the backend broke off")
		}
	})
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// timed is a connection whose read deadline can be seen.
type timed struct {
	http.ResponseWriter
	deadline time.Time
}

func (c *timed) SetReadDeadline(t time.Time) error { c.deadline = t; return nil }

func TestTheRestOfABodyIsNotWaitedForWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		within := func(b *body, want time.Time) {
			t.Helper()
			c := &timed{}
			b.conn, b.stall = http.NewResponseController(c), time.Minute
			if b.ctx == nil {
				b.ctx = t.Context()
			}
			if b.hurry(); c.deadline != want {
				t.Errorf("it is waited for until %s; want %s", c.deadline, want)
			}
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		within(&body{}, time.Now().Add(time.Minute))
		within(&body{ctx: gone}, time.Now())
		within(&body{whole: true}, time.Time{}) // a deadline would now look like a client that goes away
		within(&body{over: true}, time.Time{})
		within(&body{failed: io.ErrUnexpectedEOF}, time.Time{})
	})
}
