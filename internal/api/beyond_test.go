package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestAConnectedDeploymentShowsNoCredential(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	made := c.post(`{"name":"existing","type":"cluster","insert_urls":["http://10.0.0.5:8480/"],"select_urls":["http://10.0.0.6:8481"],`+
		`"max_concurrent_requests":50,"upstream":{"username":"gatehouse","password":"open sesame"}}`, "deployments", "connect")
	d := made.object()
	want := map[string]any{
		"type": "cluster", "managed": false, "tier": 9.0, "max_concurrent_requests": 50.0, "insert_urls": []any{"http://10.0.0.5:8480"},
		"select_urls": []any{"http://10.0.0.6:8481"}, "created_by": "API key admin", "version": "",
	}
	for field, value := range want {
		if !reflect.DeepEqual(d[field], value) {
			t.Errorf("%s is %v, want %v", field, d[field], value)
		}
	}
	id := d["id"].(string)
	for _, body := range []string{made.body, c.get("deployments", id).body, c.get("deployments").body, c.get("audit").body} {
		if strings.Contains(body, "sesame") {
			t.Errorf("the credential is shown: %s", body)
		}
	}
	renamed := c.put(`{"name":"renamed","tier":9}`, "deployments", id).object()
	if renamed["name"] != "renamed" || !reflect.DeepEqual(renamed["insert_urls"], d["insert_urls"]) {
		t.Errorf("renamed %v", renamed)
	}
	c.put(updateBody, "deployments", id).refused(422, "only its name and the limit of concurrent requests")
	c.post(`{"name":"x","type":"single_node","urls":["http://u:p@10.0.0.5"]}`, "deployments", "connect").refused(422, "user name or password")
}

func TestSeveralTokensAreMadeInOrder(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addCluster("cluster").ID
	var sent []string
	for i := range 1000 {
		sent = append(sent, fmt.Sprintf(`{"type":"w","description":"agent %d","tenant_id":"%d"}`, i, i))
	}
	made := c.post(`{"tokens":[`+strings.Join(sent, ",")+`]}`, "deployments", id, "access_tokens", "batch").list()
	if len(made) != 1000 {
		t.Fatalf("%d tokens were made", len(made))
	}
	for i, token := range made {
		if token["description"] != fmt.Sprintf("agent %d", i) || token["tenant_id"] != fmt.Sprint(i) || len(token["value"].(string)) != 43 {
			t.Fatalf("token %d is %v", i, token)
		}
	}
}

