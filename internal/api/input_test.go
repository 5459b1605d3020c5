package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openapi"
)

// TestEveryFieldOfEveryEndpointRefusesNonsense breaks the document's own examples, one field at a time.
func TestEveryFieldOfEveryEndpointRefusesNonsense(t *testing.T) {
	w := newWorld(t)
	before := w.everything()
	for _, o := range w.document.Operations {
		if o.RequestBody == nil || o.RequestBody.Content["application/json"] == nil {
			continue
		}
		body := example(t, o)
		schema := w.document.Resolve(o.RequestBody.Content["application/json"].Schema)
		for _, name := range schema.Order {
			field := schema.Properties[name]
			for _, bad := range nonsense(&w.document, field) {
				w.refuses(o, replaced(t, body, name, bad), name)
			}
			if slices.Contains(schema.Required, name) {
				w.refuses(o, replaced(t, body, name, ""), name+" missing")
				w.refuses(o, replaced(t, body, name, "null"), name+" null")
			}
		}
		for _, bad := range []string{"", "null", "[]", "7", `"x"`, "{", body + body, `{"unknown":1}`, body[:len(body)-1] + `,"name\u0000":1}`, "\xff" + body} {
			w.refuses(o, bad, "the body "+bad)
		}
	}
	if after := w.everything(); after != before {
		t.Errorf("something was changed:\n%s\nbefore:\n%s", after, before)
	}
	if log := w.log.String(); log != "" {
		t.Errorf("the log says: %s", log)
	}
}

// refuses sees to it that the operation answers with one line for the client's fault.
func (w world) refuses(o *openapi.Operation, body, what string) {
	w.site.Helper()
	if got := w.call(o, body); got.status != http.StatusUnprocessableEntity {
		w.site.Errorf("%s with %.60s: status %d: %s", o.ID, what, got.status, got.body)
	} else {
		got.refused(http.StatusUnprocessableEntity, "")
	}
}

// nonsense gives values that the field must refuse.
func nonsense(d *openapi.Document, field *openapi.Schema) []string {
	wrong := map[string]string{
		"string": `"x"`, "number": "7", "boolean": "true", "array": `["x"]`, "object": `{"x":1}`,
	}
	kind := field
	if field.AnyOf != nil {
		kind = d.Resolve(field.AnyOf[0])
	}
	var all []string
	for _, name := range typesOf(kind) {
		delete(wrong, name)
	}
	for _, value := range wrong {
		all = append(all, value)
	}
	long := fmt.Sprintf("%q", strings.Repeat("x", 3000))
	switch typesOf(kind)[0] {
	case "string":
		all = append(all, long, `"a\u0000b"`, `"\ud800"`)
		if field.Enum != nil {
			all = append(all, `"nonsense"`, fmt.Sprintf("%q", field.Enum[0]+" "), fmt.Sprintf("%q", strings.ToUpper(field.Enum[0])+"x"))
		}
	case "number":
		all = append(all, "-1", "10.5", "1e999", "1e3", "18446744073709551615", "18446744073709551596", "99999999999999999999999", `"7"`)
	case "array":
		all = append(all, "[7]", "[["+long+"]]", "["+long+"]", "[null]")
	case "object":
		all = append(all, "[]", `{"unknown":"x"}`)
		for _, name := range kind.Order {
			all = append(all, fmt.Sprintf(`{%q:7}`, name))
		}
	}
	return all
}

// replaced gives the body with another value for a field, or without it.
func replaced(t *testing.T, body, name, value string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, name)
	rest, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if value == "" {
		return string(rest)
	}
	if len(fields) == 0 {
		return fmt.Sprintf("{%q:%s}", name, value)
	}
	return fmt.Sprintf("{%q:%s,%s", name, value, rest[1:])
}

