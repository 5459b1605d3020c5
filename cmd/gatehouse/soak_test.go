package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// soak is everything that happens at once during TestSoak. Its access endpoint keeps its address when the program is started anew.
type soak struct {
	t       *testing.T
	client  *program // as clients see it, whichever process serves
	backend *backend
	both    string // a secret that lasts
	writers []*soakWriter

	reads, interrupted, tokens, restarts atomic.Int64
}

// soakWriter sends samples that can be told apart, and remembers those of which it was told that they are stored.
type soakWriter struct {
	name, url, secret string
	stored            map[int64]int // timestamp in milliseconds to value
}

const soakSeries = 20 // of each writer

// TestSoak lets agents, readers, token changes and restarts run for as long as GATEHOUSE_SOAK says, such as 10m, kills Gatehouse in
// the middle, and then looks for lost samples and for what was not given back.
func TestSoak(t *testing.T) {
	text := os.Getenv("GATEHOUSE_SOAK")
	if text == "" {
		t.Skip("it takes minutes: go tool task soak")
	}
	duration, err := time.ParseDuration(text)
	if err != nil || duration < 30*time.Second {
		t.Fatalf("GATEHOUSE_SOAK is %q; give a duration of at least 30s", text)
	}
	s := &soak{t: t, backend: &backend{t: t, dir: t.TempDir(), port: freePort(t)}}
	s.backend.start()
	t.Cleanup(func() { s.backend.stop() })
	dir := newDataDir(t)
	listen := []string{"--engine-dir", t.TempDir(), "--access-listen", "127.0.0.1:" + freePort(t)}
	p := serve(t, dir, listen...)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:"+s.backend.port)
	p.waitRunning("shop")
	s.client, s.both = p.below(t, ""), newToken(t, dir, "shop", "both", "rw")
	idle := p.footprint()

	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	work := s.begin(ctx)
	wait(ctx, duration/2)
	p.kill()
	wait(ctx, time.Second)
	p = serve(t, dir, listen...)
	wait(ctx, duration/10)
	warm := p.footprint()
	work.Wait()

	for _, w := range s.writers {
		s.findsAllOf(w)
	}
	t.Logf("%d reads, %d of them interrupted; %d tokens made and revoked; %d restarts of VictoriaMetrics", s.reads.Load(), s.interrupted.Load(), s.tokens.Load(), s.restarts.Load())
	s.comesToRest(p, idle, warm)
}

// begin starts all the work. It goes on until ctx ends.
func (s *soak) begin(ctx context.Context) *sync.WaitGroup {
	var work sync.WaitGroup
	for i := range 2 {
		s.writers = append(s.writers,
			&soakWriter{name: fmt.Sprintf("direct-%d", i), url: s.client.access, secret: s.both, stored: map[int64]int{}},
			&soakWriter{name: fmt.Sprintf("agent-%d", i), url: s.startAgent(), stored: map[int64]int{}})
	}
	for _, w := range s.writers {
		work.Go(func() { w.run(ctx) })
	}
	for _, path := range []string{"/api/v1/query?query=count(soak)", "/api/v1/export?match[]=soak", "/api/v1/labels"} {
		work.Go(func() { s.read(ctx, path) })
	}
	work.Go(func() { s.changeTokens(ctx) })
	work.Go(func() { s.restartBackend(ctx) })
	return &work
}

func (s *soak) startAgent() string {
	work, addr := s.t.TempDir(), "127.0.0.1:"+freePort(s.t)
	if err := os.WriteFile(filepath.Join(work, "token"), []byte(s.both), 0o600); err != nil {
		s.t.Fatal(err)
	}
	start(s.t, work, filepath.Join(engineDir(s.t), "vmagent"), "-remoteWrite.url="+s.client.access+"/api/v1/write", "-remoteWrite.bearerTokenFile=token",
		"-remoteWrite.tmpDataPath=buffer", "-remoteWrite.retryMaxInterval=2s", "-httpListenAddr="+addr, "-loggerLevel=ERROR")
	eventually(s.t, "vmagent is up", func() error {
		_, err := fetch("http://" + addr + "/health")
		return err
	})
	return "http://" + addr
}

func (w *soakWriter) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		at := time.Now().UnixMilli()
		var lines strings.Builder
		for i := range soakSeries {
			fmt.Fprintf(&lines, "soak{writer=\"%s\",i=\"%d\"} %d %d\n", w.name, i, n, at)
		}
		// Not with ctx: a request given up at the very end may be stored or not.
		req, err := http.NewRequest("POST", w.url+"/api/v1/import/prometheus", strings.NewReader(lines.String()))
		if err != nil {
			return
		}
		if w.secret != "" {
			req.Header.Set("Authorization", "Bearer "+w.secret)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusNoContent {
				w.stored[at] = n
			}
		}
		wait(ctx, 200*time.Millisecond)
	}
}

// read asks again and again. While something restarts it may be told to come back, and never that its token is not valid.
func (s *soak) read(ctx context.Context, path string) {
	for ctx.Err() == nil {
		a, err := s.client.tryRequest("GET", s.both, path, "")
		s.reads.Add(1)
		switch {
		case err != nil || a.status == http.StatusServiceUnavailable || a.status == http.StatusBadGateway || a.status == http.StatusTooManyRequests:
			s.interrupted.Add(1)
		case a.status != http.StatusOK:
			s.t.Errorf("%s answered %d: %.300s", path, a.status, a.body)
		}
		wait(ctx, 300*time.Millisecond)
	}
}

