package api

import (
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"gatehouse/internal/openapi"
)

const about = `Manages Gatehouse. It is the API of VictoriaMetrics Cloud, so that its Go client and its Terraform provider work with only the base URL and the key changed, and more.

Each request carries an API key in the header X-VM-Cloud-Access. Admins make API keys on the page API keys, or with: gatehouse apikey create.

Bodies are JSON, whatever their Content-Type. Unknown fields are refused; null is the same as leaving a field out. A POST with nothing to say takes {}. Lists are bare arrays. An answer that is not 2xx holds {"error": "one short line"}.`

// openapiDocument stands for the answer of the endpoint that gives the document: any object.
type openapiDocument = map[string]string

// parameters says what the parts of paths are.
var parameters = map[string]string{
	"id":      "UUID of the deployment.",
	"tid":     "UUID of the access token.",
	"deleted": "UUID of the deleted deployment.",
	"name":    "Name of the rule file: 1 to 100 characters without spaces and without / \\ ? # %.",
	"key":     "UUID of the API key.",
	"user":    "UUID or email address of the user.",
}

const keyScheme = "api_key"

// describe makes the OpenAPI document of the routes.
func describe(routes []route, version string) openapi.Document {
	d := openapi.Document{
		OpenAPI: "3.1.0",
		Info:    openapi.Info{Title: "Gatehouse management API", Description: about, Version: version},
		Servers: []openapi.Server{{URL: "/"}}, // relative to the document, wherever Gatehouse is
	}
	d.Security = []map[string][]string{{keyScheme: {}}}
	d.Components.SecuritySchemes = map[string]*openapi.SecurityScheme{
		keyScheme: {Type: "apiKey", In: "header", Name: KeyHeader, Description: "An API key (vmak_…), which an admin makes."},
	}
	for _, r := range routes {
		if n := len(d.Tags); n == 0 || d.Tags[n-1].Name != r.group {
			d.Tags = append(d.Tags, openapi.Tag{Name: r.group})
		}
		d.Add(operation(&d, r))
	}
	return d
}

func operation(d *openapi.Document, r route) *openapi.Operation {
	o := &openapi.Operation{
		ID: operationID(r), Tags: []string{r.group}, Summary: r.summary, Description: r.about, Method: r.method, Path: r.path,
		Parameters: pathParameters(r.path), Responses: map[string]*openapi.Response{},
	}
	switch {
	case r.inMedia != "":
		o.RequestBody = &openapi.RequestBody{Required: true, Content: map[string]*openapi.Media{r.inMedia: {Example: ruleExample}}}
	case r.hasQuery():
		o.Parameters = append(o.Parameters, queryParameters(r.in)...)
	case r.in != nil:
		o.RequestBody = &openapi.RequestBody{Required: true, Content: map[string]*openapi.Media{
			jsonMedia: {Schema: d.Request(r.in), Example: openapi.Example(r.in, true)},
		}}
	case r.takesJSON():
		o.RequestBody = &openapi.RequestBody{Required: true, Content: map[string]*openapi.Media{
			jsonMedia: {Schema: &openapi.Schema{Type: "object", Description: "An object without fields."}, Example: openapi.Object{}},
		}}
	}
	switch {
	case r.outMedia != nil:
		ok := &openapi.Response{Description: "Done.", Content: map[string]*openapi.Media{}}
		for _, media := range r.outMedia {
			ok.Content[media] = &openapi.Media{Schema: &openapi.Schema{Type: "string"}}
		}
		o.Responses["200"] = ok
	case r.out != nil:
		media := &openapi.Media{Schema: d.Answer(r.out)}
		if r.public == nil {
			media.Example = openapi.Example(r.out, false)
		}
		o.Responses["200"] = &openapi.Response{Description: "Done.", Content: map[string]*openapi.Media{jsonMedia: media}}
	default:
		o.Responses["204"] = &openapi.Response{Description: "Done."}
	}
	if r.public != nil {
		o.Security = []map[string][]string{{}}
		return o
	}
	failure := d.Answer(reflect.TypeFor[problem]())
	for status, why := range failures(r) {
		o.Responses[status] = &openapi.Response{Description: why, Content: map[string]*openapi.Media{jsonMedia: {Schema: failure}}}
	}
	o.Responses["429"].Headers = map[string]*openapi.Header{"Retry-After": {Description: "Seconds to wait.", Schema: &openapi.Schema{Type: "integer"}}}
	return o
}

// failures says which statuses a route answers with when it fails.
func failures(r route) map[string]string {
	all := map[string]string{
		"401":     "The API key is missing, unknown, expired or revoked.",
		"403":     "The API key may not do this: it is read-only, or for other deployments.",
		"429":     "Too many requests with this API key, or too many wrong keys from this address.",
		"default": "Something failed.",
	}
	if strings.Contains(r.path, "{") {
		all["404"] = "There is no such object."
	}
	if r.hasQuery() || r.takesJSON() || r.inMedia != "" {
		all["422"] = "The input is not valid; the error names the field."
	}
	if r.takesJSON() || r.inMedia != "" {
		all["413"] = "The body is too large."
	}
	return all
}

const ruleExample = "groups:\n  - name: example\n    rules:\n      - record: job:up:sum\n        expr: sum by (job) (up)\n"

var inBraces = regexp.MustCompile(`\{(\w+)\}`)

func pathParameters(path string) []openapi.Parameter {
	var all []openapi.Parameter
	for _, m := range inBraces.FindAllStringSubmatch(path, -1) {
		all = append(all, openapi.Parameter{
			Name: m[1], In: "path", Required: true, Description: parameters[m[1]], Schema: &openapi.Schema{Type: "string"},
		})
	}
	return all
}

func queryParameters(t reflect.Type) []openapi.Parameter {
	var all []openapi.Parameter
	for _, f := range openapi.Fields(t, "query") {
		all = append(all, openapi.Parameter{Name: f.Name, In: "query", Required: f.Required(), Description: f.Doc(), Schema: f.ParameterSchema()})
	}
	return all
}

var notLetters = regexp.MustCompile(`[^a-zA-Z]+`)

// operationID is a name that generated clients can use, such as getDeploymentsIdAccessTokens.
func operationID(r route) string {
	words := notLetters.Split(strings.TrimPrefix(r.path, Prefix), -1)
	id := strings.ToLower(r.method)
	for _, word := range words {
		if word != "" {
			id += strings.ToUpper(word[:1]) + word[1:]
		}
	}
	return id
}

func (a *api) openapi(w http.ResponseWriter, r *http.Request) error { return writeJSON(w, a.document) }