// everything is what the database holds, but for the audit log and the last use of keys.
func (w world) everything() string {
	w.site.Helper()
	var all bytes.Buffer
	for _, path := range [][]string{
		{"deployments"}, {"deployments", w.parts["id"]}, {"deployments", w.parts["id"], "access_tokens"}, {"deployments", w.parts["id"], "rule-sets", "files"}, {"users"},
	} {
		all.WriteString(w.get(path...).ok().body)
	}
	keys, err := w.control.APIKeys(w.site.Context(), system)
	if err != nil {
		w.site.Fatal(err)
	}
	for _, k := range keys {
		fmt.Fprintln(&all, k.ID, k.Name)
	}
	return all.String()
}

func TestAbsurdNumbersOfTheTerraformProviderAreRefused(t *testing.T) {
	c := newSite(t).admin()
	f := func(old, new, want string) {
		t.Helper()
		c.post(strings.Replace(createBody, old, new, 1), "deployments").refused(422, want)
	}
	const storage, dedup, retention = `"storage_size":20,"storage_size_unit":"GB"`, `"deduplication":30,"deduplication_unit":"s"`, `"retention":6,"retention_unit":"m"`
	f(storage, `"storage_size":18446744073709551596,"storage_size_unit":"GB"`, "the storage is out of range") // -20
	f(storage, `"storage_size":18446744073709551596,"storage_size_unit":"TB"`, "the storage is out of range")
	f(storage, `"storage_size":18014398509481985,"storage_size_unit":"TB"`, "the storage is out of range") // wraps round to 1 TB
	f(storage, `"storage_size":17,"storage_size_unit":"TB"`, "the storage is out of range")
	f(storage, `"storage_size":9,"storage_size_unit":"GB"`, "the storage is out of range")
	f(storage, `"storage_size":20`, "choose GB or TB")
	f(storage, `"storage_size":20,"storage_size_unit":"PB"`, "choose GB or TB")
	f(dedup, `"deduplication":4294967295,"deduplication_unit":"s"`, "the deduplication interval is out of range") // -1
	f(dedup, `"deduplication":30,"deduplication_unit":"m"`, "the unit of deduplication")
	f(retention, `"retention":0,"retention_unit":"m"`, "the retention is out of range")
	f(retention, `"retention":4294967295,"retention_unit":"d"`, "the retention is out of range")
	f(retention, `"retention":6,"retention_unit":"y"`, "the retention is out of range")
	f(`"tier":21`, `"tier":0`, `the field "tier" is missing`)
	f(`"tier":21`, `"tier":4711`, "there is no tier with the number 4711")
	f(`"tier":21`, `"tier":4294967317`, `the field "tier" must be a whole number`) // the provider makes 21 of it
	f(`"tier":21`, `"tier":11`, "is unknown; choose one of s.starter.a")           // of a cluster
	f(`"provider":"aws"`, `"provider":"gcp"`, "the provider")
	f(`"region":"local"`, `"region":"eu-west-1"`, "the region")
	f(`"type":"single_node"`, `"type":"cluster"`, "is unknown; choose one of cluster-medium") // 21 is of a single node
	f(`"type":"single_node",`, ``, `the field "type" is missing or empty; send one of single_node, cluster`)
	f(`"Sat-Sun 3-4am"`, `"sat-sun 3-4am"`, "the maintenance window")
	if list := c.get("deployments").list(); len(list) != 0 {
		t.Errorf("there are deployments: %v", list)
	}
}

func TestNamesThatAreTakenAreBadInput(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("Single demo").ID
	c.post(createBody, "deployments").refused(422, "a deployment with this name exists already")
	c.post(`{"type":"r","description":"default"}`, "deployments", id, "access_tokens").refused(422, "description: ")
	c.post(`{"name":"admin","permissions":"r","expires":"never"}`, "api_keys").refused(422, "an API key with this name exists already")
	c.post(`{"tokens":[{"type":"r","description":"a"},{"type":"r","description":"a"}]}`, "deployments", id, "access_tokens", "batch").refused(422, "a")
	c.post(`{"tokens":[{"type":"r","description":"a"},{"type":"x","description":"b"}]}`, "deployments", id, "access_tokens", "batch").refused(422, "token 2")
	c.post(`{"tokens":[]}`, "deployments", id, "access_tokens", "batch").refused(422, "1 to 1000")
	if tokens := c.get("deployments", id, "access_tokens").list(); len(tokens) != 1 {
		t.Errorf("a batch was half done: %v", tokens)
	}
}

