package snippet

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// request is what a client sent.
type request struct {
	method, path, query, authorization, body string
}

// recorder is an endpoint that notes what clients send and answers like VictoriaMetrics.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.requests = append(r.requests, request{req.Method, req.URL.Path, req.URL.RawQuery, req.Header.Get("Authorization"), string(body)})
		r.mu.Unlock()
		if strings.HasSuffix(req.URL.Path, "/query") {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) all() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]request(nil), r.requests...)
}

// waitFor gives the first request to the path, once it has come.
func (r *recorder) waitFor(t *testing.T, path string) request {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		for _, req := range r.all() {
			if req.path == path {
				return req
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no request to %s came; there were %+v", path, r.all())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// shells are those into which people paste. zsh is not on every machine; dash is Debian's sh.
func shells(t *testing.T) []string {
	t.Helper()
	found := []string{"sh", "bash"}
	for _, optional := range []string{"dash", "zsh"} {
		if _, err := exec.LookPath(optional); err == nil {
			found = append(found, optional)
		}
	}
	return found
}

// paste runs code in a shell, in an empty directory, which it returns.
func paste(t *testing.T, shell, code string, env ...string) (dir, output string) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.Command(shell)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(code)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s failed with %v on:\n%s\noutput: %s", shell, err, code, out)
	}
	return dir, string(out)
}

// enginePath gives PATH with the engine programs first.
func enginePath(t *testing.T, program string) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
		t.Fatalf("%s is missing; build it with: go tool task engine", filepath.Join(bin, program))
	}
	return "PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH")
}
