package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// asProgram makes the test binary behave as gatehouse itself, so that tests start and kill the real program.
const asProgram = "GATEHOUSE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Unsetenv(asProgram)
		main()
	}
	code := m.Run()
	closeChromiums()
	os.Exit(code)
}

// patience is how long tests wait for what should come: long, since the machine may be busy, and since figures for the charts come
// only every 15 seconds. It is only ever used up by a failure.
const patience = 2 * time.Minute

// program is a running `gatehouse serve`.
type program struct {
	t                    *testing.T
	dataDir              string
	console, access, ops string // URLs
	cmd                  *exec.Cmd
	log                  *logBuffer
	ended                chan struct{}
}

// engineDir is where the Taskfile puts the engine programs.
func engineDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "victoria-metrics")); err != nil {
		t.Fatalf("the engine programs are missing (%v); build them with: go tool task engine", err)
	}
	return dir
}

// newDataDir gives a fresh data directory, and keeps its path short and plain.
func newDataDir(t *testing.T) string { return filepath.Join(t.TempDir(), "data") }

// gatehouseCommand is the program with args, not yet started.
func gatehouseCommand(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	// The race detector would keep every program for a second after its end.
	cmd.Env = append(os.Environ(), asProgram+"=1", "GORACE=atexit_sleep_ms=10")
	return cmd
}

// serve starts the program on free ports and waits until it is ready. More arguments override.
func serve(t *testing.T, dataDir string, more ...string) *program {
	t.Helper()
	p, err := tryServe(t, dataDir, append([]string{"--engine-dir", engineDir(t)}, more...)...)
	if err != nil {
		t.Fatalf("gatehouse serve did not get ready: %v\n%s", err, p.log)
	}
	return p
}

// tryServe is serve for tests in which it may fail. The program is ended with the test.
func tryServe(t *testing.T, dataDir string, more ...string) (*program, error) {
	t.Helper()
	args := []string{"serve", "--data-dir", dataDir, "--log-format", "json",
		"--console-listen", "127.0.0.1:0", "--access-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"}
	p := &program{t: t, dataDir: dataDir, cmd: gatehouseCommand(append(args, more...)...), log: &logBuffer{}, ended: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan map[string]any, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.readLog(stderr, ready)
	}()
	go func() {
		<-read
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(dataDir, "deployments", "*", "engine.log"))
			for _, file := range logs {
				text, _ := os.ReadFile(file)
				t.Logf("the engine said:\n%s", text)
			}
		}
	})
	select {
	case line := <-ready:
		p.console, p.access, p.ops = line["console"].(string), line["access"].(string), line["ops"].(string)
		return p, nil
	case <-p.ended:
		return p, errors.New("it ended")
	case <-time.After(patience):
		return p, errors.New("it took too long")
	}
}

func (p *program) readLog(from io.Reader, ready chan<- map[string]any) {
	for lines := bufio.NewScanner(from); lines.Scan(); {
		p.log.add(lines.Text())
		var line map[string]any
		if json.Unmarshal(lines.Bytes(), &line) == nil && line["msg"] == "gatehouse is ready" {
			ready <- line
		}
	}
}

// stop ends the program as an operator would, and waits for it.
func (p *program) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Errorf("gatehouse did not end after SIGTERM\n%s", p.log)
		p.kill()
	}
}

// kill ends the program without giving it a chance to tidy up.
func (p *program) kill() {
	p.signal(syscall.SIGKILL)
	<-p.ended
}

func (p *program) signal(s syscall.Signal) { p.cmd.Process.Signal(s) } // one that has ended already is fine

// logBuffer holds the log lines of a program.
type logBuffer struct {
	mu    sync.Mutex
	lines []string
}

func (b *logBuffer) add(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// command runs a command of the program on a data directory to its end.
func command(t *testing.T, dataDir, stdin string, args ...string) result {
	t.Helper()
	cmd := gatehouseCommand(append([]string{"--data-dir", dataDir}, args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out: out.String(), err: errOut.String(), code: cmd.ProcessState.ExitCode()}
}

// must runs a command that has to work, and gives what it printed, trimmed.
func must(t *testing.T, dataDir, stdin string, args ...string) string {
	t.Helper()
	r := command(t, dataDir, stdin, args...)
	if r.code != exitDone {
		t.Fatalf("gatehouse %s: exit code %d: %s", strings.Join(args, " "), r.code, r.err)
	}
	return strings.TrimSpace(r.out)
}

// newToken creates a token of the deployment and gives its secret.
func newToken(t *testing.T, dataDir, deployment, name, access string, more ...string) string {
	t.Helper()
	secret := must(t, dataDir, "", append([]string{"token", "create", "--deployment", deployment, "--name", name, "--access", access}, more...)...)
	madeAt.Store(secret, time.Now())
	return secret
}

// madeAt is when newToken has made a secret.
var madeAt sync.Map

// isFresh reports that a running server may not know the secret yet: it learns only moments later what another process has done.
func isFresh(secret string) bool {
	at, ok := madeAt.Load(secret)
	return ok && time.Since(at.(time.Time)) < 3*time.Second
}

// tokenID finds the ID of a token by its name.
func tokenID(t *testing.T, dataDir, deployment, name string) string {
	t.Helper()
	var tokens []tokenJSON
	if err := json.Unmarshal([]byte(must(t, dataDir, "", "token", "list", "--deployment", deployment, "--json")), &tokens); err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if token.Name == name {
			return token.ID
		}
	}
	t.Fatalf("the deployment %s has no token %q", deployment, name)
	return ""
}

// answer is a whole HTTP response.
type answer struct {
	status int
	header http.Header
	body   string
}

// request sends a request to the access endpoint, with the secret as Bearer token unless it is empty.
func (p *program) request(method, secret, path, body string) answer {
	p.t.Helper()
	a, err := p.tryRequest(method, secret, path, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *program) tryRequest(method, secret, path, body string) (answer, error) {
	for {
		a, err := p.requestOnce(method, secret, path, body)
		if err != nil || a.status != http.StatusUnauthorized || !isFresh(secret) {
			return a, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (p *program) requestOnce(method, secret, path, body string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.access+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(text)}, err
}

// eventually polls until the condition holds. It reports what the condition last said.
func eventually(t *testing.T, what string, condition func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := condition()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// waitRunning waits until a deployment serves.
func (p *program) waitRunning(deployment string) {
	p.t.Helper()
	p.waitStatus(deployment, "RUNNING", "")
}
