package rulefile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// rule is a file of one rule that ends in the given lines, indented as fields of the rule.
func rule(lines ...string) string {
	return "groups:\n- name: g\n  rules:\n  - record: x\n    expr: up\n    " + strings.Join(lines, "\n    ") + "\n"
}

// group is a file of one group with the given fields.
func group(lines ...string) string {
	return "groups:\n- name: g\n  " + strings.Join(lines, "\n  ") + "\n  rules:\n  - {record: x, expr: up}\n"
}

func expr(s string) string {
	return "groups:\n- name: g\n  rules:\n  - record: x\n    expr: |-\n      " + strings.ReplaceAll(s, "\n", "\n      ") + "\n"
}

// accepted are files that Gatehouse and vmalert both accept.
var accepted = map[string]string{
	"everything":           everything,
	"windows line ends":    strings.ReplaceAll(everything, "\n", "\r\n"),
	"byte order mark":      "\ufeff" + rule(),
	"document marks":       "---\n" + rule() + "...\n",
	"json":                 `{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0", "for": "5m"}]}]}`,
	"numbers as text":      "groups:\n- name: 1\n  rules:\n  - alert: 2\n    expr: 3\n    labels: {a: 4, b: true, c: 1.5, d: 2024-01-01, e: null, f: yes}\n",
	"an anchor":            rule("labels: &l {a: b}"),
	"an empty group":       rule() + "- name: empty\n  rules: []\n- name: none\n",
	"a duration of 0":      rule("for: 0", "keep_firing_for: 0s"),
	"a long duration":      rule("for: 1w2d3h4m5s6ms"),
	"templates":            rule(`labels: {severity: '{{ if gt $value 1.0 }}page{{ else }}ticket{{ end }}'}`, `annotations: {a: '{{ $labels.job }} {{ humanize $value }} {{ query "up" | first | value }}'}`),
	"braces, no template":  rule("annotations: {a: 'json {{ like'}"),
	"every function":       rule("annotations:", "  a: '"+everyFunction()+"'"),
	"WITH templates":       expr(`WITH (cf = {instance="a"}, cpu(m) = sum(rate(node_cpu{cf,mode=m}[5m])), total = cpu("x") + cpu("y")) cpu("idle") / total`),
	"built-in templates":   expr(`ru(ru(a, b), ttf(c))`),
	"metricsql":            expr("# reason\nrate({\"http.requests\", job=~\"a|b\"}[5m] offset 1h) keep_metric_names default 0\n  if x{a!~\"b\" or c=\"d\"} ^ 2"),
	"same but for a label": rule("labels: {a: b}") + "  - record: x\n    expr: up\n",
	"a notifier's token":   group(`notifier_headers: ["Authorization: Bearer x"]`),
	"graphite":             group("type: graphite"),
	"offset in interval":   group("interval: 10m", "eval_offset: -5m"),
	"a comment of 1 MB":    rule() + "#" + strings.Repeat("x", 1<<20),
	"a text of 1 MB":       rule("annotations: {a: \"" + strings.Repeat("x", 1<<20) + "\"}"),
}

const everything = `# all that a file can say
groups:
- name: requests
  interval: 30s
  eval_delay: 10s
  eval_alignment: true
  limit: 100
  concurrency: 2
  type: prometheus
  debug: true
  labels: {team: web}
  params: {nocache: ["1"], denyPartialResponse: ["true"]}
  headers: ["X-Scope: a"]
  notifier_headers: ["X-Scope: b"]
  rules:
  - record: job:requests:rate5m
    expr: sum(rate(requests_total[5m])) by (job)
    labels:
      source: gatehouse
    debug: false
    update_entries_limit: 10
  - alert: NoRequests
    expr: |
      job:requests:rate5m == 0 # nobody there
    for: 5m
    keep_firing_for: 1h30m
    labels: {severity: page}
    annotations:
      summary: '{{ $labels.job }} has no requests'
`

func everyFunction() string {
	var out strings.Builder
	for name := range templateFuncs {
		fmt.Fprintf(&out, "{{ %s }}", name)
	}
	return out.String()
}

