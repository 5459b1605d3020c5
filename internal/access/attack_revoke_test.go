package access

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// TestNothingGetsInAfterARevocation revokes tokens under fire. What begins after that must be refused, whichever connection it comes
// on; what was running ends.
func TestNothingGetsInAfterARevocation(t *testing.T) {
	e := newEndpoint(t, Options{RefusalDelay: time.Millisecond})
	e.limited("d", 4, backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		time.Sleep(time.Millisecond)
	}).URL)
	for range 15 {
		s := e.token("d", gatehouse.ReadWrite, nil)
		var gone atomic.Bool
		var let, after atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 { // more than may run, so that some wait in line
			wg.Go(func() {
				for range 1000 {
					late := gone.Load()
					res, err := e.client.Do(e.request("POST", "/api/v1/import", s, strings.NewReader(strings.Repeat("x", 1+i*headSize/4))))
					if err != nil {
						continue // cut off in the middle
					}
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					if res.StatusCode == http.StatusOK {
						let.Add(1)
						if late && err == nil {
							after.Add(1)
						}
					}
					if late {
						return
					}
				}
			})
		}
		eventually(t, "some are in", func() bool { return let.Load() > 20 })
		e.revoke(s)
		gone.Store(true)
		wg.Wait()
		if after.Load() != 0 {
			t.Fatalf("%d requests were let in that began after the revocation", after.Load())
		}
	}
	e.waitRunning(0)
	if n := e.handler.gate.waiting.Load(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

// TestATokenThatComesBackIsJudgedAnew replaces a token's grant while one connection goes on asking.
func TestATokenThatComesBackIsJudgedAnew(t *testing.T) {
	e := newTarget(t, Options{})
	const s = "an imported secret that comes and goes"
	conn := e.dial()
	wire := bufio.NewReader(conn)
	ask := func(path string, want int) {
		t.Helper()
		_, _ = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\n"+bearing(s)+"\r\n")
		if a := readResponse(t, wire); a.StatusCode != want {
			t.Errorf("%s: %d; want %d", path, a.StatusCode, want)
		}
	}
	ask("/api/v1/query", 401)
	e.add(s, "single", gatehouse.Read, nil)
	ask("/api/v1/query", 200)
	ask("/api/v1/write", 403)
	e.revoke(s)
	ask("/api/v1/query", 401)
	e.add(s, "single", gatehouse.Write, nil)
	ask("/api/v1/query", 403)
	ask("/api/v1/write", 200)
	e.revoke(s)
	e.add(s, "cluster", gatehouse.ReadWrite, tenant7)
	ask("/write", 404)
	ask("/select/8/prometheus/api/v1/query", 403)
	ask("/prometheus/api/v1/query", 200)
	e.add(s, "cluster", gatehouse.Read, tenant79) // the same token never changes; a second insertion is no promotion
	ask("/prometheus/api/v1/write", 200)
	e.table.Apply(gatehouse.Change{GoneDeployment: "cluster"})
	ask("/prometheus/api/v1/query", 401)
	for _, r := range e.backend.take() {
		if strings.Contains(r.path, "/8/") || strings.Contains(r.path, "7:9") {
			t.Errorf("the backend sees %s", r.path)
		}
	}
}
