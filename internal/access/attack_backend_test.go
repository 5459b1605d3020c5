package access

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// TestABackendThatLies lets the backend attack the clients. What it says may be passed on, refused or broken off, but it is one
// answer, never looks more complete than it is, and brings nothing along.
func TestABackendThatLies(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("lying", gatehouse.ReadWrite, nil)
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
	for what, f := range map[string]struct {
		raw  string
		want int    // 0: broken off
		body string // what a complete answer must be
	}{
		"more than it says":                    {ok + "\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", 200, "hello"},
		"less than it says":                    {"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhello", 0, ""},
		"two lengths":                          {ok + "Content-Length: 3\r\n\r\nhello", 502, ""},
		"a negative length":                    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello", 502, ""},
		"chunks beside a length":               {ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 200, "abc"},
		"two encodings":                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 502, ""},
		"a bad chunk":                          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-1\r\n", 0, ""},
		"no last chunk":                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 0, ""},
		"a body where none may be":             {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", 204, ""},
		"a body that ends with the line":       {"HTTP/1.0 200 OK\r\n\r\nhello", 200, "hello"},
		"a status that is none":                {"HTTP/1.1 999999999999 OK\r\n\r\n", 502, ""},
		"a status of two digits":               {"HTTP/1.1 20 OK\r\n\r\n", 502, ""},
		"a status below 100":                   {"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n", 502, ""},
		"another protocol's version":           {"HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello"},
		"101 without being asked":              {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nhello", 502, ""},
		"another name for 101":                 {"HTTP/1.1 100 Continue\r\nUpgrade: h2c\r\n\r\n" + ok + "\r\nhello", 200, "hello"},
		"a flood of 1xx, then an answer":       {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nSet-Cookie: a=b\r\n\r\n", 5000) + ok + "\r\nhello", 200, "hello"},
		"a flood of 1xx, then nothing":         {strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 5000), 502, ""},
		"a header of 2 MB":                     {ok + "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\nhello", 502, ""},
		"100,000 headers":                      {ok + strings.Repeat("a: b\r\n", 100_000) + "\r\nhello", 502, ""},
		"a cookie":                             {ok + "Set-Cookie: session=stolen\r\nset-cookie: a=b\r\n\r\nhello", 200, "hello"},
		"a cookie in a folded header":          {ok + "X-Odd: a\r\n Set-Cookie: session=stolen\r\n\r\nhello", 200, "hello"},
		"a cookie behind CR":                   {ok + "X-Odd: a\rSet-Cookie: session=stolen\r\n\r\nhello", 502, ""},
		"a cookie behind NUL":                  {ok + "X-Odd: a\x00\r\n\r\nhello", 502, ""},
		"a cookie in a trailer":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie\r\n\r\n5\r\nhello\r\n0\r\nSet-Cookie: session=stolen\r\n\r\n", 200, "hello"},
		"a length in a trailer":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 1\r\n\r\n", 502, ""},
		"a name with a space":                  {ok + "X Odd: a\r\n\r\nhello", 200, "hello"},
		"its own name":                         {ok + "X-Server-Hostname: inner\r\nx-server-hostname: inner2\r\n\r\nhello", 200, "hello"},
		"a wish to authenticate":               {"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"inner\"\r\nContent-Length: 5\r\n\r\nhello", 502, ""},
		"orders about the connection":          {ok + "Connection: keep-alive, X-Content-Type-Options\r\nKeep-Alive: timeout=9999\r\nUpgrade: h2c\r\nProxy-Authenticate: Basic\r\n\r\nhello", 200, "hello"},
		"nothing":                              {"", 502, ""},
		"half a status line":                   {"HTTP/1.1 2", 502, ""},
		"half a header":                        {"HTTP/1.1 200 OK\r\nContent-Le", 502, ""},
		"a request":                            {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 502, ""},
		"the answer of another kind of server": {"220 mail.test ESMTP\r\n", 502, ""},
	} {
		t.Run(what, func(t *testing.T) {
			e.single("lying", rawBackend(t, func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, f.raw) }))
			conn := e.dial()
			_, _ = io.WriteString(conn, "GET /api/v1/query HTTP/1.1\r\n"+bearing(s)+"\r\n"+stranger)
			wire := bufio.NewReader(conn)
			res, err := http.ReadResponse(wire, nil)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(res.Body)
			}
			if f.want == 0 {
				if err == nil {
					t.Fatalf("%d %q looks complete", res.StatusCode, body)
				}
				return
			}
			if err != nil || res.StatusCode != f.want || f.body != "" && string(body) != f.body {
				t.Fatalf("%v %q, %v; want %d %q", res, body, err, f.want, f.body)
			}
			for _, name := range []string{"Set-Cookie", "X-Server-Hostname", "Upgrade", "Keep-Alive", "Proxy-Authenticate", "Link", "X Odd"} {
				if res.Header[name] != nil {
					t.Errorf("the client sees %s: %q", name, res.Header[name])
				}
			}
			for _, challenge := range res.Header["Www-Authenticate"] {
				t.Errorf("the client is asked for %s", challenge)
			}
			// The next answer on the connection is the next request's.
			if next, err := http.ReadResponse(wire, nil); err != nil || next.StatusCode != 401 {
				t.Errorf("the stranger gets %v, %v", next, err)
			}
		})
	}
}