// changeTokens makes tokens, uses them and revokes them.
func (s *soak) changeTokens(ctx context.Context) {
	run := func(args ...string) string {
		r := command(s.t, s.client.dataDir, "", append([]string{"token"}, args...)...)
		if r.code != exitDone {
			s.t.Errorf("gatehouse token %s: exit code %d: %s", args[0], r.code, r.err)
		}
		return r.out
	}
	for ctx.Err() == nil {
		var token tokenJSON
		out := run("create", "--deployment", "shop", "--name", fmt.Sprintf("short-lived %d", s.tokens.Add(1)), "--access", "r", "--json")
		if err := json.Unmarshal([]byte(out), &token); err != nil {
			s.t.Errorf("gatehouse token create: %v", err)
			return
		}
		s.until("a new token is let in", token.Secret, func(status int) bool { return status == http.StatusOK })
		run("revoke", token.ID)
		s.until("a revoked token is refused", token.Secret, func(status int) bool { return status == http.StatusUnauthorized })
		wait(ctx, time.Second)
	}
}

func (s *soak) until(what, value string, done func(status int) bool) {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		a, err := s.client.tryRequest("GET", value, "/api/v1/query?query=1", "")
		if err == nil && done(a.status) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Errorf("%s: it is still answered %d, %v", what, a.status, err)
			return
		}
	}
}

// restartBackend stops VictoriaMetrics in good order, as a kill would lose what it has not written to disk yet. It leaves it running.
func (s *soak) restartBackend(ctx context.Context) {
	deadline, _ := ctx.Deadline()
	for pause := time.Until(deadline) / 7; wait(ctx, pause); {
		s.backend.stop()
		wait(ctx, 2*time.Second)
		s.backend.start()
		s.restarts.Add(1)
	}
}

// wait says whether ctx goes on after the pause.
func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// findsAllOf reads all samples of a writer back. A sample may be there twice: who gets no answer sends again.
func (s *soak) findsAllOf(w *soakWriter) {
	if len(w.stored) == 0 {
		s.t.Errorf("nothing of %s was stored", w.name)
	}
	eventually(s.t, "every stored sample of "+w.name+" is there", func() error {
		a, err := s.client.tryRequest("GET", s.both, `/api/v1/export?reduce_mem_usage=1&match[]=soak{writer="`+w.name+`"}`, "")
		if err != nil || a.status != http.StatusOK {
			return fmt.Errorf("the export was answered %d, %v", a.status, err)
		}
		found := map[string]map[int64]int{} // by series
		for lines := bufio.NewReader(strings.NewReader(a.body)); ; {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				break
			}
			var block struct {
				Metric             map[string]string
				Values, Timestamps []int64
			}
			if err := json.Unmarshal(line, &block); err != nil {
				return err
			}
			series := found[block.Metric["i"]]
			if series == nil {
				series = map[int64]int{}
				found[block.Metric["i"]] = series
			}
			for i, at := range block.Timestamps {
				series[at] = int(block.Values[i])
			}
		}
		missing := 0
		for i := range soakSeries {
			for at, value := range w.stored {
				if got, ok := found[fmt.Sprint(i)][at]; !ok || got != value {
					missing++
				}
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d samples are missing", missing, soakSeries*len(w.stored))
		}
		return nil
	})
	s.t.Logf("%s: all of %d samples are there", w.name, soakSeries*len(w.stored))
}

// footprint is what a process holds.
type footprint struct{ goroutines, descriptors, residentKB int }

func (p *program) footprint() footprint {
	p.t.Helper()
	var f footprint
	profile, err := fetch(p.ops + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := fmt.Sscanf(profile, "goroutine profile: total %d", &f.goroutines); err != nil {
		p.t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d", p.cmd.Process.Pid)
	open, err := os.ReadDir(proc + "/fd")
	if err != nil {
		p.t.Fatal(err)
	}
	f.descriptors = len(open)
	status, err := os.ReadFile(proc + "/status")
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fmt.Sscanf(line, "VmRSS: %d kB", &f.residentKB)
	}
	return f
}

// comesToRest compares with the idle beginning. Memory is compared with that after some work, as caches and the heap have to grow once.
func (s *soak) comesToRest(p *program, idle, warm footprint) {
	const more = 12 // the agents keep a few connections each, and each takes a goroutine or two
	const moreKB = 64 << 10
	var last footprint
	eventually(s.t, "Gatehouse gives back what it took", func() error {
		http.DefaultClient.CloseIdleConnections()
		last = p.footprint()
		if last.goroutines > idle.goroutines+2*more || last.descriptors > idle.descriptors+more || last.residentKB > warm.residentKB+moreKB {
			return fmt.Errorf("idle at first %+v, warm %+v, at the end %+v", idle, warm, last)
		}
		return nil
	})
	s.t.Logf("idle at first %+v, warm after the kill %+v, at the end %+v", idle, warm, last)
}
