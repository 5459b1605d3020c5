package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// apiClient sends requests as VictoriaMetrics Cloud's Go client does: with the key's header and nothing else.
type apiClient struct {
	t    *testing.T
	base string
	key  string
}

// newAPIClient makes a key on the command line.
func newAPIClient(t *testing.T, p *program, dataDir, name string) apiClient {
	t.Helper()
	return apiClient{t, p.console, must(t, dataDir, "", "apikey", "create", "--name", name, "--permissions", "rw")}
}

func (c apiClient) send(method, body string, path ...string) answer {
	c.t.Helper()
	base, err := url.Parse(c.base)
	if err != nil {
		c.t.Fatal(err)
	}
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, base.JoinPath(append([]string{"/api/v1"}, path...)...).String(), sent)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-VM-Cloud-Access", c.key)
	return doOnce(c.t, req)
}

// doOnce follows no redirect.
func doOnce(t *testing.T, req *http.Request) answer {
	t.Helper()
	client := &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

// object sends a request whose answer is a JSON object.
func (c apiClient) object(method, body string, path ...string) map[string]any {
	c.t.Helper()
	got := c.send(method, body, path...)
	var object map[string]any
	if err := json.Unmarshal([]byte(got.body), &object); got.status != http.StatusOK || err != nil {
		c.t.Fatalf("%s %v: status %d: %s", method, path, got.status, got.body)
	}
	return object
}

func (c apiClient) wantStatus(status int, method, body string, path ...string) answer {
	c.t.Helper()
	got := c.send(method, body, path...)
	if got.status != status {
		c.t.Errorf("%s %v: status %d, want %d: %s", method, path, got.status, status, got.body)
	}
	return got
}

func TestADeploymentIsRunByTheManagementAPIAlone(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	p := serve(t, dataDir, "--access-endpoint-url", "https://metrics.example.com/")
	c := newAPIClient(t, p, dataDir, "terraform")
	const settings = `"name":"by api","tier":21,"storage_size":1,"storage_size_unit":"TB","deduplication":30,"deduplication_unit":"s",` +
		`"retention":6,"retention_unit":"m","maintenance_window":"Mon-Fri 4-5am"`

	created := c.object("POST", `{`+settings+`,"type":"single_node","provider":"aws","region":"local"}`, "deployments")
	id := created["id"].(string)
	token := c.object("POST", `{"type":"rw","description":"client"}`, "deployments", id, "access_tokens")
	const rules = "groups:\n  - name: example\n    rules:\n      - record: job:up:sum\n        expr: sum by (job) (up)\n"
	c.wantStatus(http.StatusNoContent, "POST", rules, "deployments", id, "rule-sets", "files", "rules")
	p.waitRunning(id)

	t.Run("what the create response said stays true", func(t *testing.T) {
		running := c.object("GET", "", "deployments", id)
		for _, field := range []string{"version", "access_endpoint", "created_at", "storage_size_gb", "retention_value", "retention_unit"} {
			if running[field] != created[field] || running[field] == "" {
				t.Errorf("%s is %v, and was %v at first", field, running[field], created[field])
			}
		}
		if created["access_endpoint"] != "https://metrics.example.com" || created["storage_size_gb"] != 1024.0 {
			t.Errorf("created %v", created)
		}
	})
	t.Run("a PUT without changes changes nothing", func(t *testing.T) {
		if updated := c.object("PUT", `{`+settings+`,"flags":{"single_flags":null}}`, "deployments", id); updated["status"] != "RUNNING" {
			t.Errorf("updated %v", updated)
		}
	})
	t.Run("the token that was made while it was provisioning works, until it is deleted", func(t *testing.T) {
		value := token["value"].(string)
		if got := p.request("GET", value, "/api/v1/query?query=1", ""); got.status != http.StatusOK {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
		eventually(t, "its use is shown", func() error {
			usage := c.object("GET", "", "deployments", id, "access_tokens", token["id"].(string), "usage")
			if last, ok := usage["last_used"].(map[string]any); !ok || last["address"] != "127.0.0.1" {
				return fmt.Errorf("its usage is %v", usage)
			}
			return nil
		})
		c.wantStatus(http.StatusNoContent, "DELETE", "", "deployments", id, "access_tokens", token["id"].(string))
		if got := p.request("GET", value, "/api/v1/query?query=1", ""); got.status != http.StatusUnauthorized {
			t.Errorf("after it was deleted: status %d", got.status)
		}
	})
	t.Run("an API key is no access token, and an access token is no API key", func(t *testing.T) {
		if got := p.request("GET", c.key, "/api/v1/query?query=1", ""); got.status != http.StatusUnauthorized {
			t.Errorf("status %d", got.status)
		}
		c := c
		c.key = token["value"].(string)
		c.wantStatus(http.StatusUnauthorized, "GET", "", "deployments")
	})
	t.Run("the rule file comes back", func(t *testing.T) {
		if got := c.wantStatus(http.StatusOK, "GET", "", "deployments", id, "rule-sets", "files", "rules"); got.body != rules {
			t.Errorf("it is %q", got.body)
		}
	})
	t.Run("the audit log tells what the key did", func(t *testing.T) {
		var records []map[string]any
		got := c.send("GET", "", "audit")
		if err := json.Unmarshal([]byte(got.body), &records); err != nil {
			t.Fatalf("%v: %s", err, got.body)
		}
		var actions []any
		for _, r := range records {
			if r["actor"] == "terraform" {
				actions = append(actions, r["action"])
			}
		}
		for _, want := range []string{"deployment.created", "token.created", "token.revoked", "rules.uploaded"} {
			if !slices.Contains(actions, any(want)) {
				t.Errorf("there is no %s: %v", want, actions)
			}
		}
	})
	c.wantStatus(http.StatusNoContent, "DELETE", "", "deployments", id)
	c.wantStatus(http.StatusNotFound, "GET", "", "deployments", id)
	if log := p.log.String(); strings.Contains(log, c.key) || strings.Contains(log, token["value"].(string)) {
		t.Error("the log holds a secret")
	}
}

func TestTheConsoleAndTheAPIShareAListenerAndNothingElse(t *testing.T) {
	t.Parallel()
	dataDir := newDataDir(t)
	p := serve(t, dataDir)
	c := newAPIClient(t, p, dataDir, "client")
	must(t, dataDir, "correct horse battery", "user", "create", "--email", "ada@example.com", "--role", "admin")

	t.Run("a signed-in browser is nobody to the API", func(t *testing.T) {
		browser := newBrowser(t)
		r, err := browser.PostForm(p.console+"/sign-in", url.Values{"email": {"ada@example.com"}, "password": {"correct horse battery"}})
		if status, at, text := arrived(t, r, err); status != http.StatusOK || at.Path != "/deployments" {
			t.Fatalf("signing in leads to %s with %d: %s", at, status, text)
		}
		r, err = browser.Get(p.console + "/api/v1/deployments")
		if status, _, _ := arrived(t, r, err); status != http.StatusUnauthorized {
			t.Errorf("status %d", status)
		}
	})
	t.Run("an API key is nobody to the console", func(t *testing.T) {
		req, _ := http.NewRequest("GET", p.console+"/deployments", nil)
		req.Header.Set("X-VM-Cloud-Access", c.key)
		if got := doOnce(t, req); got.status != http.StatusSeeOther {
			t.Errorf("status %d", got.status)
		}
	})
	t.Run("what protects forms does not stand before the API", func(t *testing.T) {
		req, _ := http.NewRequest("POST", p.console+"/api/v1/api_keys", strings.NewReader(`{"name":"from afar","permissions":"r","expires":"1d"}`))
		req.Header = http.Header{"X-Vm-Cloud-Access": {c.key}, "Origin": {"https://tools.example.com"}, "Sec-Fetch-Site": {"cross-site"}}
		if got := doOnce(t, req); got.status != http.StatusOK || got.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("status %d: %s", got.status, got.body)
		}
	})
	t.Run("no path of the API redirects", func(t *testing.T) {
		for _, path := range []string{"//api/v1/deployments", "/api//v1/deployments", "/api/v1/deployments/", "/x/../api/v1/deployments", "/api/v1/", "/api"} {
			req, _ := http.NewRequest("POST", p.console+path, strings.NewReader("{}"))
			req.Header.Set("X-VM-Cloud-Access", c.key)
			if got := doOnce(t, req); got.status != http.StatusNotFound || got.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: status %d, %s", path, got.status, got.header)
			}
		}
	})
	t.Run("anyone may read the documentation", func(t *testing.T) {
		for _, path := range []string{"/api-docs", "/api/v1/openapi.json"} {
			if text, err := fetch(p.console + path); err != nil || !strings.Contains(text, "/api/v1/deployments/{id}/access_tokens/{tid}") {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
}
