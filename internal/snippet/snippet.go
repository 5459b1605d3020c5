// Package snippet writes client configuration examples: what a person pastes into a terminal or a file to use an access token; and
// the guides that lead through connecting a client with them.
//
// An example works as it is pasted. It never puts a secret on a command line, where every user of the machine could read it. See
// docs/adr/0003-secrets-in-examples.md.
package snippet

import (
	"embed"
	"fmt"
	"strings"
	"text/template"

	"gatehouse/internal/gatehouse"
)

// Tab is where the console shows an example.
type Tab string

const (
	WriteTab Tab = "write"
	ReadTab  Tab = "read"
)

// Input is what an example is made for.
type Input struct {
	EndpointURL    string // the access endpoint, as clients reach it
	Type           gatehouse.DeploymentType
	Access         gatehouse.Access
	Tenant         *gatehouse.Tenant // nil: any tenant
	DeploymentName string
	TokenName      string
	Secret         string // the secret to copy, or its mask to show
}

// Example is one client's configuration.
type Example struct {
	ID       string
	Title    string
	Tab      Tab
	More     bool   // stands behind "More clients"
	Intro    string // one or a few sentences; never holds the secret
	Language string // of Code: "sh", "yaml", "toml" or "text"
	Code     string // ends in a newline
}

// catalog is every example, in the order of the screen. The text of each is templates/<ID>.tmpl, with the blocks intro and code.
var catalog = []Example{
	{ID: "vmagent", Title: "vmagent", Tab: WriteTab, Language: "sh"},
	{ID: "prometheus", Title: "Prometheus", Tab: WriteTab, Language: "yaml"},
	{ID: "curl-write", Title: "cURL", Tab: WriteTab, Language: "sh"},
	{ID: "kubernetes", Title: "Kubernetes", Tab: WriteTab, More: true, Language: "yaml"},
	{ID: "opentelemetry", Title: "OpenTelemetry Collector", Tab: WriteTab, More: true, Language: "yaml"},
	{ID: "telegraf", Title: "Telegraf", Tab: WriteTab, More: true, Language: "toml"},
	{ID: "vector", Title: "Vector", Tab: WriteTab, More: true, Language: "yaml"},
	{ID: "datadog", Title: "Datadog agent", Tab: WriteTab, More: true, Language: "yaml"},
	{ID: "influx", Title: "InfluxDB line protocol", Tab: WriteTab, More: true, Language: "sh"},
	{ID: "grafana", Title: "Grafana", Tab: ReadTab, Language: "text"},
	{ID: "grafana-provisioning", Title: "Grafana provisioning", Tab: ReadTab, Language: "yaml"},
	{ID: "curl-read", Title: "cURL", Tab: ReadTab, Language: "sh"},
	{ID: "vmalert", Title: "vmalert", Tab: ReadTab, More: true, Language: "sh"},
	{ID: "perses", Title: "Perses", Tab: ReadTab, More: true, Language: "yaml"},
	{ID: "vmui", Title: "vmui", Tab: ReadTab, More: true, Language: "text"},
}

//go:embed templates
var files embed.FS

var templates = parseTemplates()

func parseTemplates() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, e := range catalog {
		t := template.New(e.ID).Funcs(template.FuncMap{"sh": shellQuote, "quote": quote, "doubled": doubled, "coded": coded})
		all[e.ID] = template.Must(t.ParseFS(files, "templates/"+e.ID+".tmpl"))
	}
	return all
}

// Examples gives the examples of the tabs that the token may use, in the order of the screen.
func Examples(in Input) []Example {
	t := newTarget(in)
	var out []Example
	for _, e := range catalog {
		if allows(in.Access, e.Tab) {
			out = append(out, t.fill(e))
		}
	}
	return out
}

// Find gives one of Examples by its ID.
func Find(in Input, id string) (Example, bool) {
	for _, e := range catalog {
		if e.ID == id && allows(in.Access, e.Tab) {
			return newTarget(in).fill(e), true
		}
	}
	return Example{}, false
}

func allows(a gatehouse.Access, tab Tab) bool {
	if tab == WriteTab {
		return a.CanWrite()
	}
	return a.CanRead()
}

const anyTenantNote = " This token may use any tenant: replace the 0 after /insert/ or /select/ by yours."

func (t target) fill(e Example) Example {
	e.Intro = strings.Join(strings.Fields(t.block(e.ID, "intro")), " ")
	if t.anyTenant() {
		e.Intro += anyTenantNote
	}
	e.Code = strings.TrimSpace(t.block(e.ID, "code")) + "\n"
	return e
}

func (t target) block(id, name string) string { return execute(templates[id], name, t) }

func execute(tmpl *template.Template, block string, t target) string {
	var b strings.Builder
	if err := tmpl.ExecuteTemplate(&b, block, t); err != nil {
		panic(fmt.Sprintf("template %s: %v", tmpl.Name(), err)) // only a faulty template fails; the tests run each of them
	}
	return b.String()
}
