package access

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestSeveralURLs(t *testing.T) {
	var hits [3]atomic.Int32
	count := func(i int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			hits[i].Add(1)
			echo(w, r)
		}
	}
	e := newEndpoint(t, Options{})
	s := e.token("d", gatehouse.ReadWrite, nil)

	t.Run("idle ones take turns", func(t *testing.T) {
		e.single("d", backendServer(t, count(0)).URL, backendServer(t, count(1)).URL)
		for range 10 {
			e.get("/api/v1/query", s).mustBe(t, 200, "GET /api/v1/query ")
		}
		if a, b := hits[0].Load(), hits[1].Load(); a != 5 || b != 5 {
			t.Errorf("%d and %d requests", a, b)
		}
	})
	t.Run("a dead one is passed over, and then set aside", func(t *testing.T) {
		hits[2].Store(0)
		e.single("d", closedURL(t), backendServer(t, count(2)).URL)
		for range 6 {
			e.post("/api/v1/write", s, "a block").mustBe(t, 200, "POST /api/v1/write a block")
		}
		if hits[2].Load() != 6 {
			t.Errorf("%d requests", hits[2].Load())
		}
		if n := strings.Count(e.log.String(), "set aside"); n != 1 {
			t.Errorf("the log says %d times that it was set aside", n)
		}
	})
	t.Run("a body that is kept whole is sent again when the first breaks off", func(t *testing.T) {
		e.single("d", rawBackend(t, func(net.Conn, *http.Request) {}), rawBackend(t, func(net.Conn, *http.Request) {}), backendServer(t, echo).URL)
		for _, size := range []int{1, smallSize, smallSize + 1, headSize - 1} {
			body := strings.Repeat("a block ", headSize/8)[:size]
			for range 6 {
				e.post("/api/v1/write", s, body).mustBe(t, 200, "POST /api/v1/write "+body)
			}
		}
	})
	t.Run("a large one is not, once more of it was read than is kept", func(t *testing.T) {
		var reached atomic.Int32
		breaker := func(c net.Conn, r *http.Request) {
			reached.Add(1)
			_, _ = io.CopyN(io.Discard, r.Body, 2*headSize)
		}
		e.single("d", rawBackend(t, breaker), rawBackend(t, breaker))
		e.post("/api/v1/import", s, strings.Repeat("x", 8<<20)).mustRefuse(t, 502, "")
		if reached.Load() != 1 {
			t.Errorf("%d backends were sent a part of it", reached.Load())
		}
	})
	t.Run("a large one is sent whole to the next when the first cannot be reached", func(t *testing.T) {
		e.single("d", closedURL(t), backendServer(t, echo).URL)
		body := strings.Repeat("x", 1<<20)
		for range 4 {
			e.post("/api/v1/import", s, body).mustBe(t, 200, "POST /api/v1/import "+body)
		}
	})
	t.Run("the least busy one is picked", func(t *testing.T) {
		release := make(chan struct{})
		var stuck, free atomic.Int32
		e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
			if stuck.Add(1) == 1 {
				<-release
			}
		}).URL, backendServer(t, func(http.ResponseWriter, *http.Request) { free.Add(1) }).URL)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for stuck.Load() == 0 {
				e.get("/api/v1/query", s)
			}
		}()
		eventually(t, "one request hangs", func() bool { return stuck.Load() == 1 })
		free.Store(0)
		for range 10 {
			e.get("/api/v1/query", s).mustBe(t, 200, "")
		}
		close(release)
		<-done
		if free.Load() != 10 {
			t.Errorf("%d of 10 went to the idle backend", free.Load())
		}
	})
	t.Run("a client that gave up is not retried for", func(t *testing.T) {
		var reached atomic.Int32
		hang := func(_ http.ResponseWriter, r *http.Request) {
			reached.Add(1)
			<-r.Context().Done()
		}
		e.single("d", backendServer(t, hang).URL, backendServer(t, hang).URL)
		before := e.log.String()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := e.client.Do(e.request("GET", "/api/v1/query", s, nil).WithContext(ctx))
			done <- err
		}()
		eventually(t, "the backend has it", func() bool { return reached.Load() == 1 })
		gone := e.metric("gatehouse_access_clients_gone_total")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		eventually(t, "it is counted", func() bool { return e.metric("gatehouse_access_clients_gone_total") != gone })
		if reached.Load() != 1 {
			t.Errorf("%d backends were asked", reached.Load())
		}
		if noise := strings.TrimPrefix(e.log.String(), before); strings.Contains(noise, "WARN") || strings.Contains(noise, "ERROR") {
			t.Errorf("log noise: %s", noise)
		}
	})
	t.Run("a restarted backend is reached again through kept connections", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := ln.Addr().String()
		e.single("d", "http://"+addr)
		for range 5 {
			server := &http.Server{Handler: http.HandlerFunc(echo)}
			go func() { _ = server.Serve(ln) }()
			e.post("/api/v1/write", s, "x").mustBe(t, 200, "POST /api/v1/write x")
			server.Close()
			if ln, err = net.Listen("tcp", addr); err != nil {
				t.Fatal(err)
			}
		}
		ln.Close()
	})
}
