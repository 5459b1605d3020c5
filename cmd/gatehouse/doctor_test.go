package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// doctorSays runs the doctor, and gives its findings and exit code.
func doctorSays(t *testing.T, dir string, args ...string) (map[string][]finding, int) {
	t.Helper()
	r := command(t, dir, "", append([]string{"doctor", "--json", "--engine-dir", engineDir(t)}, args...)...)
	var list []finding
	if err := json.Unmarshal([]byte(r.out), &list); err != nil {
		t.Fatalf("%v: %s %s", err, r.out, r.err)
	}
	found := map[string][]finding{}
	for _, f := range list {
		found[f.Check] = append(found[f.Check], f)
	}
	return found, r.code
}

func wantFinding(t *testing.T, found map[string][]finding, check string, v verdict, text string) {
	t.Helper()
	for _, f := range found[check] {
		if f.Verdict == v && strings.Contains(f.Text, text) {
			return
		}
	}
	t.Errorf("%s: %+v; want %s with %q", check, found[check], v, text)
}

func TestDoctorOfAHealthyServer(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	ops := strings.TrimPrefix(p.ops, "http://")
	eventually(t, "the history is kept", func() error {
		if !strings.Contains(opsMetrics(t, p), "\ngatehouse_history_up 1\n") {
			return errors.New("it is not")
		}
		return nil
	})
	found, code := doctorSays(t, dir, "--ops-listen", ops)
	for _, check := range []string{"history", "data directory", "keyset file", "keyset", "database", "audit log", "clock", "engine", "server", "deployment default"} {
		wantFinding(t, found, check, fine, "")
	}
	wantFinding(t, found, "engine", fine, "v1.")
	if code != exitDone {
		t.Errorf("exit code %d: %+v", code, found)
	}
	if out := must(t, dir, "", "doctor", "--ops-listen", ops, "--engine-dir", engineDir(t)); !strings.Contains(out, "OK") {
		t.Error(out)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	late := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
	}))
	t.Cleanup(late.Close)
	must(t, dir, "", "deployment", "connect", "gone", "--type", "single_node", "--url", "http://127.0.0.1:9")
	must(t, dir, "", "deployment", "connect", "late", "--type", "single_node", "--url", late.URL)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	found, code := doctorSays(t, dir, "--access-listen", taken.Addr().String(), "--console-listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--engine-dir", t.TempDir())
	wantFinding(t, found, "deployment gone", failed, "does it run")
	wantFinding(t, found, "deployment late", warned, "the clock of "+late.URL+" differs by 1h0m")
	wantFinding(t, found, "deployment late", fine, "to this host only")
	wantFinding(t, found, "port", failed, "--access-listen")
	wantFinding(t, found, "server", warned, "gatehouse serve")
	wantFinding(t, found, "engine", warned, "no victoria-metrics program")
	wantFinding(t, found, "data directory", warned, "chmod 700")
	if code != exitFailed {
		t.Errorf("exit code %d", code)
	}

	if err := os.Chmod(filepath.Join(dir, "keyset.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	found, _ = doctorSays(t, dir)
	wantFinding(t, found, "keyset file", failed, "chmod 600")
	found, code = doctorSays(t, newDataDir(t))
	wantFinding(t, found, "database", failed, "there is no Gatehouse database")
	if code != exitFailed {
		t.Errorf("exit code %d without a data directory", code)
	}
}

// TestDoctorAsksWithoutCredentials looks at backends by a name that is not loopback's: one that asks for a credential, one that does not.
func TestDoctorAsksWithoutCredentials(t *testing.T) {
	t.Parallel()
	f := func(asks bool, v verdict, text string) {
		t.Helper()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, _, ok := r.BasicAuth(); asks && !ok && r.URL.Path != "/health" {
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		t.Cleanup(server.Close)
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}}}
		d := &doctor{}
		d.checkBackend(t.Context(), client, "backend", "http://vm.example:8428", "/api/v1/labels", gatehouse.Upstream{Username: "u", Password: "p"})
		wantFinding(t, map[string][]finding{"backend": d.findings}, "backend", v, text)
	}
	f(false, warned, "needs no token")
	f(true, fine, "asks others for a credential")
}
