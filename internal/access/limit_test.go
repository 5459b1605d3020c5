package access

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func TestGateLetsInSoManyAndTheRestInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		deadline := time.Now().Add(time.Hour)
		a, b := &Grant{Name: "a"}, &Grant{Name: "b"}
		for range 2 {
			if err := g.enter(t.Context(), 2, a, deadline); err != nil {
				t.Fatal(err)
			}
		}
		var order []string
		arrive := func(name string, key *Grant) {
			go func() {
				if err := g.enter(t.Context(), 2, key, deadline); err != nil {
					t.Error(err)
				}
				order = append(order, name)
			}()
			synctest.Wait()
		}
		arrive("a1", a)
		arrive("a2", a)
		arrive("a3", a)
		arrive("b1", b)
		arrive("b2", b)
		if len(order) != 0 || g.waiting.Load() != 5 {
			t.Fatalf("%v came in, %d wait", order, g.waiting.Load())
		}
		for range 5 {
			g.leave()
			synctest.Wait()
		}
		if got := strings.Join(order, " "); got != "a1 b1 a2 b2 a3" {
			t.Errorf("they came in as %s; want each key in turn", got)
		}
		g.leave()
		g.leave()
		if g.running.Load() != 0 || g.waiting.Load() != 0 || !g.queue.isEmpty() {
			t.Errorf("something is left: %+v", &g)
		}
	})
}

func TestGateGivesUpAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		deadline := time.Now().Add(10 * time.Second)
		_ = g.enter(t.Context(), 1, nil, deadline)
		start := time.Now()
		if err := g.enter(t.Context(), 1, nil, deadline); !errors.Is(err, errQueueTimeout) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errRevoked) })
		if err := g.enter(ctx, 1, nil, time.Now().Add(time.Hour)); !errors.Is(err, errRevoked) {
			t.Errorf("%v", err)
		}
		if g.waiting.Load() != 0 || !g.queue.isEmpty() {
			t.Errorf("those who left still wait: %+v", &g)
		}
		g.leave()
		if err := g.enter(t.Context(), 1, nil, deadline); err != nil {
			t.Errorf("%v; there is room", err)
		}
	})
}

func TestGateUnderLoad(t *testing.T) {
	var g gate
	var inside, most, entered, timedOut atomic.Int64
	keys := []*Grant{{}, {}, {}}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 300 {
				deadline := time.Now().Add(time.Duration((i*j)%3) * time.Millisecond)
				if g.enter(t.Context(), 4, keys[i%3], deadline) != nil {
					timedOut.Add(1)
					continue
				}
				n := inside.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				entered.Add(1)
				inside.Add(-1)
				g.leave()
			}
		})
	}
	wg.Wait()
	if most.Load() > 4 || g.running.Load() != 0 || g.waiting.Load() != 0 || !g.queue.isEmpty() {
		t.Errorf("at most %d inside; left: running %d, waiting %d", most.Load(), g.running.Load(), g.waiting.Load())
	}
	if entered.Load()+timedOut.Load() != 32*300 || entered.Load() == 0 {
		t.Errorf("%d entered, %d timed out", entered.Load(), timedOut.Load())
	}
}

// hanging is a backend that answers when it is told to.
type hanging struct {
	url     string
	reached atomic.Int32
	release chan struct{}
}

func newHanging(t *testing.T) *hanging {
	h := &hanging{release: make(chan struct{})}
	h.url = backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		h.reached.Add(1)
		select {
		case <-h.release:
		case <-r.Context().Done():
		}
	}).URL
	return h
}

func (e *endpoint) limited(id string, perToken int, url string) {
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: id, Name: id, Type: gatehouse.SingleNode, URLs: []string{url}, MaxConcurrentRequests: perToken}})
}