func TestWhatIsWrongIsNamedAsTheSenderKnowsIt(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addCluster("cluster").ID
	single := s.addDeployment("single").ID
	c.post(strings.Replace(createBody, `"storage_size":20`, `"storage_size":9`, 1), "deployments").refused(422, "storage_size: ")
	c.post(`{"name":"x","type":"single_node","urls":["ftp://x"]}`, "deployments", "connect").refused(422, "urls: ")
	c.post(`{"name":"x","type":"cluster","insert_urls":["http://a"],"select_urls":["x"]}`, "deployments", "connect").refused(422, "select_urls: ")
	c.post(`{"name":"x","type":"single_node","urls":["http://a"],"upstream":{"username":"u","password":"p","bearer":"b"}}`, "deployments", "connect").
		refused(422, "upstream.bearer: ")
	c.post(`{"type":"r","description":"x","tenant_id":"x"}`, "deployments", id, "access_tokens").refused(422, "tenant_id: ")
	c.post(`{"description":"x"}`, "deployments", id, "access_tokens").refused(422, `the field "type" is missing or empty; send one of r, w, rw`)
	c.post(`{"type":"r"}`, "deployments", id, "access_tokens").refused(422, `the field "description" is missing`)
	c.post(`{"name":"k","permissions":"x","expires":"never"}`, "api_keys").refused(422, "permissions")
	c.put(`{"notifier_url":"x"}`, "deployments", single, "notifier").refused(422, "notifier_url: ")
	c.query("deployments/"+single+"/logs", "log=x").refused(422, `log "x" is unknown`)
	c.query("deployments/"+single+"/logs", "lines=2001").refused(422, "1 to 2000")
}

func TestParametersThatNobodyReadsAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, o := range w.document.Operations {
		parts := w.parts
		if !strings.Contains(o.Path, "?") && !slices.ContainsFunc(o.Parameters, func(p openapi.Parameter) bool { return p.In == "query" }) {
			path := inBraces.ReplaceAllStringFunc(o.Path, func(part string) string { return parts[strings.Trim(part, "{}")] })
			w.with(http.Header{"X-Vm-Cloud-Access": {w.client.key}}, o.Method, path+"?dry_run=true", example(t, o)).refused(422, "takes no parameters")
		}
	}
	w.query("audit", "actr=ada").refused(422, "it knows from, to, actor")
}

func TestIDsOfNothingAre404Everywhere(t *testing.T) {
	w := newWorld(t)
	for _, o := range w.document.Operations {
		for _, m := range inBraces.FindAllStringSubmatch(o.Path, -1) {
			for _, wrong := range []string{"ffffffff-ffff-4fff-bfff-ffffffffffff", "nonsense", strings.Repeat("x", 3000), "%00", "%ff", "..%2f..", "a%20b"} {
				if m[1] == "name" && o.Method == http.MethodPost {
					continue // it makes the file
				}
				parts := w.parts
				w.parts = map[string]string{m[1]: wrong}
				for name, value := range parts {
					if name != m[1] {
						w.parts[name] = value
					}
				}
				got := w.call(o, example(t, o))
				w.parts = parts
				if got.status != http.StatusNotFound {
					t.Errorf("%s with %s %.40q: status %d: %s", o.ID, m[1], wrong, got.status, got.body)
				}
			}
		}
	}
	if log := w.log.String(); log != "" {
		t.Errorf("the log says: %s", log)
	}
}

func TestRuleFileNamesAreChecked(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	for _, name := range []string{strings.Repeat("x", gatehouse.MaxNameLength+1), "%00", "%ff", "a%20b", "a%5Cb", "a%3Fb", "%23", "%25"} {
		c.with(http.Header{"X-Vm-Cloud-Access": {c.key}}, "POST", "/api/v1/deployments/"+id+"/rule-sets/files/"+name, rules).refused(422, "the file name is not valid")
	}
}