func TestTheUsageOfATokenHoldsNoSecret(t *testing.T) {
	w := newWorld(t)
	path := []string{"deployments", w.parts["id"], "access_tokens", w.parts["tid"], "usage"}
	if unused := w.get(path...).object(); unused["first_used"] != nil || unused["last_used"] != nil {
		t.Errorf("an unused token has the usage %v", unused)
	}
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	err := w.store.SaveUses(t.Context(), []gatehouse.TokenUse{{
		TokenID: w.parts["tid"], DeploymentID: w.parts["id"], First: true, Use: gatehouse.Use{At: at, Addr: "10.0.0.7", UserAgent: "vmagent"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"at": "2026-11-24T12:00:00Z", "address": "10.0.0.7", "user_agent": "vmagent"}
	if used := w.get(path...).object(); !reflect.DeepEqual(used, map[string]any{"first_used": want, "last_used": want}) {
		t.Errorf("the usage is %v", used)
	}
	if list := w.get(path[:3]...).list(); list[0]["last_used_at"] != "2026-11-24T12:00:00Z" {
		t.Errorf("the list has %v", list)
	}
}

func TestAPIKeysAreManaged(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	made := c.post(`{"name":"k","permissions":"r","expires":"2100-01-31"}`, "api_keys").object()
	value := made["value"].(string)
	if !strings.HasPrefix(value, "vmak_") || made["permissions"] != "r" || made["expires_at"] != "2100-02-01T00:00:00Z" || made["deployments"] != nil {
		t.Errorf("made %v", made)
	}
	key := made["id"].(string)
	if me := s.client(value).get("whoami").object(); me["name"] != "k" || me["permissions"] != "r" || me["address"] != "127.0.0.1" {
		t.Errorf("whoami says %v", me)
	}
	if shown := c.get("api_keys", key).object(); shown["value"] != value[5:9] || shown["last_used"] == nil {
		t.Errorf("shown %v", shown)
	}
	if list := c.get("api_keys").list(); len(list) != 2 || list[0]["value"] != value[5:9] {
		t.Errorf("the list has %v", list)
	}
	if revealed := c.post("{}", "api_keys", key, "reveal").object(); revealed["value"] != value {
		t.Errorf("revealed %v", revealed)
	}
	c.del("api_keys", key).ok()
	s.client(value).get("whoami").refused(401, "unknown or revoked")

	scoped := c.post(`{"name":"scoped","permissions":"rw","deployments":["`+strings.ToUpper(id)+`"],"expires":"90d"}`, "api_keys").object()
	if !reflect.DeepEqual(scoped["deployments"], []any{id}) {
		t.Errorf("the key is for %v", scoped["deployments"])
	}
	c.post(`{"name":"x","permissions":"r","expires":"2020-01-01"}`, "api_keys").refused(422, "expired already")
	c.post(`{"name":"x","permissions":"r","expires":"never","deployments":[]}`, "api_keys").refused(422, "at least one")
	c.post(`{"name":"x","permissions":"r","expires":"never","deployments":["nonsense"]}`, "api_keys").refused(422, "no deployment with the ID")
}

func TestUsersAreManaged(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	made := c.post(`{"email":"Ada@Example.com","role":"editor"}`, "users").object()
	link, err := url.Parse(made["link"].(string))
	if err != nil || made["email"] != "ada@example.com" || made["invited"] != true {
		t.Fatalf("invited %v (%v)", made, err)
	}
	if _, err := s.control.AcceptLink(t.Context(), gatehouse.Client{}, link.Query().Get("code"), "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	id := made["id"].(string)
	c.put(`{"role":"viewer"}`, "users", id, "role").ok()
	c.post("{}", "users", "ada@example.com", "disable").ok()
	if u := c.get("users", id).object(); u["role"] != "viewer" || u["disabled"] != true || u["invited"] != false {
		t.Errorf("the user is %v", u)
	}
	c.post("{}", "users", id, "password_link").refused(422, "enable them first")
	c.post("{}", "users", id, "enable").ok()
	if made := c.post("{}", "users", id, "password_link").object(); !strings.HasPrefix(made["link"].(string), "https://gatehouse.example.com/invite?code=") {
		t.Errorf("the link is %v", made)
	}
	c.post(`{"email":"ada@example.com","role":"viewer"}`, "users").refused(422, "exists already")
	c.post(`{"email":"eve@example.com","role":"root"}`, "users").refused(422, "the role")
	c.del("users", id).ok()
	if list := c.get("users").list(); len(list) != 0 {
		t.Errorf("the list has %v", list)
	}
}

func TestTheAuditLogIsFilteredPagedAndExported(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	s.addDeployment(`=HYPERLINK("http://evil.example.com")`)
	for i := range 5 {
		s.addDeployment(fmt.Sprintf("d%d", i))
	}
	newest := c.query("audit", "action=deployment.created&limit=2").list()
	if len(newest) != 2 || newest[0]["object"] != "d4" || newest[1]["object"] != "d3" {
		t.Errorf("the newest are %v", newest)
	}
	if next := c.query("audit", "action=deployment.created&limit=2&offset=4").list(); len(next) != 2 || next[0]["object"] != "d0" {
		t.Errorf("the third page is %v", next)
	}
	if none := c.query("audit", "to=2020-01-01T00:00:00Z"); none.ok().body != "[]" {
		t.Errorf("before 2020 there was %s", none.body)
	}
	c.query("audit", "limit=1001").refused(422, "1 to 1000")
	c.query("audit", "limit=-1").refused(422, "1 to 1000")
	c.query("audit", "offset=-1").refused(422, "1 to 1000")
	c.query("audit", "from=yesterday").refused(422, `the time "from" is not valid`)
	c.query("audit", "action=nonsense").refused(422, "no such action")
	c.query("audit", "deployment_id=x").refused(422, "no UUID")
	c.query("audit/export", "format=xls").refused(422, "choose csv or jsonl")
	c.get("audit", "export").refused(422, "choose csv or jsonl")

	rows, err := csv.NewReader(strings.NewReader(c.query("audit/export", "format=csv&action=deployment.created").body)).ReadAll()
	if err != nil || len(rows) != 7 || !strings.HasPrefix(rows[1][8], "'=HYPERLINK") {
		t.Errorf("the CSV file has %q (%v)", rows, err)
	}
	lines := strings.Split(strings.TrimSpace(c.query("audit/export", "format=jsonl&action=deployment.created").body), "\n")
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
	if len(lines) != 6 {
		t.Errorf("the export has %d lines", len(lines))
	}
	if exports := c.query("audit", "action=audit.exported").list(); len(exports) != 2 {
		t.Errorf("%d exports are recorded, want 2", len(exports))
	}
}
