package main

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestSecretsLeaveNoTrace uses secrets in every way a client may, rightly and wrongly, and then looks for them everywhere.
func TestSecretsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	const password = "a very secret horse battery"
	must(t, dir, password+"\n", "user", "create", "--email", "ops@example.com", "--role", "admin")
	p := serve(t, dir)
	p.waitRunning("default")
	writer := newToken(t, dir, "default", "writer", "w")
	revoked := newToken(t, dir, "default", "revoked", "rw")
	must(t, dir, "", "token", "revoke", tokenID(t, dir, "default", "revoked"))
	must(t, dir, "", "token", "reveal", tokenID(t, dir, "default", "writer"))
	mistyped := writer[:len(writer)-1] + "!"
	planted := map[string]string{"a token": writer, "a revoked token": revoked, "a mistyped token": mistyped, "a password": password}

	look := func(where, text string) {
		for what, value := range planted {
			if strings.Contains(text, value) {
				t.Errorf("%s stands in %s", what, where)
			}
		}
	}
	answers := map[int]int{} // by status
	for _, value := range []string{writer, revoked, mistyped} {
		for _, path := range []string{"/api/v1/import/prometheus", "/api/v1/query?query=1", "/metrics", "/nothing/" + value, "/api/v1/query?token=" + value, "/../" + value, "/%zz" + value} {
			for _, header := range []string{"Bearer " + value, "Strange " + value} {
				req, err := http.NewRequest("POST", p.access, strings.NewReader("leak 1"))
				if err != nil {
					t.Fatal(err)
				}
				req.URL.Opaque = path
				req.Header.Set("Authorization", header)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					continue // net/http's own client refuses some of these
				}
				answers[resp.StatusCode]++
				look("the answer to "+strings.ReplaceAll(path, value, "<secret>"), readAll(t, resp))
			}
		}
	}
	for _, status := range []int{http.StatusNoContent, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		if answers[status] == 0 {
			t.Errorf("no request was answered %d, so those answers were not looked at: %v", status, answers)
		}
	}
	for _, path := range []string{"/metrics", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2"} {
		resp, err := http.Get(p.ops + path)
		if err != nil {
			t.Fatal(err)
		}
		look(path, readAll(t, resp))
	}
	for pid, line := range programsOn(t, dir) {
		look("the command line of process "+pid, line)
	}
	p.stop()
	look("the log", p.log.String())

	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for what, value := range planted {
			if bytes.Contains(content, []byte(value)) {
				t.Errorf("%s stands in the file %s", what, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