// refused are files that Gatehouse refuses, with what the error says. "!" marks those that vmalert would accept.
var refused = map[string][]string{
	"":                                {"the file is empty", "delete it"},
	" \n\t\n":                         {"the file is empty"},
	"# nothing\n":                     {"nothing but comments"},
	"groups:\n":                       {"line 1:", "no rules"},
	"groups: []\n":                    {"line 1:", "no rules"},
	"groups: x\n":                     {"line 1: groups must be a list"},
	"- a\n":                           {"line 1: the file must be a mapping"},
	"a: \xff\n":                       {"line 1:", "not valid UTF-8"},
	"# a\n# b\x00\n":                  {"line 2:", "control character U+0000"},
	rule() + "\ufffe":                 {"line 7:", "control character U+FFFE"},
	rule() + "---\n" + rule():         {"line 7: a second YAML document"},
	rule() + "---\n{\n":               {"line 8", "not valid YAML"},
	"x: y\n" + rule():                 {"line 1:", `the field "x" of the file is unknown`, "groups"},
	rule("exp: up"):                   {"line 6:", `the field "exp" of a rule is unknown`},
	group("tenant: '1:2'"):            {"line 3:", `the field "tenant" of a group is unknown`},
	"groups:\n- rules:\n  - a\n":      {"line 2:", "no name"},
	"groups:\n- a\n":                  {"line 2: a group must be a mapping"},
	"groups:\n- name: a\n  rules: b":  {"line 3: rules must be a list"},
	"groups:\n- name: a\n  rules: [b": {"line 2 or below", "not valid YAML"},
	"groups:\n- name: [a]\n  rules:\n  - {record: x, expr: up}\n":                  {"line 2: the name of a group must be a text"},
	"groups:\n- name: a\n  rules:\n  - b\n":                                        {"line 4: a rule must be a mapping"},
	rule() + "- name: g\n  rules: []\n":                                            {"line 7:", `the group "g" is in line 2 already`},
	rule() + "  - record: x\n    expr: up\n":                                       {"line 7: the rule is in line 4 already"},
	rule("alert: y"):                                                               {"line 4:", "both record and alert"},
	"groups:\n- name: a\n  rules:\n  - expr: up\n":                                 {"line 4:", "neither record nor alert"},
	"groups:\n- name: a\n  rules:\n  - alert: x\n":                                 {"line 4:", "no expression"},
	"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: '  '\n":                 {"line 4:", "no expression"},
	"groups:\n- name: a\n  rules:\n  - alert: x\n    expr: [up]\n":                 {"line 5: expr must be a text"},
	"groups:\n- name: a\n  rules:\n  - record: a b\n    expr: up\n":                {"!", "line 4:", "not the name of a metric"},
	"groups:\n- name: a\n  rules:\n  - record: x\n     expr: up\n":                 {"line 5:", "mapping values are not allowed"},
	"groups:\n- name: a\n  rules:\n\t- record: x\n":                                {"line 4:", "not valid YAML"},
	"groups:\n- name: a\n  rules:\n  - record: x\n    expr: \"up\n":                {"line 5:", "unexpected end"},
	rule("labels: {a: b, a: c}"):                                                   {"!", "line 6:", `"a" is in line 6 already`},
	rule("expr: down"):                                                             {"!", "line 6:", `"expr" is in line 5 already`},
	rule("labels: {__name__: y}"):                                                  {"line 6:", "__name__"},
	rule("labels: {a-b: y}"):                                                       {"!", "line 6:", `the name "a-b"`},
	rule("annotations: {'': y}"):                                                   {"!", "line 6:", `the name ""`},
	rule("labels: [a]"):                                                            {"line 6: labels must be a mapping"},
	rule("labels: {a: [b]}"):                                                       {"line 6: the value of a must be a text"},
	rule("for: soon"):                                                              {"line 6:", `for "soon" is not a duration`},
	rule("for: -5m"):                                                               {"!", "line 6: for must not be negative"},
	rule("keep_firing_for: 5 m"):                                                   {"line 6:", "not a duration"},
	rule("debug: maybe"):                                                           {"line 6: debug must be true or false"},
	rule("update_entries_limit: x"):                                                {"line 6:", "whole number"},
	rule("annotations:", "  a: '{{ end }}'"):                                       {"line 7: the template of a is not valid", "{{end}}"},
	rule("annotations: {a: '{{ $val }}'}"):                                         {"line 6:", `undefined variable "$val"`},
	rule("labels: {a: '{{ foo 1 }}'}"):                                             {"line 6:", `function "foo" not defined`},
	rule("labels: {a: '%{HOME}'}"):                                                 {"!", "line 6:", "environment variable", "%{HOME}"},
	rule("labels: &a {b: c}", "annotations: *a"):                                   {"!", "line 7: the alias *a is not supported"},
	rule("labels:", "  <<: {a: b}"):                                                {"!", "line 7:", "plain names"},
	rule("labels: {a: !!binary aGk=}"):                                             {"!", "line 6: the tag !!binary is not supported"},
	rule("labels: {a: " + strings.Repeat("[", 30) + strings.Repeat("]", 30) + "}"): {"line 6:", "nested too deeply"},
	group("interval: x"):                                                           {"line 3:", "not a duration"},
	group("interval: -1s"):                                                         {"line 3: interval must not be negative"},
	group("eval_offset: 5m"):                                                       {"line 3: eval_offset must be less than the interval"},
	group("interval: 5m", "eval_offset: -6m"):                                      {"line 4: eval_offset must be less than the interval"},
	group("interval: 5m", "eval_offset: 1m", "eval_delay: 1m"):                     {"line 4:", "cannot be used together"},
	group("limit: -1"):                                                             {"line 3: limit must be a whole number"},
	group("limit: 1.5"):                                                            {"!", "line 3: limit must be a whole number"},
	group("concurrency: many"):                                                     {"line 3: concurrency must be a whole number"},
	group("concurrency: 99999999999999999999"):                                     {"line 3: concurrency must be a whole number"},
	group("eval_alignment: 7"):                                                     {"line 3: eval_alignment must be true or false"},
	group("type: sql"):                                                             {"line 3: the type of a group must be one of prometheus, graphite, vlogs"},
	group("headers: [a]"):                                                          {"line 3:", `"Name: value"`},
	group("headers: a"):                                                            {"line 3: headers must be a list"},
	group(`headers: ["a: b\r\nc: d"]`):                                             {"!", "line 3:", `"Name: value"`},
	group(`headers: ["authorization: Basic eDp5"]`):                                {"!", "line 3:", "authorization cannot be set"},
	group(`headers: ["Host: other"]`):                                              {"!", "line 3:", "Host cannot be set"},
	group("params: {a: b}"):                                                        {"line 3: the parameter a must be a list"},
	group("params: [a]"):                                                           {"line 3: params must be a mapping"},
	group("labels: {__name__: a}"):                                                 {"!", "line 3:", "__name__"},
	expr("sum(up"):                                                                 {"line 5:", `the expression of "x" is not valid`},
	expr("foo(up)"):                                                                {"line 5:", `unsupported function "foo"`},
	expr("up up"):                                                                  {"line 5:", "unparsed data left"},
	expr(strings.Repeat("a+", 10_000) + "a"):                                       {"!", "line 5:", "longer than 16 KB"},
	rule("annotations: {a: '{{ 1 }}" + strings.Repeat("x", 70_000) + "'}"):         {"!", "line 6:", "longer than 64 KB"},
}

