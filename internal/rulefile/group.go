package rulefile

import (
	"maps"
	"net/textproto"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"gatehouse/internal/gatehouse"
)

var groupFields = []string{"name", "interval", "rules", "labels", "limit", "concurrency", "type", "params", "headers", "notifier_headers",
	"eval_offset", "eval_delay", "eval_alignment", "debug"}

// parseGroup checks a group, which may have as many rules as are left.
func parseGroup(node *yaml.Node, left int) (Group, error) {
	if node.Kind != yaml.MappingNode {
		return Group{}, refuse(node, "a group must be a mapping with a name and rules")
	}
	fields, err := fieldsOf(node, "a group", groupFields...)
	if err != nil {
		return Group{}, err
	}
	name, err := text(fields["name"], "the name of a group")
	switch {
	case err != nil:
		return Group{}, err
	case name == "":
		return Group{}, refuse(node, "the group has no name; add name:")
	case len(name) > mostName:
		return Group{}, refuse(node, "the name of the group is longer than %d bytes; shorten it", mostName)
	}
	if err := checkGroupSettings(fields); err != nil {
		return Group{}, err
	}
	rules, err := sequence(fields["rules"], "rules")
	if err != nil {
		return Group{}, err
	}
	if len(rules) > left {
		return Group{}, refuse(rules[left], "this is rule number %d of the file; all files of a deployment together may have %d", gatehouse.MostRules+1, gatehouse.MostRules)
	}
	language, _ := text(fields["type"], "type")
	return Group{Name: name, Rules: len(rules)}, parseRules(rules, language)
}

func checkGroupSettings(fields map[string]*yaml.Node) error {
	if err := checkEvaluation(fields); err != nil {
		return err
	}
	for _, name := range []string{"limit", "concurrency"} {
		if err := checkCount(fields[name], name); err != nil {
			return err
		}
	}
	for _, name := range []string{"eval_alignment", "debug"} {
		if err := checkBool(fields[name], name); err != nil {
			return err
		}
	}
	for _, name := range []string{"headers", "notifier_headers"} {
		if err := checkHeaders(fields[name], name); err != nil {
			return err
		}
	}
	if language, err := text(fields["type"], "type"); err != nil || fields["type"] != nil && !slices.Contains(languages, language) {
		return refuse(fields["type"], "the type of a group must be one of %s", strings.Join(languages, ", "))
	}
	if err := checkParams(fields["params"]); err != nil {
		return err
	}
	_, err := labels(fields["labels"], "labels")
	return err
}

// checkEvaluation checks when a group is evaluated, by the rules of vmalert.
func checkEvaluation(fields map[string]*yaml.Node) error {
	interval, err := positiveDuration(fields["interval"], "interval")
	if err != nil {
		return err
	}
	offset, err := duration(fields["eval_offset"], "eval_offset")
	if err != nil {
		return err
	}
	if _, err := duration(fields["eval_delay"], "eval_delay"); err != nil {
		return err
	}
	switch at := fields["eval_offset"]; {
	case max(offset, -offset) > interval:
		return refuse(at, "eval_offset must be less than the interval, which the group must set")
	case !isNull(at) && !isNull(fields["eval_delay"]):
		return refuse(at, "eval_offset and eval_delay cannot be used together; remove one of them")
	}
	return nil
}

// checkHeaders checks a list of "name: value".
func checkHeaders(node *yaml.Node, what string) error {
	nodes, err := sequence(node, what)
	if err != nil {
		return err
	}
	for _, node := range nodes {
		header, err := text(node, "a header")
		if err != nil {
			return err
		}
		name, value, found := strings.Cut(header, ":")
		if !found || !headerName.MatchString(name) || textproto.TrimString(value) == "" || strings.ContainsAny(value, "\r\n") {
			return refuse(node, `a header must be written like "Name: value"`)
		}
		if what == "headers" && slices.Contains(ownHeaders, textproto.CanonicalMIMEHeaderKey(name)) {
			return refuse(node, "the header %s cannot be set; Gatehouse sets it itself when it asks VictoriaMetrics", name)
		}
	}
	return nil
}

// ownHeaders are those with which a group could take away the credential with which vmalert asks VictoriaMetrics, or turn one request
// into two.
var ownHeaders = []string{"Authorization", "Connection", "Content-Length", "Host", "Transfer-Encoding"}

var headerName = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]+$`)

// checkParams checks a mapping of names to lists of values.
func checkParams(node *yaml.Node) error {
	all, err := pairs(node, "params")
	if err != nil {
		return err
	}
	for _, p := range all {
		values, err := sequence(p.value, "the parameter "+shorten(p.key.Value))
		if err != nil {
			return err
		}
		for _, value := range values {
			if _, err := text(value, "a parameter's value"); err != nil {
				return err
			}
		}
	}
	return nil
}

// labels reads labels, whose values may be templates.
func labels(node *yaml.Node, what string) (map[string]string, error) {
	values, err := texts(node, what)
	if _, named := values["__name__"]; named && err == nil {
		return nil, refuse(node, "the label __name__ cannot be set; it is the name of the metric")
	}
	return values, err
}

// labelName is what Prometheus and every client of it accept.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// texts reads labels or annotations.
func texts(node *yaml.Node, what string) (map[string]string, error) {
	all, err := pairs(node, what)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for _, p := range all {
		if !labelName.MatchString(p.key.Value) || len(p.key.Value) > mostName {
			return nil, refuse(p.key, "the name %q in %s is not valid; write letters, digits and _, not beginning with a digit", shorten(p.key.Value), what)
		}
		if values[p.key.Value], err = text(p.value, "the value of "+p.key.Value); err != nil {
			return nil, err
		}
		if err := checkTemplate(values[p.key.Value]); err != nil {
			return nil, refuse(p.value, "the template of %s is not valid: %s", p.key.Value, oneLine(err))
		}
	}
	return values, nil
}

// sorted gives the entries of labels in the order of their names, to compare rules.
func sorted(labels map[string]string) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, name, labels[name])
	}
	return all
}
