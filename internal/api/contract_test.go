package api_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// createBody is what the Terraform provider sends to make a deployment.
const createBody = `{"name":"Single demo","type":"single_node","provider":"aws","region":"local","tier":21,"storage_size":20,"storage_size_unit":"GB",` +
	`"deduplication":30,"deduplication_unit":"s","retention":6,"retention_unit":"m","maintenance_window":"Sat-Sun 3-4am"}`

// updateBody is what it sends to change one.
const updateBody = `{"name":"Single demo","tier":21,"storage_size":20,"storage_size_unit":"GB",` +
	`"deduplication":30,"deduplication_unit":"s","retention":6,"retention_unit":"m","maintenance_window":"Sat-Sun 3-4am",` +
	`"flags":{"single_flags":null,"select_flags":null,"storage_flags":null,"insert_flags":null}}`

const rules = "# comment\r\ngroups:\r\n  - name: example\r\n    rules:\r\n      - record: job:up:sum\r\n        expr: sum by (job) (up)\r\n\n\n"

func TestTheCatalogueHasWhatTerraformNeeds(t *testing.T) {
	c := newSite(t).admin()
	providers, regions, tiers := c.get("cloud_providers").list(), c.get("regions").list(), c.get("tiers").list()
	want := []map[string]any{{"id": "local", "url": ""}, {"id": "aws", "url": ""}}
	if !reflect.DeepEqual(providers, want) {
		t.Errorf("providers %v, want %v", providers, want)
	}
	want = []map[string]any{{"cloud_provider": "local", "name": "local"}, {"cloud_provider": "aws", "name": "local"}}
	if !reflect.DeepEqual(regions, want) {
		t.Errorf("regions %v, want %v", regions, want)
	}
	types, ids := map[any]bool{}, map[any]bool{}
	for _, tier := range tiers {
		types[tier["type"]] = true
		if ids[tier["id"]] || tier["id"].(float64) < 1 {
			t.Errorf("the tier number %v is 0 or there twice", tier["id"])
		}
		ids[tier["id"]] = true
		for _, field := range []string{"cloud_provider", "name", "compute_cost_per_hour", "ingestion_rate", "active_time_series", "new_series_over_24h",
			"datapoints_read_rate", "series_read_per_query", "access_token_concurrent_requests"} {
			if _, ok := tier[field]; !ok {
				t.Errorf("the tier %v has no %s", tier["name"], field)
			}
		}
	}
	if !types["single_node"] || !types["cluster"] {
		t.Errorf("not every type has a tier: %v", tiers)
	}
}

func TestADeploymentIsEchoedAsItWasSent(t *testing.T) {
	c := newSite(t).admin()
	created := c.post(createBody, "deployments").object()
	want := map[string]any{
		"name": "Single demo", "type": "single_node", "tier": 21.0, "cloud_provider": "aws", "region": "local",
		"retention_value": 6.0, "retention_unit": "m", "deduplication_value": 30.0, "deduplication_unit": "s", "storage_size_gb": 20.0,
		"maintenance_window": "Sat-Sun 3-4am", "price": map[string]any{"compute_cost": 0.0, "storage_cost": 0.0, "total_cost": 0.0},
		"access_endpoint": endpointURL, "version": "v1.151.0", "status": "PROVISIONING", "managed": true,
	}
	for field, value := range want {
		if !reflect.DeepEqual(created[field], value) {
			t.Errorf("%s is %v, want %v", field, created[field], value)
		}
	}
	if _, err := time.Parse(time.RFC3339, created["created_at"].(string)); err != nil {
		t.Error(err)
	}
	id := created["id"].(string)
	for _, spelled := range []string{id, strings.ToUpper(id)} {
		if read := c.get("deployments", spelled).object(); !reflect.DeepEqual(read, created) {
			t.Errorf("read %v, created %v", read, created)
		}
	}
	if again := c.put(updateBody, "deployments", id).object(); !reflect.DeepEqual(again, created) {
		t.Errorf("a PUT without changes gives %v, created %v", again, created)
	}
	list := c.get("deployments").list()
	if len(list) != 1 {
		t.Fatalf("the list has %d deployments", len(list))
	}
	for _, field := range []string{"id", "name", "type", "tier", "version", "cloud_provider", "region", "created_at", "status"} {
		if !reflect.DeepEqual(list[0][field], created[field]) {
			t.Errorf("the list has %s %v, created %v", field, list[0][field], created[field])
		}
	}
	c.del("deployments", id).ok()
	c.get("deployments", id).refused(404, "no deployment with this ID")
	c.del("deployments", id).refused(404, "no deployment with this ID")
	if got := c.get("deployments").ok().body; got != "[]" {
		t.Errorf("the empty list is %q", got)
	}
}

