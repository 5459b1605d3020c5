package tierfile

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// at makes an error that begins with the line of the entry's field, or of the entry when it has no such field.
func at(node *yaml.Node, field, format string, args ...any) error {
	line := node.Line
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == field {
			line = node.Content[i].Line
		}
	}
	return fmt.Errorf("line %d: %s", line, fmt.Sprintf(format, args...))
}

// decodeNode decodes one entry. yaml.Node.Decode itself passes over unknown fields.
func decodeNode(node *yaml.Node, e *entry) error {
	if node.Kind != yaml.MappingNode {
		return at(node, "", "this is not a tier; write one like: - {id: 1000, name: mine, active_time_series: 50000}")
	}
	known := map[string]bool{}
	for i := range reflect.TypeFor[entry]().NumField() {
		known[reflect.TypeFor[entry]().Field(i).Tag.Get("yaml")] = true
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if name := node.Content[i].Value; !known[name] {
			return at(node, name, "the field %q is unknown; docs/tiers.md lists the fields", name)
		}
	}
	return plain(node.Decode(e))
}

// plain makes one line of what the YAML package says, without its name.
func plain(err error) error {
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) {
		return errors.New(wrong.Errors[0]) // begins with the line already
	}
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}
