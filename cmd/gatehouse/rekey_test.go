package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestRekeyBesideARunningServer makes new sealing keys, some of which are broken off by a kill, while the server goes on.
func TestRekeyBesideARunningServer(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	asking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer upstream secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
		}
	}))
	t.Cleanup(asking.Close)
	bearer := filepath.Join(t.TempDir(), "bearer")
	if err := os.WriteFile(bearer, []byte("upstream secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	connect := func(name string) {
		t.Helper()
		must(t, dir, "", "deployment", "connect", name, "--type", "single_node", "--url", asking.URL, "--upstream-bearer-file", bearer)
	}
	connect("before")
	p := serve(t, dir)
	values := map[string]string{"before": newToken(t, dir, "before", "token", "r")}
	works := func() {
		t.Helper()
		for deployment, value := range values {
			if got := must(t, dir, "", "token", "reveal", tokenID(t, dir, deployment, "token")); got != value {
				t.Errorf("the token of %q reveals %q", deployment, got)
			}
			eventually(t, "the server passes requests on with the credential", func() error {
				a, err := p.tryRequest("GET", value, "/api/v1/query?query=up", "")
				if err == nil && a.status != http.StatusOK {
					err = fmt.Errorf("status %d: %s", a.status, a.body)
				}
				return err
			})
		}
	}
	for i, after := range []time.Duration{100 * time.Millisecond, 6050 * time.Millisecond} {
		rekey := gatehouseCommand("--data-dir", dir, "rekey")
		if err := rekey.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		rekey.Process.Kill()
		rekey.Wait()
		works()
		name := fmt.Sprint("killed ", i)
		connect(name)
		values[name] = newToken(t, dir, name, "token", "r")
		works()
	}
	before, err := os.ReadFile(filepath.Join(dir, "keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	if out := must(t, dir, "", "rekey"); !strings.Contains(out, "sealed with the new key: 9.") { // three deployments with two tokens each, and their credentials
		t.Errorf("rekey says %q", out)
	}
	works()
	after, err := os.ReadFile(filepath.Join(dir, "keyset.json"))
	if err != nil || strings.Count(string(after), `"keyId"`) != 1 || string(after) == string(before) {
		t.Errorf("the keyset does not hold one new key: %v", err)
	}
	connect("after")
	values["after"] = newToken(t, dir, "after", "token", "r")
	works()
	p.stop()
	p = serve(t, dir)
	works()
	if out := must(t, dir, "", "audit", "list", "--action", "secrets.rekeyed"); !strings.Contains(out, "secrets=9") {
		t.Errorf("the audit log says\n%s", out)
	}
}
