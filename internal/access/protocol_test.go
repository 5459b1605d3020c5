package access

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestOddProtocols(t *testing.T) {
	e := newEndpoint(t, Options{})
	var reached atomic.Int32
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		for _, name := range []string{"Upgrade", "Connection", "Http2-Settings"} {
			if r.Header.Get(name) != "" {
				t.Errorf("the backend sees %s: %s", name, r.Header.Get(name))
			}
		}
		echo(w, r)
	}).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)
	auth := "Host: x\r\nAuthorization: Bearer " + s + "\r\n"
	send := func(t *testing.T, raw string) answer {
		t.Helper()
		conn := e.dial()
		_, _ = io.WriteString(conn, raw)
		return conn.response(t)
	}

	t.Run("an offer to upgrade is passed over", func(t *testing.T) {
		send(t, "GET /api/v1/query HTTP/1.1\r\n"+auth+"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n").
			mustBe(t, 200, "GET /api/v1/query ")
		send(t, "GET /api/v1/query HTTP/1.1\r\n"+auth+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n").mustBe(t, 200, "GET /api/v1/query ")
	})
	reached.Store(0)
	t.Run("CONNECT is refused", func(t *testing.T) {
		send(t, "CONNECT 127.0.0.1:22 HTTP/1.1\r\n"+auth+"\r\n").mustRefuse(t, 404, "malformed")
		send(t, "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n").mustRefuse(t, 401, "")
	})
	t.Run("the request line does not choose the backend", func(t *testing.T) {
		send(t, "GET http://127.0.0.1:1/metrics HTTP/1.1\r\n"+auth+"\r\n").mustRefuse(t, 403, "")
		send(t, "GET mailto:x HTTP/1.1\r\n"+auth+"\r\n").mustRefuse(t, 404, "malformed")
	})
	t.Run("what two servers could read differently is turned away", func(t *testing.T) {
		for what, raw := range map[string]string{
			"two lengths":           "POST /api/v1/write HTTP/1.1\r\n" + auth + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
			"a signed length":       "POST /api/v1/write HTTP/1.1\r\n" + auth + "Content-Length: +1\r\n\r\nx",
			"an unknown encoding":   "POST /api/v1/write HTTP/1.1\r\n" + auth + "Transfer-Encoding: xchunked\r\n\r\n",
			"a space before colon":  "POST /api/v1/write HTTP/1.1\r\n" + auth + "Content-Length : 1\r\n\r\nx",
			"no host":               "GET /api/v1/query HTTP/1.1\r\nAuthorization: Bearer " + s + "\r\n\r\n",
			"two hosts":             "GET /api/v1/query HTTP/1.1\r\nHost: y\r\n" + auth + "\r\n",
			"a line break in value": "GET /api/v1/query HTTP/1.1\r\n" + auth + "X: a\rb\r\n\r\n",
			"an invalid escape":     "GET /api/v1/%zz HTTP/1.1\r\n" + auth + "\r\n",
			"a space in the target": "GET /api/v1/query x HTTP/1.1\r\n" + auth + "\r\n",
		} {
			conn := e.dial()
			_, _ = io.WriteString(conn, raw)
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && res.StatusCode < 400 {
				t.Errorf("%s: status %d", what, res.StatusCode)
			}
		}
		if reached.Load() != 0 {
			t.Errorf("%d requests reached the backend", reached.Load())
		}
	})
	t.Run("a length beside chunks does not hide a second request", func(t *testing.T) {
		reached.Store(0)
		conn := e.dial()
		_, _ = io.WriteString(conn, "POST /api/v1/write HTTP/1.1\r\n"+auth+"Content-Length: 60\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"+
			"GET /api/v1/admin/tsdb/delete_series HTTP/1.1\r\nHost: x\r\n\r\n")
		r := bufio.NewReader(conn)
		readResponse(t, r)
		if res, err := http.ReadResponse(r, nil); err == nil && res.StatusCode != 401 {
			t.Errorf("the second request got %d", res.StatusCode)
		}
		if reached.Load() > 1 {
			t.Errorf("%d requests reached the backend", reached.Load())
		}
	})
	t.Run("pipelined requests are judged one by one", func(t *testing.T) {
		conn := e.dial()
		_, _ = io.WriteString(conn, "GET /api/v1/query HTTP/1.1\r\n"+auth+"\r\nGET /metrics HTTP/1.1\r\n"+auth+"\r\nGET /api/v1/query HTTP/1.1\r\nHost: x\r\n\r\n")
		r := bufio.NewReader(conn)
		readResponse(t, r).mustBe(t, 200, "GET /api/v1/query ")
		readResponse(t, r).mustRefuse(t, 403, "")
		readResponse(t, r).mustRefuse(t, 401, "")
	})
	t.Run("a body that breaks off is not stored as a whole one", func(t *testing.T) {
		for what, raw := range map[string]string{
			"chunked":         "POST /api/v1/import HTTP/1.1\r\n" + auth + "Transfer-Encoding: chunked\r\n\r\n5\r\nxxxxx\r\n",
			"of known length": "POST /api/v1/import HTTP/1.1\r\n" + auth + "Content-Length: 10\r\n\r\nxxxxx",
		} {
			reached.Store(0)
			conn := e.dial()
			_, _ = io.WriteString(conn, raw)
			_ = conn.Conn.(interface{ CloseWrite() error }).CloseWrite()
			if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil && res.StatusCode < 300 {
				t.Errorf("%s: status %d", what, res.StatusCode)
			}
			if reached.Load() != 0 {
				t.Errorf("%s: it reached the backend", what)
			}
		}
	})
	t.Run("a huge header is turned away", func(t *testing.T) {
		a := send(t, "GET /api/v1/query HTTP/1.1\r\n"+auth+"X: "+strings.Repeat("x", 300<<10)+"\r\n\r\n")
		if a.StatusCode != 431 {
			t.Errorf("%d", a.StatusCode)
		}
	})
}
