package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestTokenStory is the main job, end to end: generate a token, send data, read it back, revoke it.
func TestTokenStory(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	writer := newToken(t, dir, "default", "writer", "w")
	reader := newToken(t, dir, "default", "reader", "r")

	eventually(t, "the new token writes", func() error {
		a := p.request("POST", writer, "/api/v1/import/prometheus", `story{from="test"} 42`)
		if a.status != http.StatusNoContent {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
	eventually(t, "the sample can be read back", func() error {
		a := p.request("GET", reader, "/api/v1/query?query=story", "")
		if a.status != http.StatusOK || !strings.Contains(a.body, `"42"`) {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})

	if a := p.request("GET", writer, "/api/v1/query?query=story", ""); a.status != http.StatusForbidden {
		t.Errorf("a write token read: status %d: %s", a.status, a.body)
	}
	if a := p.request("POST", reader, "/api/v1/import/prometheus", "story 1"); a.status != http.StatusForbidden {
		t.Errorf("a read token wrote: status %d: %s", a.status, a.body)
	}

	must(t, dir, "", "token", "revoke", tokenID(t, dir, "default", "writer"))
	revoked := time.Now()
	eventually(t, "the revoked token is refused", func() error {
		if a := p.request("POST", writer, "/api/v1/import/prometheus", "story 43"); a.status != http.StatusUnauthorized {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
	t.Logf("a revocation by another process was in force after %v", time.Since(revoked))
}
