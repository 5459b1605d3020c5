package access

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func TestRevokingCutsRunningRequestsOff(t *testing.T) {
	e := newEndpoint(t, Options{})
	upstreamBegan, upstreamEnded := make(chan struct{}, 10), make(chan struct{}, 10)
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		upstreamBegan <- struct{}{}
		switch r.URL.Path {
		case "/api/v1/query": // hangs before the answer
		case "/api/v1/export": // hangs in the middle of one
			_, _ = io.WriteString(w, "first\n")
			w.(http.Flusher).Flush()
		case "/api/v1/export/csv": // never ends, and the client does not read it
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					break
				}
			}
		case "/api/v1/import":
			_, _ = io.Copy(io.Discard, r.Body)
		}
		<-r.Context().Done()
		upstreamEnded <- struct{}{}
	}).URL)
	began := func(t *testing.T) {
		t.Helper()
		select {
		case <-upstreamBegan:
		case <-time.After(patience):
			t.Fatal("the request does not reach the backend")
		}
	}
	ended := func(t *testing.T) {
		t.Helper()
		select {
		case <-upstreamEnded:
		case <-time.After(patience):
			t.Fatal("the request still runs at the backend")
		}
	}

	t.Run("before the answer", func(t *testing.T) {
		s := e.token("d", gatehouse.Read, nil)
		var wg sync.WaitGroup
		wg.Go(func() { e.get("/api/v1/query", s).mustRefuse(t, 401, "not valid") })
		began(t)
		e.revoke(s)
		wg.Wait()
		ended(t)
		e.get("/api/v1/query", s).mustRefuse(t, 401, "not valid")
	})
	t.Run("in the middle of an answer", func(t *testing.T) {
		s, other := e.token("d", gatehouse.Read, nil), e.token("d", gatehouse.Read, nil)
		start := func(s string) *http.Response {
			res, err := e.client.Do(e.request("GET", "/api/v1/export", s, nil))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { res.Body.Close() })
			began(t)
			return res
		}
		res, unharmed := start(s), start(other)
		e.revoke(s)
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%q looks complete", body)
		}
		ended(t)
		if len(upstreamEnded) != 0 {
			t.Error("another token's request was cut off, too")
		}
		unharmed.Body.Close()
		ended(t)
	})
	t.Run("while the client does not read", func(t *testing.T) {
		s := e.token("d", gatehouse.Read, nil)
		conn := e.dial()
		_, _ = io.WriteString(conn, "GET /api/v1/export/csv HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s+"\r\n\r\n")
		began(t)
		eventually(t, "the answer has begun", func() bool { return e.anyAnswered(s) })
		e.revoke(s)
		ended(t)
		e.waitRunning(0)
	})
	t.Run("while the client sends", func(t *testing.T) {
		s := e.token("d", gatehouse.Write, nil)
		conn := e.dial()
		_, _ = io.WriteString(conn, "POST /api/v1/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s+"\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 2*headSize))
		began(t)
		e.revoke(s)
		conn.response(t).mustRefuse(t, 401, "not valid")
		ended(t)
	})
	t.Run("while the head of the body is read", func(t *testing.T) {
		s := e.token("d", gatehouse.Write, nil)
		conn := e.dial()
		_, _ = io.WriteString(conn, "POST /api/v1/import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s+"\r\nContent-Length: 100\r\n\r\nx")
		eventually(t, "it is being read", func() bool { return e.begun(s) == 1 })
		e.revoke(s)
		conn.response(t).mustRefuse(t, 401, "not valid")
	})
	t.Run("while it waits in line", func(t *testing.T) {
		h := newHanging(t)
		e.limited("narrow", 1, h.url)
		s := e.token("narrow", gatehouse.Read, nil)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { e.get("/api/v1/query", s).mustRefuse(t, 401, "not valid") })
		}
		eventually(t, "one runs and one waits", func() bool { return e.begun(s) == 2 && h.reached.Load() == 1 })
		e.revoke(s)
		wg.Wait()
		if h.reached.Load() != 1 {
			t.Error("the waiting one reached the backend")
		}
	})
	t.Run("when the whole deployment goes", func(t *testing.T) {
		s := e.token("d", gatehouse.Read, nil)
		var wg sync.WaitGroup
		wg.Go(func() { e.get("/api/v1/query", s).mustRefuse(t, 401, "not valid") })
		began(t)
		e.table.Apply(gatehouse.Change{GoneDeployment: "d"})
		wg.Wait()
		ended(t)
		e.get("/api/v1/query", s).mustRefuse(t, 401, "not valid")
	})
	e.waitRunning(0)
}

func (e *endpoint) waitRunning(n int) {
	e.t.Helper()
	eventually(e.t, "so many requests run", func() bool { return e.handler.gate.running.Load() == int64(n) })
}

// begun is how many requests of a token have begun, running or waiting.
func (e *endpoint) begun(s string) int {
	l := e.table.lookup(secret.Hash(s)).live()
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for x := l.running; x != nil; x = x.next {
		n++
	}
	return n
}

func (e *endpoint) anyAnswered(s string) bool {
	l := e.table.lookup(secret.Hash(s)).live()
	l.mu.Lock()
	defer l.mu.Unlock()
	for x := l.running; x != nil; x = x.next {
		if x.answered.Load() {
			return true
		}
	}
	return false
}