func TestGoodFilesAreAccepted(t *testing.T) {
	for name, content := range accepted {
		if groups, err := Parse([]byte(content)); err != nil || len(groups) == 0 {
			t.Errorf("%s: got %v, %v", name, groups, err)
		}
	}
	groups, err := Parse([]byte(accepted["an empty group"]))
	if want := []Group{{"g", 1}, {"empty", 0}, {"none", 0}}; err != nil || !reflect.DeepEqual(groups, want) {
		t.Errorf("got %v, %v; want %v", groups, err, want)
	}
}

func TestBadFilesAreRefusedWithTheLine(t *testing.T) {
	for content, words := range refused {
		_, err := Parse([]byte(content))
		wantRefused(t, content, err, words)
	}
}

func wantRefused(t *testing.T, content string, err error, words []string) {
	t.Helper()
	message := gatehouse.ErrorMessage(err)
	if gatehouse.ErrorCode(err) != gatehouse.Invalid || gatehouse.ErrorField(err) != "content" || len(message) > 600 || strings.Contains(message, "\n") {
		t.Errorf("%.200q: got %v", content, err)
	}
	for _, word := range words {
		if word != "!" && !strings.Contains(message, word) {
			t.Errorf("%.200q: the message %q does not say %q", content, message, word)
		}
	}
}

// vmalert says whether the real one accepts a file.
func vmalert(t *testing.T, content string) bool {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "vmalert"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("vmalert is not built; run: go tool task engine")
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-dryRun", "-loggerLevel=ERROR", "-rule="+path)
	command.Env = []string{"HOME=/nowhere"}
	return command.Run() == nil
}

func TestVmalertAgrees(t *testing.T) {
	for name, content := range accepted {
		if !vmalert(t, content) {
			t.Errorf("vmalert refuses what is accepted here: %s", name)
		}
	}
	for content, words := range refused {
		if stricter := words[0] == "!"; vmalert(t, content) != stricter {
			t.Errorf("vmalert accepts: %v; want %v, for %.300q", !stricter, stricter, content)
		}
	}
}
