package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// changeRuleFile adds, changes and deletes a rule file in a tab with or without scripts.
func changeRuleFile(b *tab) {
	b.Helper()
	const broken = "groups:\n- name: story\n  rules:\n  - record: story:recorded\n    expr: sum(up\n"
	changed := strings.ReplaceAll(storyRules, "story:recorded", "story:changed")
	b.fill("File name", "shop.yml")
	b.fill("Rules", storyRules)
	b.click("button", "Save")
	b.find("rowheader", "shop.yml")

	b.click("link", "shop.yml")
	b.find("heading", "shop.yml")
	if got := b.find("textbox", "Rules").value(); got != storyRules {
		b.Errorf("the file holds %q", got)
	}
	b.fill("Rules", broken)
	b.click("button", "Save")
	b.wantFieldError("Rules", "Line 5", broken)
	b.fill("Rules", changed)
	b.click("button", "Save")
	b.find("rowheader", "shop.yml")
	b.visit("/deployments/default/rules/files/shop.yml")
	if got := b.find("textbox", "Rules").value(); got != changed {
		b.Errorf("the file holds %q", got)
	}
	b.click("link", "Cancel")

	b.click("button", "Actions for shop.yml")
	b.click("button", "Delete")
	b.sees("The 2 rules of shop.yml are evaluated no more")
	b.click("button", "Delete")
	b.sees("No rules")
}

func TestChangingRuleFiles(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/rules/new")
	changeRuleFile(b)
	plain := openTab(t, p.console)
	plain.withoutScripts()
	plain.signIn(browserEmail, "/deployments/default/rules/new")
	changeRuleFile(plain)
	if records := must(t, p.dataDir, "", "audit", "list", "--json"); strings.Count(records, `"rules.deleted"`) != 2 {
		t.Errorf("the audit log says:\n%s", records)
	}
}

func TestFollowingALog(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/logs")
	b.seesMatch(`Last \d+ lines`)
	stayed := b.stay()
	say := func(line string) {
		t.Helper()
		log, err := os.OpenFile(filepath.Join(p.dataDir, "deployments", p.show("default").ID, "engine.log"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		if _, err := log.WriteString(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	say("the page follows")
	b.sees("the page follows")
	b.focus("searchbox", "Search the log")
	b.press("PAGE")
	b.seesMatch(`1 of the last \d+ lines`)
	b.seesNo("starting VictoriaMetrics")
	b.click("checkbox", "Pause")
	b.waitPath("/deployments/" + p.show("default").ID + "/logs?log=engine&search=PAGE&pause=1")
	say("this page waits")
	b.click("checkbox", "Pause")
	b.seesMatch(`2 of the last \d+ lines`)
	stayed()
}