func TestATerabyteHas1024Gigabytes(t *testing.T) {
	c := newSite(t).admin()
	d := c.post(strings.Replace(createBody, `"storage_size":20,"storage_size_unit":"GB"`, `"storage_size":16,"storage_size_unit":"TB"`, 1), "deployments").object()
	if d["storage_size_gb"] != 16*1024.0 {
		t.Errorf("16 TB are %v GB", d["storage_size_gb"])
	}
}

func TestAnUpdateReplacesAllSettings(t *testing.T) {
	c := newSite(t).admin()
	id := c.post(createBody, "deployments").object()["id"].(string)
	changed := c.put(`{"name":"renamed","tier":22,"storage_size":1,"storage_size_unit":"TB","deduplication":0,"deduplication_unit":"ms","retention":90,`+
		`"retention_unit":"d","maintenance_window":"Mon-Fri 4-5am","flags":{"single_flags":["-search.maxQueueDuration=20s"],"select_flags":[],"storage_flags":null}}`,
		"deployments", id).object()
	want := map[string]any{
		"name": "renamed", "tier": 22.0, "storage_size_gb": 1024.0, "deduplication_value": 0.0, "deduplication_unit": "ms", "retention_value": 90.0,
		"retention_unit": "d", "maintenance_window": "Mon-Fri 4-5am", "vmsingle_settings": []any{"-search.maxQueueDuration=20s"},
		"type": "single_node", "cloud_provider": "aws", "region": "local",
	}
	for field, value := range want {
		if !reflect.DeepEqual(changed[field], value) {
			t.Errorf("%s is %v, want %v", field, changed[field], value)
		}
	}
	wiped := c.put(`{"name":"renamed","tier":22,"storage_size":1,"storage_size_unit":"TB","retention":90,"retention_unit":"d"}`, "deployments", id).object()
	if wiped["vmsingle_settings"] != nil || wiped["maintenance_window"] != "" {
		t.Errorf("what was left out is still there: %v", wiped)
	}
	c.put(updateBody, "deployments", id).refused(422, "storage can only grow")
}

func TestAccessTokensAsTerraformNeedsThem(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := c.post(createBody, "deployments").object()["id"].(string) // which is PROVISIONING: no engine runs in this test
	tokens := c.get("deployments", id, "access_tokens").list()
	if len(tokens) != 1 || tokens[0]["type"] != "rw" || tokens[0]["description"] != "default" || tokens[0]["tenant_id"] != nil {
		t.Fatalf("a new deployment has no default token: %v", tokens)
	}
	for _, access := range []string{"r", "w", "rw"} {
		created := c.post(fmt.Sprintf(`{"type":%q,"description":"Token %s"}`, access, access), "deployments", id, "access_tokens").object()
		value := created["value"].(string)
		if !strings.HasPrefix(value, "vmat_") || len(value) != 43 {
			t.Errorf("the secret is %q", value)
		}
		if created["last_used_at"] != "0001-01-01T00:00:00Z" {
			t.Errorf("last_used_at of a new token is %v", created["last_used_at"])
		}
		if created["type"] != access || created["description"] != "Token "+access || created["created_by"] != "API key admin" || created["tenant_id"] != nil {
			t.Errorf("created %v", created)
		}
		if revealed := c.get("deployments", id, "access_tokens", created["id"].(string)).object(); !reflect.DeepEqual(revealed, created) {
			t.Errorf("revealed %v, created %v", revealed, created)
		}
		for _, listed := range c.get("deployments", id, "access_tokens").list() {
			if listed["id"] == created["id"] && listed["value"] != value[5:9] {
				t.Errorf("the list shows %v of %s", listed["value"], value)
			}
			if len(listed["value"].(string)) != 4 {
				t.Errorf("the list shows %v", listed["value"])
			}
		}
		c.del("deployments", id, "access_tokens", created["id"].(string)).ok()
		c.get("deployments", id, "access_tokens", created["id"].(string)).refused(404, "no access token with this ID")
		c.del("deployments", id, "access_tokens", created["id"].(string)).refused(404, "no access token with this ID")
	}
}

