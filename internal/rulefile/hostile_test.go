package rulefile

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// rules is a file with so many rules in so many groups each.
func rules(groups, each int) string {
	var out strings.Builder
	out.WriteString("groups:\n")
	for g := range groups {
		fmt.Fprintf(&out, "- name: g%d\n  rules:\n", g)
		for r := range each {
			fmt.Fprintf(&out, "  - {record: x%d, expr: up}\n", r)
		}
	}
	return out.String()
}

func TestLimitsAreExact(t *testing.T) {
	f := func(content string, words ...string) {
		t.Helper()
		_, err := Parse([]byte(content))
		if words == nil && err != nil {
			t.Errorf("%.40q of %d bytes: %v", content, len(content), err)
		}
		if words != nil {
			wantRefused(t, content, err, words)
		}
	}
	f(rules(1, 100))
	f(rules(1, 101), "line 104: this is rule number 101")
	f(rules(50, 2))
	f(rules(51, 2), "this is rule number 101")
	f(rules(1, 1)+strings.Repeat("- name: e\n", 101), "more than 100 groups")

	comment := "#" + strings.Repeat("x", gatehouse.MostRuleBytes-len(rule())-1)
	f(rule() + comment)
	f(rule()+comment+"x", "20971521 bytes", "20 MB")
	f(expr("a" + strings.Repeat("+aa", (mostExpr-1)/3)))
	f(expr(strings.Repeat("a", mostExpr+1)), "longer than 16 KB")
}

// Without bounds, each of these takes minutes, gigabytes or the whole program.
func TestSmallFilesThatWouldGrowAreRefused(t *testing.T) {
	f := func(content, word string) {
		t.Helper()
		_, err := Parse([]byte(content))
		wantRefused(t, content, err, []string{word})
	}
	const many = 300_000
	f("["+strings.Repeat("a,", many)+"]", "commas and brackets")
	f(strings.Repeat("[", many), "commas and brackets")
	f(strings.Repeat("- ", many), "commas and brackets")
	f(strings.Repeat("? ", many), "commas and brackets")
	f(strings.Repeat("a: b\n", many), "commas and brackets")
	f(strings.Repeat("a: b\r", many), "commas and brackets")
	f(strings.Repeat("a: b\u2028", many), "commas and brackets")
	f("a: \"\n# \""+strings.Repeat(",[", many), "commas and brackets")
	f(strings.Repeat("[", mostNodes-1), "max depth")
	f("a: &a [b]\nb: &b [*a,*a]\nc: &c [*b,*b]\ngroups: *c\n", "the alias *a is not supported")
	f("groups:\n- &a [x, x]\n- &b [*a, *a]\n- &c [*b, *b]\n", "the alias *a is not supported")
	f(rule("annotations: {a: '{{"+strings.Repeat("(", 60_000)+"}}'}"), "expression depth")
	f(rule("annotations: {a: '"+strings.Repeat("{{if 1}}", 8_000)+"'}"), "unexpected EOF")
	f(rule("annotations: {a: '"+strings.Repeat("{{if 1}}", many)+"'}"), "commas and brackets")
	f(expr(strings.Repeat("a^", 8_000)+"a"), "500 times the operator ^")
	f(expr(strings.Repeat("(", 16_000)), "not valid")
}

func TestTemplatesThatDoubleEachOtherAreRefused(t *testing.T) {
	chain := func(first, each, use string) string {
		out := "WITH (x0 = " + first
		for i := range 40 {
			out += fmt.Sprintf(", x%d = %s", i+1, strings.ReplaceAll(each, "?", fmt.Sprint("x", i)))
		}
		return out + ") " + strings.ReplaceAll(use, "?", "x40")
	}
	nest := func(before, open, close string) string {
		return before + strings.Repeat(open, 40) + "a" + strings.Repeat(close, 40)
	}
	for name, s := range map[string]string{
		"variables":              chain("a", "?+?", "?"),
		"variables, escaped":     strings.ReplaceAll(chain("a", "?+?", "?"), "x", `\x`),
		"functions":              nest("WITH (f(x) = x+x) ", "f(", ")"),
		"functions, nested WITH": nest("WITH (g = a) WITH (f(x) = WITH (y = x) y+y) ", "f(", ")"),
		"functions of functions": chain("a", "abs(?+?)", "sum(?)"),
		"aggregates":             nest("WITH (sum(x) = x+x) ", "sum by (a) (", ")"),
		"aggregates, by at end":  nest("WITH (sum(x) = x+x) ", "sum(", ") by (a)"),
		"built-in ru":            nest("", "ru(a,", ")"),
		"built-in ttf":           nest("", "ttf(", ")"),
		"built-in, escaped":      nest("WITH (a = 1) ", `\ru(a,`, ")"),
		"filters":                chain(`{a="b"}`, "{?, ?}", "m{?}"),
		"quoted filters":         chain(`{a="b"}`, `{"?", '?'}`, "m{?}"),
		"metric names":           chain(`a`, `{"?"} + {__name__="?"}`, "?"),
		"windows":                chain("5m", "m[?:?]", "m[?]"),
		"strings":                chain(`"a"`, "? + ?", `label_set(a, "b", ?)`),
		"comments between":       strings.ReplaceAll(chain("a", "?+?", "?"), " = ", " # = (\n = "),
		"brackets in strings":    strings.ReplaceAll(chain("a", "?+?", "?"), " = ", ` = m{a="),\"("} + `),
	} {
		if err := checkExpr(s, ""); err == nil || !strings.Contains(err.Error(), "WITH templates stand for too much") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestOtherLanguagesAreOnlyBounded(t *testing.T) {
	f := func(content string, accepted bool) {
		t.Helper()
		if _, err := Parse([]byte(content)); (err == nil) != accepted {
			t.Errorf("%.100q: got %v", content, err)
		}
	}
	f("groups:\n- name: a\n  type: graphite\n  rules: [{record: x, expr: 'sumSeries(a.*.b)'}]\n", true)
	f("groups:\n- name: a\n  type: vlogs\n  rules: [{record: x, expr: '* | stats count() c'}]\n", true)
	f("groups:\n- name: a\n  type: vlogs\n  rules: [{record: x, expr: ''}]\n", false)
	f("groups:\n- name: a\n  type: graphite\n  rules: [{record: x, expr: '"+strings.Repeat("x", mostExpr+1)+"'}]\n", false)
}

// FuzzParse looks for files that crash the parser or make it run away; a file that takes seconds is reported as hanging.
func FuzzParse(f *testing.F) {
	seed := func(content string) {
		if len(content) < 10_000 { // the fuzzer takes minutes to vary a large one
			f.Add([]byte(content))
		}
	}
	for _, content := range accepted {
		seed(content)
	}
	for content := range refused {
		seed(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		groups, err := Parse(content)
		if err != nil {
			wantRefused(t, string(content), err, nil)
			return
		}
		total := 0
		for _, g := range groups {
			total += g.Rules
		}
		if total == 0 || total > gatehouse.MostRules {
			t.Errorf("accepted with %d rules", total)
		}
	})
}
