package access

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// seen is a request as a backend saw it.
type seen struct {
	Method, URI, Host, Body string
	Header                  http.Header
	TransferEncoding        []string
}

func witness(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Server-Hostname", "inner-host")
	w.Header().Set("Set-Cookie", "session=stolen")
	w.Header().Set("X-Kept", "yes")
	_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, string(body), r.Header, r.TransferEncoding})
}

func (a answer) seen(t *testing.T) seen {
	t.Helper()
	var s seen
	if err := json.Unmarshal([]byte(a.body), &s); err != nil {
		t.Fatalf("%d %q: %v", a.StatusCode, a.body, err)
	}
	return s
}

func TestWhatTheBackendSees(t *testing.T) {
	e := newEndpoint(t, Options{})
	backend := backendServer(t, witness)
	e.single("d", backend.URL+"/base/")
	s := e.token("d", gatehouse.ReadWrite, nil)

	t.Run("no credential, no tenant, no hop-by-hop header, no forged origin", func(t *testing.T) {
		r := e.request("POST", "/api/v1/query", s, strings.NewReader("query=1"))
		r.Host = "gateway.test"
		for _, h := range []string{"DD-API-KEY", "Api-Key", "X-License-Key", "X-Amz-Firehose-Access-Key", "X-VM-Cloud-Access", "AccountID", "ProjectID",
			"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "Forwarded", "Keep-Alive", "Proxy-Authorization", "Te",
			"X-Hop", "Cookie"} {
			r.Header.Set(h, "forged")
		}
		r.Header["accountid"] = []string{"forged"}
		r.Header["X-FORWARDED-PORT"] = []string{"forged"}
		r.Header.Set("Connection", "X-Hop, Authorization")
		r.Header.Set("User-Agent", "vmagent/1.151.0")
		r.Header.Set("Accept-Encoding", "zstd, gzip")
		r.Header.Set("Content-Type", "text/x-odd")
		a := e.do(r)
		got := a.seen(t)
		want := http.Header{
			"User-Agent": {"vmagent/1.151.0"}, "Accept-Encoding": {"zstd, gzip"}, "Content-Type": {"text/x-odd"}, "Content-Length": {"7"},
			"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"gateway.test"}, "X-Forwarded-Proto": {"http"},
		}
		for name, values := range got.Header {
			if strings.Join(values, "|") != strings.Join(want[name], "|") {
				t.Errorf("the backend sees %s: %q; want %q", name, values, want[name])
			}
		}
		for name := range want {
			if got.Header[name] == nil {
				t.Errorf("the backend does not see %s", name)
			}
		}
		if "http://"+got.Host != backend.URL || got.URI != "/base/api/v1/query" || got.Body != "query=1" {
			t.Errorf("the backend sees %s %s %q", got.Host, got.URI, got.Body)
		}
		if a.Header.Get("X-Server-Hostname") != "" || a.Header.Get("Set-Cookie") != "" || a.Header.Get("X-Kept") != "yes" {
			t.Errorf("the client sees %v", a.Header)
		}
	})
	t.Run("no user agent when the client has none", func(t *testing.T) {
		r := e.request("GET", "/api/v1/query", s, nil)
		r.Header["User-Agent"] = []string{""}
		if got := e.do(r).seen(t); got.Header.Get("User-Agent") != "" || got.Header.Get("Accept-Encoding") != "" {
			t.Errorf("%v", got.Header)
		}
	})
	t.Run("the query as it came", func(t *testing.T) {
		for _, uri := range []string{"/api/v1/query?a;b=c&%zz&x=%3B&&=", "/api/v1/query?", "/api/v1/query?query=sum(rate(x%5B5m%5D))+by+(a)&match[]={b=\"c\"}",
			"/api/v1/query?extra_filters[]={x=\"y\"}"} {
			r := e.request("GET", "/api/v1/query", s, nil)
			r.URL.Opaque = strings.Replace(e.url, "http:", "", 1) + uri
			r.URL.RawQuery = ""
			if got := e.do(r).seen(t); got.URI != "/base"+uri {
				t.Errorf("sent %s, and the backend sees %s", uri, got.URI)
			}
		}
	})
	t.Run("the path that was judged", func(t *testing.T) {
		for raw, want := range map[string]string{
			"//api//v1/label/a%2Fb/values":               "/base/api/v1/label/a/b/values",
			"/api/v1/label/a%3Fb%23c%25d%3Be%20f/values": "/base/api/v1/label/a%3Fb%23c%25d%3Be%20f/values",
			"/api/v1/label/%C3%BC/values":                "/base/api/v1/label/%C3%BC/values",
		} {
			if got := e.get(raw, s).seen(t); got.URI != want {
				t.Errorf("sent %s, and the backend sees %s; want %s", raw, got.URI, want)
			}
		}
	})
	t.Run("the deployment's own credential", func(t *testing.T) {
		e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "m", Name: "m", Type: gatehouse.SingleNode, Managed: true}})
		e.table.SetEngine("m", &Engine{URL: backend.URL, Username: "gatehouse", Password: "inner"})
		got := e.get("/api/v1/query", e.token("m", gatehouse.Read, nil), "Connection", "Authorization").seen(t)
		if got.Header.Get("Authorization") != basicAuth("gatehouse:inner") {
			t.Errorf("the backend sees Authorization: %s", got.Header.Get("Authorization"))
		}
	})
	t.Run("a body of any method, chunked or not", func(t *testing.T) {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "PATCH"} {
			if got := e.do(e.request(method, "/api/v1/import/prometheus", s, strings.NewReader("x 1"))).seen(t); got.Body != "x 1" || got.Method != method {
				t.Errorf("%s: the backend sees %+v", method, got)
			}
		}
		if got := e.do(e.request("POST", "/write", s, struct{ io.Reader }{strings.NewReader("x v=1")})).seen(t); got.Body != "x v=1" || len(got.TransferEncoding) != 1 {
			t.Errorf("%+v", got)
		}
		if got := e.do(e.request("POST", "/write", s, strings.NewReader("x v=1"), "Expect", "100-continue")).seen(t); got.Body != "x v=1" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("the tenant in the path, whatever the headers say", func(t *testing.T) {
		e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "c", Name: "c", Type: gatehouse.Cluster,
			InsertURLs: []string{backend.URL + "/vminsert"}, SelectURLs: []string{backend.URL + "/vmselect"}}})
		s := e.token("c", gatehouse.ReadWrite, tenant79)
		got := e.post("/prometheus/api/v1/write", s, "x", "AccountID", "1", "ProjectID", "2").seen(t)
		if got.URI != "/vminsert/insert/7:9/prometheus/api/v1/write" || got.Header.Get("AccountID")+got.Header.Get("ProjectID") != "" {
			t.Errorf("%+v", got)
		}
		if got := e.get("/select/7%3A09/prometheus/api/v1/query?query=1", s).seen(t); got.URI != "/vmselect/select/7:9/prometheus/api/v1/query?query=1" {
			t.Errorf("%+v", got)
		}
	})
}

