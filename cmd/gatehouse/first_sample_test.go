package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestFromCreatingADeploymentToItsFirstSample creates a deployment by each of the ways that there are, writes to it as soon as it may,
// and logs how long that took. The times that were measured on a quiet machine stand in docs/performance.md.
func TestFromCreatingADeploymentToItsFirstSample(t *testing.T) {
	p, b := newConsole(t, "/deployments")
	api := newAPIClient(t, p, p.dataDir, "creator")

	b.click("button", "Create")
	b.fill("Name", "by page")
	began := time.Now()
	b.click("button", "Create")
	d := api.named("by page")
	p.firstSample("the page", began, api.defaultToken(d))
	b.find("heading", "by page")
	b.seesMatch(`Running Single node Managed .*First .* received`)

	began = time.Now()
	created := api.object("POST", `{"name":"by api","type":"single_node","provider":"local","region":"local","tier":21,`+
		`"storage_size":120,"storage_size_unit":"GB","deduplication":0,"deduplication_unit":"ms","retention":30,"retention_unit":"d",`+
		`"maintenance_window":"Sat-Sun 3-4am"}`, "deployments")
	if created["status"] != "PROVISIONING" {
		t.Errorf("the API says that the deployment is %v", created["status"])
	}
	token := api.object("POST", `{"type":"rw","description":"first"}`, "deployments", created["id"].(string), "access_tokens")
	p.firstSample("the API", began, token["value"].(string))

	began = time.Now()
	must(t, p.dataDir, "", "deployment", "create", "by command line", "--tier", "s.starter.a")
	p.firstSample("the command line", began, newToken(t, p.dataDir, "by command line", "first", "rw"))
}

// named waits for the deployment of that name, and gives its ID.
func (c apiClient) named(name string) (id string) {
	c.t.Helper()
	eventually(c.t, "there is a deployment "+name, func() error {
		var all []struct{ ID, Name string }
		if err := json.Unmarshal([]byte(c.send("GET", "", "deployments").body), &all); err != nil {
			return err
		}
		for _, d := range all {
			if d.Name == name {
				id = d.ID
				return nil
			}
		}
		return fmt.Errorf("among %v", all)
	})
	return id
}

// defaultToken reveals the token with which the deployment was made.
func (c apiClient) defaultToken(deploymentID string) string {
	c.t.Helper()
	var tokens []struct{ ID string }
	if a := c.send("GET", "", "deployments", deploymentID, "access_tokens"); json.Unmarshal([]byte(a.body), &tokens) != nil || len(tokens) != 1 {
		c.t.Fatalf("the tokens are %s", a.body)
	}
	return c.object("GET", "", "deployments", deploymentID, "access_tokens", tokens[0].ID)["value"].(string)
}

// firstSample writes to a deployment that was just made, and reads back. Like a client it tries again while it is told that the
// deployment does not serve yet; a token from another process is in force within 100 ms.
func (p *program) firstSample(way string, began time.Time, secret string) {
	p.t.Helper()
	refused := 0
	eventually(p.t, "the first sample is stored", func() error {
		a := p.request("POST", secret, "/api/v1/import/prometheus", "first 42")
		switch a.status {
		case http.StatusNoContent:
			return nil
		case http.StatusServiceUnavailable, http.StatusUnauthorized:
			refused++
		default:
			p.t.Fatalf("writing to a deployment that starts answers %d: %s", a.status, a.body)
		}
		return fmt.Errorf("status %d: %s", a.status, a.body)
	})
	stored := time.Since(began)
	p.wantSample(secret, "first")
	exported := time.Since(began)
	eventually(p.t, "a query sees the sample", func() error {
		if a := p.request("GET", secret, "/api/v1/query?query=first", ""); a.status != http.StatusOK || !strings.Contains(a.body, `"42"`) {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
	p.t.Logf("measured: by %s: first sample stored after %v and %d refusals, exported after %v, seen by a query after %v", way,
		stored.Round(time.Millisecond), refused, exported.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}
