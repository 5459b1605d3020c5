package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// slowBackend passes for a VictoriaMetrics that holds queries, and gives its URL. Other requests are answered at once.
func slowBackend(t *testing.T, query http.HandlerFunc) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/query" {
			query(w, r)
			return
		}
		io.WriteString(w, "OK")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestATokenOverItsLimitDisturbsNoOther(t *testing.T) {
	const limit, requests = 2, 24
	var running, most atomic.Int64
	backendURL := slowBackend(t, func(w http.ResponseWriter, r *http.Request) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(400 * time.Millisecond) // so all of them take 4.8 seconds, three times what they may wait
	})
	dir := newDataDir(t)
	p := serve(t, dir, "--engine-dir", t.TempDir(), "--max-queue-duration", "1500ms")
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", backendURL, "--max-concurrent-requests", fmt.Sprint(limit))
	p.waitRunning("shop")
	greedy, modest := newToken(t, dir, "shop", "greedy", "r"), newToken(t, dir, "shop", "modest", "r")

	answers := make(chan answer, requests)
	var wg sync.WaitGroup
	for range requests {
		wg.Go(func() {
			a, err := p.tryRequest("GET", greedy, "/api/v1/query", "")
			if err != nil {
				t.Error(err)
			}
			answers <- a
		})
	}
	eventually(t, "the limit is reached", func() error {
		if n := most.Load(); n != limit {
			return fmt.Errorf("%d run", n)
		}
		return nil
	})
	for range 10 {
		p.answers(http.StatusOK, "GET", modest, "/api/v1/labels", "")
	}
	wg.Wait()
	close(answers)
	served, refused := 0, 0
	for a := range answers {
		switch {
		case a.status == http.StatusOK:
			served++
		case a.status == http.StatusTooManyRequests && a.header.Get("Retry-After") != "" && strings.Contains(a.body, "of this token"):
			refused++
		default:
			t.Errorf("status %d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body)
		}
	}
	if served <= limit || refused == 0 || most.Load() > limit {
		t.Errorf("%d served, %d refused, at most %d at the same time", served, refused, most.Load())
	}
}

// bigExport writes what fills every buffer between VictoriaMetrics and a client several times over.
func bigExport(p *program, vm *backend, secret string) {
	const series, samples = 300, 5000
	start := time.Now().Add(-time.Hour).UnixMilli()
	var values, timestamps bytes.Buffer
	for i := range samples {
		fmt.Fprintf(&values, ",%d.%d", 1000000+i*7919, i)
		fmt.Fprintf(&timestamps, ",%d", start+int64(i)*100)
	}
	tail := fmt.Sprintf(`"values":[%s],"timestamps":[%s]}`, values.Bytes()[1:], timestamps.Bytes()[1:])
	var lines strings.Builder
	for i := range series {
		fmt.Fprintf(&lines, `{"metric":{"__name__":"big","n":"%d"},%s`+"\n", i, tail)
	}
	p.answers(http.StatusNoContent, "POST", secret, "/api/v1/import", lines.String())
	eventually(p.t, "all of it is there", func() error {
		if _, err := fetch("http://127.0.0.1:" + vm.port + "/internal/force_flush"); err != nil {
			return err
		}
		n, err := p.query(secret, "count(last_over_time(big[2h]))")
		if err == nil && n != series {
			err = fmt.Errorf("%v series", n)
		}
		return err
	})
}

// slowExport begins an export and leaves it unread after the first bytes.
func (p *program) slowExport(secret string) *http.Response {
	p.t.Helper()
	req, err := http.NewRequest("GET", p.access+"/api/v1/export?match[]=big", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { resp.Body.Close() })
	if _, err := io.CopyN(io.Discard, resp.Body, 100_000); err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("the export answered %d, %v", resp.StatusCode, err)
	}
	return resp
}

// waitRunningRequests waits until so many requests run at the access endpoint.
func (p *program) waitRunningRequests(want int) {
	p.t.Helper()
	eventually(p.t, fmt.Sprintf("%d requests run", want), func() error {
		text, err := fetch(p.ops + "/metrics")
		if err == nil && !strings.Contains(text, fmt.Sprintf("\ngatehouse_access_running_requests %d\n", want)) {
			err = errors.New("it is another number")
		}
		return err
	})
}

func TestABrokenExportNeverLooksComplete(t *testing.T) {
	t.Parallel()
	vm := &backend{t: t, dir: t.TempDir(), port: freePort(t)}
	vm.start()
	t.Cleanup(vm.stop)
	dir := newDataDir(t)
	p := serve(t, dir, "--engine-dir", t.TempDir())
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:"+vm.port)
	p.waitRunning("shop")
	kept := newToken(t, dir, "shop", "kept", "rw")
	bigExport(p, vm, kept)

	t.Run("when its token is revoked", func(t *testing.T) {
		p := p.below(t, "")
		export := p.slowExport(newToken(t, dir, "shop", "short-lived", "r"))
		id := tokenID(t, dir, "shop", "short-lived")
		p.waitRunningRequests(1)
		begin := time.Now()
		must(t, dir, "", "token", "revoke", id)
		revoked := time.Now()
		p.waitRunningRequests(0)
		t.Logf("the export had ended %v after the command that revoked its token, which took %v", time.Since(revoked), revoked.Sub(begin))
		if n, err := io.Copy(io.Discard, export.Body); err == nil {
			t.Errorf("the client got %d more bytes and then what looks like the end", n)
		}
	})

	t.Run("when VictoriaMetrics dies in the middle", func(t *testing.T) {
		p := p.below(t, "")
		export := p.slowExport(kept)
		p.waitRunningRequests(1)
		vm.cmd.Process.Signal(syscall.SIGKILL)
		vm.cmd.Wait()
		if n, err := io.Copy(io.Discard, export.Body); err == nil {
			t.Errorf("the client got %d more bytes and then what looks like the end", n)
		}
		p.waitRunningRequests(0)
	})
}

func TestRunningRequestsFinishAfterSIGTERM(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	backendURL := slowBackend(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "first, ")
		w.(http.Flusher).Flush()
		close(begun)
		<-finish
		io.WriteString(w, "last")
	})
	dir := newDataDir(t)
	p := serve(t, dir, "--engine-dir", t.TempDir())
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", backendURL)
	p.waitRunning("shop")
	value := newToken(t, dir, "shop", "n", "r")
	done := make(chan error, 1)
	go func() {
		a, err := p.tryRequest("GET", value, "/api/v1/query", "")
		if err == nil && (a.status != http.StatusOK || a.body != "first, last") {
			err = fmt.Errorf("it was answered %d: %q", a.status, a.body)
		}
		done <- err
	}()
	<-begun
	p.signal(syscall.SIGTERM)
	eventually(t, "new requests go elsewhere", func() error {
		resp, err := http.Get(p.ops + "/-/ready")
		if err != nil {
			return fmt.Errorf("nobody says whether it is ready: %v", err)
		}
		resp.Body.Close()
		a, err := p.tryRequest("GET", value, "/api/v1/labels", "")
		if resp.StatusCode != http.StatusServiceUnavailable || err == nil && a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("ready: %d, a new request: %d", resp.StatusCode, a.status)
		}
		return nil
	})
	select {
	case <-p.ended:
		t.Fatal("it ended with a request running")
	default:
	}
	close(finish)
	if err := <-done; err != nil {
		t.Errorf("the running request: %v", err)
	}
	<-p.ended
	if code := p.cmd.ProcessState.ExitCode(); code != exitDone {
		t.Errorf("exit code %d, want %d\n%s", code, exitDone, p.log)
	}
}
