package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openapi"
)

// world has one of everything that paths can name.
type world struct {
	*site
	client
	parts map[string]string // by the name of a path's part
}

func newWorld(t *testing.T) world {
	t.Helper()
	s := newSite(t)
	w := world{s, s.admin(), map[string]string{"name": "rules.yml"}}
	d := s.addDeployment("first")
	w.parts["id"] = d.ID
	tokens, _, err := s.control.Tokens(t.Context(), system, gatehouse.TokenQuery{DeploymentID: d.ID})
	if err != nil {
		t.Fatal(err)
	}
	w.parts["tid"] = tokens[0].ID
	if err := s.control.PutRuleFile(t.Context(), system, d.ID, "rules.yml", []byte(rules)); err != nil {
		t.Fatal(err)
	}
	k, _, err := s.control.CreateAPIKey(t.Context(), system, gatehouse.NewAPIKey{Name: "another"})
	if err != nil {
		t.Fatal(err)
	}
	w.parts["key"] = k.ID
	u, _, err := s.control.InviteUser(t.Context(), system, "somebody@example.com", gatehouse.Viewer)
	if err != nil {
		t.Fatal(err)
	}
	w.parts["user"] = u.ID
	deleted := s.addDeployment("deleted")
	if err := s.control.DeleteDeployment(t.Context(), system, deleted.ID); err != nil {
		t.Fatal(err)
	}
	w.parts["deleted"] = deleted.ID
	return w
}

var inBraces = regexp.MustCompile(`\{(\w+)\}`)

// call sends a request to an operation, about the things of this world.
func (w world) call(o *openapi.Operation, body string) answer {
	w.site.Helper()
	path := inBraces.ReplaceAllStringFunc(o.Path, func(part string) string { return w.parts[strings.Trim(part, "{}")] })
	for _, p := range o.Parameters {
		if p.In == "query" && p.Required {
			path += "?" + p.Name + "=" + p.Schema.Enum[0]
		}
	}
	return w.with(http.Header{"X-Vm-Cloud-Access": {w.client.key}}, o.Method, path, body)
}

// example is the request of the documentation.
func example(t *testing.T, o *openapi.Operation) string {
	t.Helper()
	if o.RequestBody == nil {
		return ""
	}
	for _, media := range o.RequestBody.Content {
		if text, isText := media.Example.(string); isText {
			return text
		}
		body, err := json.Marshal(media.Example)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	return ""
}

func TestEveryExampleOfTheDocumentWorks(t *testing.T) {
	for _, o := range newSite(t).document.Operations {
		t.Run(o.ID, func(t *testing.T) {
			w := newWorld(t)
			got := w.call(o, example(t, o))
			if got.status != 200 && got.status != 204 {
				t.Fatalf("status %d: %s", got.status, got.body)
			}
			response := o.Responses[fmt.Sprint(got.status)]
			if response == nil {
				t.Fatalf("the document does not know the status %d", got.status)
			}
			media := response.Content[got.header.Get("Content-Type")]
			switch {
			case got.status == 204:
				if got.body != "" {
					t.Errorf("the answer is not empty: %s", got.body)
				}
			case media == nil:
				t.Errorf("the document does not know the type %q", got.header.Get("Content-Type"))
			case got.header.Get("Content-Type") == "application/json" && !strings.HasSuffix(o.Path, "openapi.json"):
				var value any
				got.into(&value)
				for _, bad := range mismatches(&w.document, media.Schema, value, "answer") {
					t.Error(bad)
				}
				var documented any
				text, err := json.Marshal(media.Example)
				if err == nil {
					err = json.Unmarshal(text, &documented)
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, bad := range mismatches(&w.document, media.Schema, documented, "example") {
					t.Error(bad)
				}
			}
		})
	}
}

func TestTheDocumentIsWhole(t *testing.T) {
	s := newSite(t)
	got := s.client("").get("openapi.json").ok() // without a key
	var served map[string]any
	got.into(&served)
	if served["openapi"] != "3.1.0" || served["info"].(map[string]any)["version"] != "v0.0.0-test" {
		t.Errorf("the document begins with %v %v", served["openapi"], served["info"])
	}
	d, ids := s.document, map[string]bool{}
	for _, o := range d.Operations {
		if ids[o.ID] || o.Summary == "" || len(o.Tags) != 1 {
			t.Errorf("%s has no ID of its own, no summary or no group", o.ID)
		}
		ids[o.ID] = true
		declared := map[string]bool{}
		for _, p := range o.Parameters {
			declared[p.Name] = true
			if p.Description == "" {
				t.Errorf("%s: nothing says what %s is", o.ID, p.Name)
			}
		}
		for _, m := range inBraces.FindAllStringSubmatch(o.Path, -1) {
			if !declared[m[1]] {
				t.Errorf("%s: the parameter %s is not declared", o.ID, m[1])
			}
		}
	}
	for name, schema := range d.Components.Schemas {
		for field, f := range schema.Properties {
			if f.Description == "" {
				t.Errorf("nothing says what %s of %s is", field, name)
			}
		}
	}
	text := got.body
	for _, ref := range regexp.MustCompile(`"\$ref":"#/components/schemas/(\w+)"`).FindAllStringSubmatch(text, -1) {
		if d.Components.Schemas[ref[1]] == nil {
			t.Errorf("the document refers to %s, which it does not have", ref[1])
		}
	}
	if strings.Contains(text, "null:null") || strings.Contains(text, "vmak_"+strings.Repeat("x", 3)) {
		t.Error("the document holds what it should not")
	}
}

// mismatches tells where a value is not as the schema says.
func mismatches(d *openapi.Document, s *openapi.Schema, value any, at string) []string {
	s = d.Resolve(s)
	if s.AnyOf != nil {
		var bad []string
		for _, one := range s.AnyOf {
			if bad = mismatches(d, one, value, at); bad == nil {
				return nil
			}
		}
		return bad
	}
	if !slices.Contains(typesOf(s), jsonType(value)) {
		return []string{fmt.Sprintf("%s is %T, want %v", at, value, s.Type)}
	}
	var bad []string
	switch v := value.(type) {
	case string:
		if s.Enum != nil && !slices.Contains(s.Enum, v) {
			bad = append(bad, fmt.Sprintf("%s is %q, want one of %q", at, v, s.Enum))
		}
	case []any:
		for i, one := range v {
			bad = append(bad, mismatches(d, s.Items, one, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				bad = append(bad, fmt.Sprintf("%s has no %s", at, name))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			inner := s.Properties[name]
			if inner == nil {
				inner = s.AdditionalProperties
			}
			if inner == nil {
				bad = append(bad, fmt.Sprintf("%s has a %s that the schema does not know", at, name))
				continue
			}
			bad = append(bad, mismatches(d, inner, v[name], at+"."+name)...)
		}
	}
	return bad
}

func typesOf(s *openapi.Schema) []string {
	if names, several := s.Type.([]string); several {
		return names
	}
	name := s.Type.(string)
	if name == "integer" {
		return []string{"number"}
	}
	return []string{name}
}

func jsonType(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}