func TestATrustedProxySaysWhereARequestCameFrom(t *testing.T) {
	e := newEndpoint(t, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}})
	e.single("d", backendServer(t, witness).URL)
	s := e.token("d", gatehouse.Read, nil)
	got := e.get("/api/v1/query", s, "X-Forwarded-For", "1.1.1.1, 192.0.2.9", "X-Forwarded-For", "10.9.9.9", "X-Forwarded-Host", "outside.test", "X-Forwarded-Proto", "https",
		"X-Forwarded-Port", "443", "User-Agent", "Grafana/12").seen(t)
	if got.Header.Get("X-Forwarded-For") != "1.1.1.1, 192.0.2.9, 10.9.9.9, 127.0.0.1" || got.Header.Get("X-Forwarded-Host") != "outside.test" ||
		got.Header.Get("X-Forwarded-Proto") != "https" || got.Header.Get("X-Forwarded-Port") != "443" {
		t.Errorf("%v", got.Header)
	}
	if uses := e.table.DrainUses(); len(uses) != 1 || uses[0].Use.Addr != "192.0.2.9" || uses[0].Use.UserAgent != "Grafana/12" {
		t.Errorf("%+v; want the last address that no trusted proxy has", uses)
	}
}

func TestBodiesStreamBothWays(t *testing.T) {
	const total = 40 << 20
	e := newEndpoint(t, Options{})
	firstPiece := make(chan struct{})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 64<<10)
		if r.URL.Path == "/api/v1/import" {
			if _, err := io.ReadFull(r.Body, buf); err != nil {
				t.Error(err)
			}
			close(firstPiece) // before the client has sent the rest
			n, err := io.Copy(io.Discard, r.Body)
			if err != nil || n != total-int64(len(buf)) {
				t.Errorf("the backend got %d bytes more, %v", n, err)
			}
			return
		}
		for range total / len(buf) {
			_, _ = w.Write(buf)
		}
	}).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)

	t.Run("up", func(t *testing.T) {
		piped, pipe := io.Pipe()
		go func() {
			buf := make([]byte, 1<<20)
			for i := range total / len(buf) {
				if i == 1 {
					<-firstPiece
				}
				if _, err := pipe.Write(buf); err != nil {
					t.Error(err)
				}
			}
			pipe.Close()
		}()
		e.do(e.request("POST", "/api/v1/import", s, piped)).mustBe(t, 200, "")
	})
	t.Run("down", func(t *testing.T) {
		if a := e.get("/api/v1/export", s); len(a.body) != total {
			t.Errorf("%d bytes", len(a.body))
		}
	})
	t.Run("down, piece by piece", func(t *testing.T) {
		more := make(chan struct{})
		e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
			<-more
			_, _ = io.WriteString(w, "second\n")
		}).URL)
		res, err := e.client.Do(e.request("GET", "/api/v1/export", s, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		lines := bufio.NewReader(res.Body)
		if line, err := lines.ReadString('\n'); line != "first\n" {
			t.Fatalf("%q, %v", line, err)
		}
		close(more)
		if line, err := lines.ReadString('\n'); line != "second\n" {
			t.Fatalf("%q, %v", line, err)
		}
	})
}

