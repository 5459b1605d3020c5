package rulefile

import (
	"slices"
	"strconv"
	"strings"

	"github.com/VictoriaMetrics/metricsql"
	"gopkg.in/yaml.v3"
)

// pair is one entry of a mapping.
type pair struct {
	key   *yaml.Node
	value *yaml.Node
}

// pairs gives the entries of a mapping, none for a missing or empty node. Keys must differ.
func pairs(node *yaml.Node, what string) ([]pair, error) {
	if isNull(node) {
		return nil, nil
	}
	if node.Kind != yaml.MappingNode {
		return nil, refuse(node, "%s must be a mapping of names to values", what)
	}
	var all []pair
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.Value == "<<" {
			return nil, refuse(key, "%s must have plain names as keys", what)
		}
		if first, taken := lines[key.Value]; taken {
			return nil, refuse(key, "%q is in line %d already; remove one of them", shorten(key.Value), first)
		}
		lines[key.Value] = key.Line
		all = append(all, pair{key, node.Content[i+1]})
	}
	return all, nil
}

// fieldsOf gives the fields of a mapping by name; those that are not known are refused, so that a typing error is not passed over.
func fieldsOf(node *yaml.Node, what string, known ...string) (map[string]*yaml.Node, error) {
	all, err := pairs(node, what)
	if err != nil {
		return nil, err
	}
	fields := map[string]*yaml.Node{}
	for _, p := range all {
		if !slices.Contains(known, p.key.Value) {
			return nil, refuse(p.key, "the field %q of %s is unknown; there are: %s", shorten(p.key.Value), what, strings.Join(known, ", "))
		}
		fields[p.key.Value] = p.value
	}
	return fields, nil
}

func isNull(node *yaml.Node) bool {
	return node == nil || node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}

func sequence(node *yaml.Node, what string) ([]*yaml.Node, error) {
	if isNull(node) {
		return nil, nil
	}
	if node.Kind != yaml.SequenceNode {
		return nil, refuse(node, "%s must be a list, each entry of which begins with a dash", what)
	}
	return node.Content, nil
}

// text reads a string; numbers and the like count as what they are written as. A missing node is empty.
func text(node *yaml.Node, what string) (string, error) {
	if isNull(node) {
		return "", nil
	}
	if node.Kind != yaml.ScalarNode {
		return "", refuse(node, "%s must be a text", what)
	}
	return node.Value, nil
}

// duration reads milliseconds. A missing node is 0.
func duration(node *yaml.Node, what string) (int64, error) {
	s, err := text(node, what)
	if err != nil || isNull(node) {
		return 0, err
	}
	ms, err := metricsql.DurationValue(s, 0)
	if err != nil {
		return 0, refuse(node, "%s %q is not a duration; write it like 30s, 5m or 1h", what, shorten(s))
	}
	return ms, nil
}

func positiveDuration(node *yaml.Node, what string) (int64, error) {
	ms, err := duration(node, what)
	if err == nil && ms < 0 {
		return 0, refuse(node, "%s must not be negative", what)
	}
	return ms, err
}

// checkCount checks a whole number that is not negative.
func checkCount(node *yaml.Node, what string) error {
	if isNull(node) {
		return nil
	}
	if n, err := strconv.ParseInt(node.Value, 10, 32); node.Kind != yaml.ScalarNode || node.Tag != "!!int" || err != nil || n < 0 {
		return refuse(node, "%s must be a whole number from 0 on", what)
	}
	return nil
}

func checkBool(node *yaml.Node, what string) error {
	if !isNull(node) && (node.Kind != yaml.ScalarNode || node.Tag != "!!bool") {
		return refuse(node, "%s must be true or false", what)
	}
	return nil
}