func TestTenantsAreEchoedAsTheyWereSent(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	cluster, single := s.addCluster("cluster").ID, s.addDeployment("single").ID
	body := func(tenant string) string {
		text, _ := json.Marshal(map[string]string{"type": "r", "description": "for " + tenant + ".", "tenant_id": tenant})
		return string(text)
	}
	for _, tenant := range []string{"5", "5:7", "0", "7:0", "007", "5 ", "5:7 ", "4294967295:4294967295"} {
		created := c.post(body(tenant), "deployments", cluster, "access_tokens").object()
		if created["tenant_id"] != tenant {
			t.Errorf("%q is echoed as %v", tenant, created["tenant_id"])
		}
		if revealed := c.get("deployments", cluster, "access_tokens", created["id"].(string)).object(); !reflect.DeepEqual(revealed, created) {
			t.Errorf("revealed %v, created %v", revealed, created)
		}
	}
	for _, tenant := range []string{"multitenant", "abc", "5:", ":5", "-1", "5:7  ", " ", " 5", "5: 7", "4294967296", "1:2:3", "5\t"} {
		c.post(body(tenant), "deployments", cluster, "access_tokens").refused(422, "tenant_id: ")
	}
	c.post(body("5"), "deployments", single, "access_tokens").refused(422, "tenant_id: a single-node deployment has no tenants")
	if created := c.post(body(""), "deployments", cluster, "access_tokens").object(); created["tenant_id"] != nil {
		t.Errorf("no tenant is echoed as %v", created["tenant_id"])
	}
}

func TestRuleFilesComeBackByteForByte(t *testing.T) {
	c := newSite(t).admin()
	id := c.post(createBody, "deployments").object()["id"].(string)
	if got := c.get("deployments", id, "rule-sets", "files").ok().body; got != "[]" {
		t.Errorf("the empty list is %q", got)
	}
	path := []string{"deployments", id, "rule-sets", "files"}
	for _, content := range []string{rules, strings.ReplaceAll(rules, "example", "changed")} {
		if made := c.post(content, append(path, "my-rules")...).ok(); made.body != "" {
			t.Errorf("the upload answers %q", made.body)
		}
		if got := c.get(append(path, "my-rules")...); got.status != 200 || got.body != content {
			t.Errorf("status %d, %q, want %q", got.status, got.body, content)
		}
	}
	var names []string
	if c.get(path...).into(&names); !reflect.DeepEqual(names, []string{"my-rules"}) {
		t.Errorf("the names are %q", names)
	}
	c.post("groups:\n  - name: [\n", append(path, "bad.yml")...).refused(422, "line")
	c.get(append(path, "bad.yml")...).refused(404, "no rule file")
	c.put(rules, append(path, "my-rules")...).refused(405, "POST")
	c.del(append(path, "my-rules")...).ok()
	c.get(append(path, "my-rules")...).refused(404, "no rule file")
	c.del(append(path, "my-rules")...).refused(404, "no rule file")
}

// The documented cURL command says that a rule file is a form.
func TestRuleFilesAreNeverReadAsForms(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	content := "groups: # a=b&c=%zz;+\n  - name: example\n    rules: [{record: a, expr: up}]\n"
	req := newRequest(t, "POST", s.url+"/api/v1/deployments/"+id+"/rule-sets/files/rules.yml", content)
	req.Header.Set("X-VM-Cloud-Access", c.key)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.do(req).ok()
	if got := c.get("deployments", id, "rule-sets", "files", "rules.yml"); got.body != content {
		t.Errorf("the file is %q", got.body)
	}
}

// The client does not escape names but cleans paths: file names and token IDs climb.
func TestClimbingPathsDoNothingElse(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	c.post(rules, "deployments", id, "rule-sets", "files", "../..").refused(405, "GET, HEAD, PUT, DELETE") // POST /deployments/{id}
	c.post(rules, "deployments", id, "rule-sets", "files", "..").refused(404, "no such path")              // POST …/rule-sets
	c.post(rules, "deployments", id, "rule-sets", "files", "a/b").refused(404, "no such path")
	c.post(rules, "deployments", id, "rule-sets", "files", "a%2Fb").refused(422, "file name")
	for _, path := range []string{"../../stop", "../../start"} { // which take no file for a wish
		c.post(rules, "deployments", id, "rule-sets", "files", path).refused(422, "not a JSON object")
		c.post("", "deployments", id, "rule-sets", "files", path).refused(422, "the body is empty")
	}
	if d := c.get("deployments", id).object(); d["stopped_by"] != nil {
		t.Errorf("a file has stopped the deployment: %v", d)
	}
}
