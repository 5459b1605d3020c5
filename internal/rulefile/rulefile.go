// Package rulefile checks files of recording and alerting rules, in the format of Prometheus and VictoriaMetrics,
// https://docs.victoriametrics.com/victoriametrics/vmalert/#rules. What vmalert would refuse is refused here, with the line.
//
// Files come from strangers as far as this package is concerned: each limit below keeps the work for one file small.
package rulefile

import (
	"strings"

	"gopkg.in/yaml.v3"

	"gatehouse/internal/gatehouse"
)

// mostGroups bounds the groups of a file, which may be empty.
const mostGroups = 100

// Group is one group of a file.
type Group struct {
	Name  string
	Rules int
}

// Parse checks a file and gives its groups. Errors are *gatehouse.Error of the code Invalid, about the field "content".
func Parse(content []byte) ([]Group, error) {
	if err := checkText(content); err != nil {
		return nil, err
	}
	root, err := document(content)
	if err != nil {
		return nil, err
	}
	file, err := fieldsOf(root, "the file", "groups")
	if err != nil {
		return nil, err
	}
	nodes, err := sequence(file["groups"], "groups")
	if err != nil {
		return nil, err
	}
	if len(nodes) > mostGroups {
		return nil, refuse(nodes[mostGroups], "the file has more than %d groups; split it, or put rules together", mostGroups)
	}
	return parseGroups(root, nodes)
}

func parseGroups(root *yaml.Node, nodes []*yaml.Node) ([]Group, error) {
	var groups []Group
	lines := map[string]int{} // of each group, by name
	rules := 0
	for _, node := range nodes {
		g, err := parseGroup(node, gatehouse.MostRules-rules)
		if err != nil {
			return nil, err
		}
		if first, taken := lines[g.Name]; taken {
			return nil, refuse(node, "the group %q is in line %d already; group names are unique", shorten(g.Name), first)
		}
		lines[g.Name] = node.Line
		rules += g.Rules
		groups = append(groups, g)
	}
	if rules == 0 {
		return nil, refuse(root, "the file has no rules; begin it with groups:, see https://docs.victoriametrics.com/victoriametrics/vmalert/#rules")
	}
	return groups, nil
}

// refuse says what is wrong at a node.
func refuse(at *yaml.Node, format string, args ...any) error {
	return refuseLine(at.Line, format, args...)
}

func refuseLine(line int, format string, args ...any) error {
	return gatehouse.InvalidField("content", "line %d: "+format, append([]any{line}, args...)...)
}

// shorten keeps what an error repeats of the file small enough for one line.
func shorten(s string) string { return shortenTo(s, 60) }

func shortenTo(s string, most int) string {
	if r := []rune(s[:min(len(s), 4*most+4)]); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// oneLine makes the message of a parser fit in one line of an error.
func oneLine(err error) string {
	return shortenTo(strings.Join(strings.Fields(shortenTo(err.Error(), 1000)), " "), 300)
}
