package snippet

import (
	"slices"
	"strings"
	"text/template"

	"gatehouse/internal/gatehouse"
)

// Guide leads through connecting one client: what to configure, how to start it, what to expect, and what to do when it does not
// work. In its texts, what stands in back quotes is code. They never hold the secret.
type Guide struct {
	ID      string
	Title   string
	Tab     Tab              // the group in which the gallery has it
	Needs   gatehouse.Access // the least that a token needs for all of it
	Summary string           // one sentence

	// The rest is empty in Guides.
	Examples []Example // what to configure, in this order; only what the token may do
	Start    []string  // paragraphs, as all below
	Expect   []string
	Trouble  []string
}

// guide is a Guide before it is filled. Its texts are templates/guide/<id>.tmpl, with the blocks summary, start, expect and trouble.
type guide struct {
	id, title string
	tab       Tab
	needs     gatehouse.Access
	examples  []string // IDs in catalog
}

var guides = []guide{
	{"vmagent", "vmagent", WriteTab, gatehouse.Write, []string{"vmagent"}},
	{"prometheus", "Prometheus", WriteTab, gatehouse.Write, []string{"prometheus"}},
	{"kubernetes", "Kubernetes", WriteTab, gatehouse.Write, []string{"kubernetes"}},
	{"opentelemetry", "OpenTelemetry Collector", WriteTab, gatehouse.Write, []string{"opentelemetry"}},
	{"telegraf", "Telegraf", WriteTab, gatehouse.Write, []string{"telegraf"}},
	{"vector", "Vector", WriteTab, gatehouse.Write, []string{"vector"}},
	{"datadog", "Datadog agent", WriteTab, gatehouse.Write, []string{"datadog"}},
	{"influx", "InfluxDB line protocol", WriteTab, gatehouse.Write, []string{"influx"}},
	{"curl", "cURL", WriteTab, gatehouse.ReadWrite, []string{"curl-write", "curl-read"}},
	{"grafana", "Grafana", ReadTab, gatehouse.Read, []string{"grafana", "grafana-provisioning"}},
	{"perses", "Perses", ReadTab, gatehouse.Read, []string{"perses"}},
	{"vmalert", "vmalert", ReadTab, gatehouse.ReadWrite, []string{"vmalert"}},
	{"vmui", "vmui", ReadTab, gatehouse.Read, []string{"vmui"}},
}

var guideTemplates = parseGuides()

func parseGuides() map[string]*template.Template {
	all := map[string]*template.Template{}
	for _, g := range guides {
		all[g.id] = template.Must(template.ParseFS(files, "templates/guide/"+g.id+".tmpl"))
	}
	return all
}

// Guides lists all guides in the order of the gallery.
func Guides() []Guide {
	var all []Guide
	for _, g := range guides {
		all = append(all, Guide{ID: g.id, Title: g.title, Tab: g.tab, Needs: g.needs, Summary: g.paragraphs("summary", target{})[0]})
	}
	return all
}

// GuideAccess gives the access level that all of a guide needs, and those with which a token can follow at least a part of it. There
// are none when there is no such guide.
func GuideAccess(id string) (needs gatehouse.Access, fitting []gatehouse.Access) {
	i := slices.IndexFunc(guides, func(g guide) bool { return g.id == id })
	if i < 0 {
		return "", nil
	}
	for _, a := range []gatehouse.Access{gatehouse.Read, gatehouse.Write, gatehouse.ReadWrite} {
		if slices.ContainsFunc(guides[i].examples, func(id string) bool { return allows(a, exampleTab(id)) }) {
			fitting = append(fitting, a)
		}
	}
	return guides[i].needs, fitting
}

func exampleTab(id string) Tab {
	i := slices.IndexFunc(catalog, func(e Example) bool { return e.ID == id })
	return catalog[i].Tab
}

// FindGuide gives a guide for in by its ID.
func FindGuide(in Input, id string) (Guide, bool) {
	i := slices.IndexFunc(guides, func(g guide) bool { return g.id == id })
	if i < 0 {
		return Guide{}, false
	}
	g, t := guides[i], newTarget(in)
	found := Guide{
		ID: g.id, Title: g.title, Tab: g.tab, Needs: g.needs, Summary: g.paragraphs("summary", t)[0],
		Start: g.paragraphs("start", t), Expect: g.paragraphs("expect", t), Trouble: g.paragraphs("trouble", t),
	}
	for _, id := range g.examples {
		if e, ok := Find(in, id); ok {
			found.Examples = append(found.Examples, e)
		}
	}
	return found, true
}

// paragraphs fills a block and splits it at its empty lines.
func (g guide) paragraphs(block string, t target) []string {
	var all []string
	for text := range strings.SplitSeq(execute(guideTemplates[g.id], block, t), "\n\n") {
		if text = strings.Join(strings.Fields(text), " "); text != "" {
			all = append(all, text)
		}
	}
	return all
}
