package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// patience is for a slow machine; no test takes it as long as the thing it waits for happens.
const patience = 90 * time.Second

// Tests that mostly wait, for seconds, are parallel. Each has a data directory and a Supervisor of its own; those that change this process
// (its environment, whose parent it is) are not.

const testID = "0b7c1b36-5f3a-4b52-9a53-2f6c8a6f1c11"

func TestMain(m *testing.M) {
	gatehouse.Tiers = slices.Concat(gatehouse.BuiltinTiers, tightTiers, []gatehouse.Tier{tightCluster})
	if dir := os.Getenv("ENGINE_TEST_SERVE"); dir != "" {
		serveForTest(dir)
	}
	os.Exit(m.Run())
}

// serveForTest is a Gatehouse to be killed: it runs one managed deployment, or evaluates a rule of a connected one, and prints each state of
// the deployment.
func serveForTest(dataDir string) {
	out := json.NewEncoder(os.Stdout)
	s, err := New(Config{Dir: os.Getenv("ENGINE_TEST_DIR"), DataDir: dataDir,
		OnState: func(_ string, s gatehouse.State, e *Endpoint) { out.Encode(event{s, e}) }})
	if err != nil {
		panic(err)
	}
	d := managedDeployment()
	if os.Getenv("ENGINE_TEST_CLUSTER") != "" {
		d = managedCluster()
	}
	if url := os.Getenv("ENGINE_TEST_CONNECTED"); url != "" {
		d = connectedTo(url)
		s.cfg.Rules = func(context.Context, string) (gatehouse.RuleSet, error) {
			return gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}}, nil
		}
		s.relay.data = func(string) http.Handler { return http.NotFoundHandler() }
	}
	s.Apply(created(d))
	select {}
}

func managedDeployment() gatehouse.Deployment {
	return gatehouse.Deployment{ID: testID, Name: "default", Type: gatehouse.SingleNode, Managed: true}
}

func created(d gatehouse.Deployment) gatehouse.Change { return gatehouse.Change{Deployment: &d} }

// programDir is where the real VictoriaMetrics lies.
func programDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if programIn(dir) == "" {
		t.Fatalf("there is no victoria-metrics in %s; build it with: go tool task engine", dir)
	}
	return dir
}

func programIn(dir string) string { return programNamed(dir, programNames) }

func engineFiles(dir string) files   { return programFiles(dir, gatehouse.SingleProgram) }
func logPath(dir string) string      { return engineFiles(dir).log() }
func pidPath(dir string) string      { return engineFiles(dir).pid() }
func passwordPath(dir string) string { return engineFiles(dir).password() }

type event struct {
	State    gatehouse.State
	Endpoint *Endpoint
}

// watched is a Supervisor together with what it said and logged.
type watched struct {
	*Supervisor
	dataDir string

	mu     sync.Mutex
	events []event
	log    bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(p)
}

func supervise(t *testing.T, dir, dataDir string) *watched {
	t.Helper()
	w := &watched{dataDir: dataDir}
	s, err := New(Config{Dir: dir, DataDir: dataDir, Log: slog.New(slog.NewTextHandler(w, nil)),
		OnState: func(_ string, s gatehouse.State, e *Endpoint) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, event{s, e})
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.Supervisor = s
	t.Cleanup(func() {
		w.stop(t)
		if t.Failed() {
			w.mu.Lock()
			defer w.mu.Unlock()
			t.Logf("what Gatehouse logged:\n%s", w.log.String())
			for _, p := range everyProgram {
				if lines, err := w.ProgramLog(testID, p.Log(), 20); err == nil {
					t.Logf("what %s logged:\n%s", p, strings.Join(lines, "\n"))
				}
			}
		}
	})
	return w
}

func (w *watched) stop(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.Stop(ctx)
	if ctx.Err() != nil {
		t.Error("the engines had to be killed")
	}
}

// seen gives the events so far.
func (w *watched) seen() []event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]event(nil), w.events...)
}

// last is the newest event, or none.
func (w *watched) last() event {
	if all := w.seen(); len(all) > 0 {
		return all[len(all)-1]
	}
	return event{}
}

// await waits until the newest state has this status.
func (w *watched) await(t *testing.T, status gatehouse.Status) event {
	t.Helper()
	var last event
	eventually(t, "the deployment is "+status.Label(), func() bool {
		all := w.seen()
		if len(all) == 0 {
			return false
		}
		last = all[len(all)-1]
		return last.State.Status == status
	})
	if last.State.Detail != "" {
		t.Logf("%s: %s", status.Label(), last.State.Detail)
	}
	return last
}

// awaitFailed also checks what the state says.
func (w *watched) awaitFailed(t *testing.T, words ...string) {
	t.Helper()
	e := w.await(t, gatehouse.Failed)
	if e.Endpoint != nil {
		t.Error("a failed deployment has an endpoint")
	}
	for _, word := range words {
		if !strings.Contains(e.State.Detail, word) {
			t.Errorf("the state says %q; want it to say %q", e.State.Detail, word)
		}
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// ask sends a request to an engine with its credential, and gives the answer's body.
func ask(t *testing.T, e *Endpoint, path, body string) string {
	t.Helper()
	status, answer := request(t, e, path, body, true)
	if status/100 != 2 {
		t.Fatalf("%s answers %d: %s", path, status, answer)
	}
	return answer
}

func request(t *testing.T, e *Endpoint, path, body string, authorized bool) (int, string) {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequest(method, e.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if authorized {
		req.SetBasicAuth(e.Username, e.Password)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// write sends a sample of one series; awaitSample reads it back. The engine is made to show it at once: otherwise a query that
// comes too early is remembered for ten seconds.
func write(t *testing.T, e *Endpoint, series string) {
	t.Helper()
	ask(t, e, "/api/v1/import/prometheus", series+" 42\n")
}

func awaitSample(t *testing.T, e *Endpoint, series string) {
	t.Helper()
	ask(t, e, "/internal/force_flush", "")
	eventually(t, "the sample can be read", func() bool {
		return strings.Contains(ask(t, e, "/api/v1/export?match[]="+url.QueryEscape(series), ""), "[42]")
	})
}

// enginePID gives the process of a single node that the deployment's folder names.
func (w *watched) enginePID(t *testing.T) int {
	t.Helper()
	return w.programPID(t, gatehouse.SingleProgram)
}

func (w *watched) programPID(t *testing.T, p gatehouse.Program) int {
	t.Helper()
	return programPIDIn(t, w.folder(testID), p)
}

func programPIDIn(t *testing.T, dir string, p gatehouse.Program) int {
	t.Helper()
	var pid int
	eventually(t, "the process of "+string(p)+" is noted", func() bool {
		note, _ := os.ReadFile(programFiles(dir, p).pid())
		_, err := fmt.Sscanf(string(note), "%d", &pid)
		return err == nil
	})
	return pid
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the engine has ended", func() bool { return startTime(pid) == "" })
}
