package main

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"
)

// axeSource is axe-core as published, see docs/adr/0021-axe-core-in-the-browser-tests.md. It reaches pages through the browser's
// debugging protocol, so that their content security policy stays as it is.
//
//go:embed testdata/axe/axe.min.js
var axeSource string

// violation is a fault that axe-core has found, https://github.com/dequelabs/axe-core/blob/develop/doc/API.md#results-object.
type violation struct {
	Rule   string   `json:"rule"`
	Impact string   `json:"impact"` // minor, moderate, serious or critical
	Help   string   `json:"help"`
	Nodes  []string `json:"nodes"` // what is wrong where
}

func (v violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n\t%s", v.Rule, v.Impact, v.Help, strings.Join(v.Nodes, "\n\t"))
}

// axeScript looks at what a person can reach: with a dialog open that is the dialog. vmui, in the frame of Explore, is not ours.
const axeScript = `(async (only) => {
	const found = await axe.run(document.querySelector("dialog[open]") ?? document, {
		resultTypes: ["violations"], preload: false, iframes: false, ...(only && { runOnly: [only] }),
	});
	return found.violations.map((v) => ({
		rule: v.id, impact: v.impact, help: v.help,
		nodes: v.nodes.map((n) => n.target.join(" ") + ": " + n.failureSummary.replace(/\s+/g, " ") + " " + n.html.slice(0, 200)),
	}));
})(%s)`

// faults gives the accessibility faults of the open page; only those of one rule, unless it is empty.
func (b *tab) faults(rule string) []violation {
	b.Helper()
	if !eval[bool](b, `typeof axe === "object"`) {
		eval[bool](b, axeSource+"; true")
	}
	return eval[[]violation](b, sprintJS(axeScript, rule))
}

// faultyScript adds to the page what it must not hold.
const faultyScript = `((add) => {
	add("button");
	add("input");
	add("p").lang = "xx";
	add("p").style.color = "#aaa";
})((name) => {
	const e = document.createElement(name);
	e.append(name === "button" ? "" : "faint");
	document.querySelector("main").append(e);
	return e;
})`

func TestAxeFindsFaults(t *testing.T) {
	t.Parallel()
	p, err := tryServe(t, newDataDir(t), "--engine-dir", t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	b := openTab(t, p.console)
	b.visit("/sign-in")
	b.find("heading", "Sign in")
	if found := b.faults(""); len(found) > 0 {
		t.Errorf("on a page without faults it finds %v", found)
	}
	eval[any](b, faultyScript)
	found := map[string]string{}
	for _, v := range b.faults("") {
		found[v.Rule] = v.Impact
	}
	for rule, impact := range map[string]string{"button-name": "critical", "label": "critical", "valid-lang": "serious", "color-contrast": "serious"} {
		if found[rule] != impact {
			t.Errorf("it does not find %s, but %v", rule, found)
		}
	}
}