// rawBackend accepts connections and lets answer write whatever it wants after each request's header.
func rawBackend(t testing.TB, answer func(net.Conn, *http.Request)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r, err := http.ReadRequest(bufio.NewReader(conn))
				if err == nil {
					answer(conn, r)
				}
			}()
		}
	}()
	return "http://" + ln.Addr().String()
}

func closedURL(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	return "http://" + ln.Addr().String()
}

func TestFaultsOfTheBackend(t *testing.T) {
	e := newEndpoint(t, Options{ResponseTimeout: 300 * time.Millisecond})
	s := e.token("d", gatehouse.ReadWrite, nil)

	t.Run("not to be reached", func(t *testing.T) {
		e.single("d", closedURL(t))
		a := e.post("/api/v1/write", s, "x")
		a.mustRefuse(t, 503, "cannot be reached")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
	t.Run("breaks off before the answer", func(t *testing.T) {
		e.single("d", rawBackend(t, func(net.Conn, *http.Request) {}))
		e.post("/api/v1/write", s, "x").mustRefuse(t, 502, "broke off")
		e.get("/api/v1/query", s).mustRefuse(t, 502, "broke off")
	})
	t.Run("answers garbage", func(t *testing.T) {
		e.single("d", rawBackend(t, func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH\r\n") }))
		e.get("/api/v1/query", s).mustRefuse(t, 502, "broke off")
	})
	t.Run("takes too long", func(t *testing.T) {
		var tries atomic.Int32
		e.single("d", backendServer(t, func(_ http.ResponseWriter, r *http.Request) {
			tries.Add(1)
			<-r.Context().Done()
		}).URL)
		e.get("/api/v1/query", s).mustRefuse(t, 504, "took too long")
		if tries.Load() != 1 {
			t.Errorf("tried %d times: a heavy query must not be repeated", tries.Load())
		}
	})
	t.Run("does not accept our credential", func(t *testing.T) {
		e.single("d", backendServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="VictoriaMetrics"`)
			w.WriteHeader(401)
		}).URL)
		a := e.get("/api/v1/query", s)
		a.mustRefuse(t, 502, "-httpAuth")
		if a.Header.Get("WWW-Authenticate") != "" {
			t.Error("the client is asked for the backend's password")
		}
	})
	t.Run("switches the protocol", func(t *testing.T) {
		e.single("d", rawBackend(t, func(c net.Conn, _ *http.Request) {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		}))
		e.get("/api/v1/query", s, "Connection", "Upgrade", "Upgrade", "websocket").mustRefuse(t, 502, "")
	})
	for what, head := range map[string]string{
		"of known length": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 500),
		"in chunks":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n",
	} {
		t.Run("breaks off in the middle of an answer "+what, func(t *testing.T) {
			e.single("d", rawBackend(t, func(c net.Conn, _ *http.Request) { _, _ = io.WriteString(c, head) }))
			for range 3 {
				res, err := e.client.Do(e.request("GET", "/api/v1/export", s, nil))
				if err != nil {
					continue // broken off even before the header
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				if err == nil {
					t.Fatalf("%d %q looks complete", res.StatusCode, body)
				}
			}
			eventually(t, "the log says so", func() bool { return strings.Contains(e.log.String(), "in the middle of its answer") })
		})
	}
	t.Run("its own refusals go through as they are", func(t *testing.T) {
		e.single("d", backendServer(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "cannot parse", 400) }).URL)
		e.post("/api/v1/write", s, "x").mustBe(t, 400, "cannot parse\n")
	})
}
