package rulefile

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// mostName bounds names of groups, rules and labels in bytes.
const mostName = 1000

var ruleFields = []string{"record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations", "debug", "update_entries_limit"}

// parseRules checks the rules of a group. Two that are the same would write the same series or alert.
func parseRules(nodes []*yaml.Node, language string) error {
	lines := map[string]int{}
	for _, node := range nodes {
		identity, err := parseRule(node, language)
		if err != nil {
			return err
		}
		if first, taken := lines[identity]; taken {
			return refuse(node, "the rule is in line %d already; remove one of them, or give it other labels", first)
		}
		lines[identity] = node.Line
	}
	return nil
}

// parseRule checks a rule and gives what makes it differ from others.
func parseRule(node *yaml.Node, language string) (identity string, err error) {
	if node.Kind != yaml.MappingNode {
		return "", refuse(node, "a rule must be a mapping with record or alert, and expr")
	}
	fields, err := fieldsOf(node, "a rule", ruleFields...)
	if err != nil {
		return "", err
	}
	kind, name, err := ruleName(node, fields)
	if err != nil {
		return "", err
	}
	expr, err := text(fields["expr"], "expr")
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(expr) == "":
		return "", refuse(node, "the rule %q has no expression; add expr:", shorten(name))
	}
	if err := checkExpr(expr, language); err != nil {
		return "", refuse(fields["expr"], "the expression of %q is not valid: %s", shorten(name), oneLine(err))
	}
	if err := checkRuleSettings(fields); err != nil {
		return "", err
	}
	labels, err := labels(fields["labels"], "labels")
	if err != nil {
		return "", err
	}
	_, err = texts(fields["annotations"], "annotations")
	return fmt.Sprintf("%s %q %q %q", kind, name, expr, sorted(labels)), err
}

// metricName is what Prometheus accepts, and the dots of Graphite.
var metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:.]*$`)

func ruleName(node *yaml.Node, fields map[string]*yaml.Node) (kind, name string, err error) {
	record, err := text(fields["record"], "record")
	if err != nil {
		return "", "", err
	}
	alert, err := text(fields["alert"], "alert")
	switch {
	case err != nil:
		return "", "", err
	case record == "" && alert == "":
		return "", "", refuse(node, "the rule has neither record nor alert; add one of them")
	case record != "" && alert != "":
		return "", "", refuse(node, "the rule has both record and alert; make two rules of it")
	case len(record)+len(alert) > mostName:
		return "", "", refuse(node, "the name of the rule is longer than %d bytes; shorten it", mostName)
	case alert != "":
		return "alert", alert, nil
	case !metricName.MatchString(record):
		return "", "", refuse(fields["record"], "record %q is not the name of a metric; write letters, digits, _ and :, not beginning with a digit", shorten(record))
	}
	return "record", record, nil
}

func checkRuleSettings(fields map[string]*yaml.Node) error {
	for _, name := range []string{"for", "keep_firing_for"} {
		if _, err := positiveDuration(fields[name], name); err != nil {
			return err
		}
	}
	if err := checkBool(fields["debug"], "debug"); err != nil {
		return err
	}
	return checkCount(fields["update_entries_limit"], "update_entries_limit")
}