func TestTooManyRequests(t *testing.T) {
	for _, limit := range []struct {
		of       string
		perToken int
		o        Options
		hint     string
	}{
		{"of a token", 2, Options{MaxQueueDuration: 200 * time.Millisecond}, "of this token"},
		{"of all together", 100, Options{MaxQueueDuration: 200 * time.Millisecond, MaxConcurrentRequests: 2}, "on this access endpoint"},
	} {
		t.Run("limit "+limit.of, func(t *testing.T) {
			e := newEndpoint(t, limit.o)
			h := newHanging(t)
			e.limited("d", limit.perToken, h.url)
			s := e.token("d", gatehouse.Read, nil)
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() { e.get("/api/v1/query", s).mustBe(t, 200, "") })
			}
			eventually(t, "both run", func() bool { return h.reached.Load() == 2 })
			a := e.get("/api/v1/query", s)
			a.mustRefuse(t, 429, limit.hint)
			if a.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if h.reached.Load() != 2 {
				t.Error("the third reached the backend")
			}
			if limit.perToken == 2 {
				h2 := newHanging(t)
				close(h2.release)
				e.single("other", h2.url)
				e.get("/api/v1/query", e.token("other", gatehouse.Read, nil)).mustBe(t, 200, "")
			}
			close(h.release)
			wg.Wait()
			e.get("/api/v1/query", s).mustBe(t, 200, "")
		})
	}
	t.Run("a waiting request gets the slot that becomes free", func(t *testing.T) {
		e := newEndpoint(t, Options{})
		h := newHanging(t)
		e.limited("d", 1, h.url)
		s := e.token("d", gatehouse.Read, nil)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { e.get("/api/v1/query", s).mustBe(t, 200, "") })
		}
		for i := range int32(5) {
			eventually(t, "the next one runs", func() bool { return h.reached.Load() == i+1 })
			h.release <- struct{}{}
		}
		wg.Wait()
	})
}

func TestATricklingClientHoldsNoSlot(t *testing.T) {
	e := newEndpoint(t, Options{MaxQueueDuration: 500 * time.Millisecond})
	e.limited("d", 1, backendServer(t, echo).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)
	conn := e.dial()
	_, _ = io.WriteString(conn, "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s+"\r\nContent-Length: 100\r\n\r\nslow")
	eventually(t, "its head is being read", func() bool { return e.begun(s) == 1 })
	e.get("/api/v1/query", s).mustBe(t, 200, "GET /api/v1/query ")
	res := conn.response(t)
	res.mustRefuse(t, 503, "too slowly")
	if !res.Close {
		t.Error("the connection stays open")
	}
	if uses := e.table.DrainUses(); len(uses) != 1 {
		t.Errorf("%d tokens used", len(uses))
	}
}

func TestAClientThatStallsInTheMiddleIsLetGo(t *testing.T) {
	e := newEndpoint(t, Options{StallTimeout: 300 * time.Millisecond})
	s := e.token("d", gatehouse.ReadWrite, nil)
	t.Run("sending", func(t *testing.T) {
		e.single("d", backendServer(t, echo).URL)
		conn := e.dial()
		_, _ = io.WriteString(conn, "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s+"\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", headSize+100))
		conn.response(t).mustRefuse(t, 503, "too slowly")
	})
	t.Run("reading", func(t *testing.T) {
		finished := make(chan struct{})
		e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
			defer close(finished)
			buf := make([]byte, 1<<20)
			for r.Context().Err() == nil {
				if _, err := w.Write(buf); err != nil {
					return
				}
			}
		}).URL)
		conn := e.dial()
		_, _ = io.WriteString(conn, "GET /api/v1/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+s+"\r\n\r\n")
		<-finished
		eventually(t, "the slot is free", func() bool { return e.metric(`gatehouse_access_running_requests`) == "0" })
	})
	t.Run("but not one that only waits long", func(t *testing.T) {
		e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(600 * time.Millisecond)
			_, _ = io.WriteString(w, "late")
		}).URL)
		e.post("/api/v1/import", s, strings.Repeat("x", 4*headSize)).mustBe(t, 200, "late")
		e.post("/api/v1/write", s, "x").mustBe(t, 200, "late")
	})
}

func (q *queue) isEmpty() bool { return q == nil || len(q.lines) == 0 && q.turns.Len() == 0 }

func TestAFirstRequestIsSeenWhileItRunsAndWaits(t *testing.T) {
	e := newEndpoint(t, Options{})
	h := newHanging(t)
	e.limited("d", 1, h.url)
	s := e.token("d", gatehouse.Read, nil)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { e.get("/api/v1/query", s).mustBe(t, 200, "") })
	}
	id := e.table.lookup(secret.Hash(s)).TokenID
	eventually(t, "one runs and one waits", func() bool { a := e.table.Activity(id); return a.Running == 1 && a.Waiting == 1 })
	close(h.release)
	wg.Wait()
}
