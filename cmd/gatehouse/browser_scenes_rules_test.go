package main

import (
	"net/http"
	"testing"
)

// furnishRules gives the deployment default rules of all kinds. It needs a running server.
func furnishRules(t *testing.T, p *program) {
	t.Helper()
	c := newAPIClient(t, p, p.dataDir, "rules")
	const failing = "groups:\n- name: warehouse\n  rules:\n  - record: stock:sum\n    expr: label_replace(vector(1), \"a\", \"b\", \"c\", \"(\")\n"
	id := p.show("default").ID
	for name, content := range map[string]string{"story.yml": storyRules, "warehouse.yml": failing} {
		c.wantStatus(http.StatusNoContent, "POST", content, "deployments", id, "rule-sets", "files", name)
	}
}

// ruleScenes are what an admin sees of rules and logs.
func ruleScenes() []scene {
	return []scene{
		{"rules-none", func(b *tab) { b.visit("/deployments/tight/rules"); b.sees("No rules") }},
		{"rules-connected", func(b *tab) { b.visit("/deployments/staging/rules"); b.find("button", "Save") }},
		{"rules", func(b *tab) { b.visit("/deployments/default/rules"); b.seesMatch(`AlwaysFiring Firing`) }},
		{"rules-delete", func(b *tab) {
			b.visit("/deployments/default/rules")
			b.click("button", "Actions for story.yml")
			b.click("button", "Delete")
			b.find("dialog", "Delete story.yml?")
		}},
		{"rule-file-refused", func(b *tab) {
			b.visit("/deployments/default/rules/new")
			b.fill("File name", "new.yml")
			b.fill("Rules", "groups:\n- name: new\n  rules:\n  - record: x\n    expr: sum(up\n")
			b.click("button", "Save")
			b.sees("Line 5")
		}},
		{"rule-file", func(b *tab) { b.visit("/deployments/default/rules/files/story.yml"); b.find("button", "Save") }},
		{"notifier-refused", func(b *tab) {
			b.visit("/deployments/default/rules")
			b.fill("Alertmanager URL optional", "alertmanager")
			b.click("button", "Save")
			b.sees("is not a full http or https URL")
		}},
		{"logs-connected", func(b *tab) { b.visit("/deployments/staging/logs"); b.sees("only deployments with rules have one") }},
		{"logs", func(b *tab) { b.visit("/deployments/default/logs?log=vmalert"); b.seesMatch(`Last \d+ lines`) }},
	}
}