// TestABackendThatNeverStops talks without end to a client that does not listen.
func TestABackendThatNeverStops(t *testing.T) {
	e := newTarget(t, Options{ResponseTimeout: 500 * time.Millisecond, StallTimeout: 300 * time.Millisecond})
	s := e.token("endless", gatehouse.ReadWrite, nil)
	for what, piece := range map[string]string{
		"about early hints": "HTTP/1.1 103 Early Hints\r\nLink: <" + strings.Repeat("x", 1000) + ">\r\n\r\n",
		"in its header":     "X-Odd: " + strings.Repeat("x", 1000) + "\r\n",
		"in its body":       strings.Repeat("x", 1000),
	} {
		t.Run(what, func(t *testing.T) {
			var began, ended atomic.Int32
			e.single("endless", rawBackend(t, func(c net.Conn, _ *http.Request) {
				began.Add(1)
				defer ended.Add(1)
				if what != "about early hints" {
					_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
				}
				if what == "in its body" {
					_, _ = io.WriteString(c, "\r\n")
				}
				for {
					if _, err := io.WriteString(c, piece); err != nil {
						return
					}
				}
			}))
			conn := e.dial()
			_ = conn.Conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			_, _ = io.WriteString(conn, "GET /api/v1/export HTTP/1.1\r\n"+bearing(s)+"\r\n")
			eventually(t, "nobody listens to the backend any more", func() bool { return began.Load() > 0 && ended.Load() == began.Load() })
			e.waitRunning(0)
		})
	}
}

// TestAnAnswerBelongsToItsRequest sends many requests at once to a backend that breaks every third connection.
func TestAnAnswerBelongsToItsRequest(t *testing.T) {
	e := newEndpoint(t, Options{})
	n := make(chan int, 1)
	n <- 0
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		i := <-n
		n <- i + 1
		body, _ := io.ReadAll(r.Body)
		if i%3 == 0 {
			panic(http.ErrAbortHandler)
		}
		if i%5 == 0 {
			w.Header().Set("Content-Length", "1000")
		}
		fmt.Fprintf(w, "%s %s", r.URL.RawQuery, body)
	}).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)
	done := make(chan struct{})
	for worker := range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range 40 {
				mark := fmt.Sprintf("%d-%d", worker, i)
				res, err := e.client.Do(e.request("POST", "/api/v1/query?"+mark, s, strings.NewReader(mark)))
				if err != nil {
					continue
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err == nil && res.StatusCode == 200 && string(body) != mark+" "+mark {
					t.Errorf("%s is answered with %q", mark, body)
				}
			}
		}()
	}
	for range 8 {
		<-done
	}
}
