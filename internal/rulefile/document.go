package rulefile

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"gatehouse/internal/gatehouse"
)

// mostNodes bounds the pieces of YAML in a file. Each takes some 200 bytes of memory; 100 rules have a few thousand.
const mostNodes = 100_000

// mostNesting bounds the brackets that are open at the same time. The format needs four levels.
const mostNesting = 20

// checkText refuses what is not worth parsing, or would take too much to parse.
func checkText(content []byte) error {
	switch {
	case len(content) > gatehouse.MostRuleBytes:
		return gatehouse.InvalidField("content", "the file has %d bytes; it may have %d (20 MB)", len(content), gatehouse.MostRuleBytes)
	case len(bytes.TrimSpace(content)) == 0:
		return gatehouse.InvalidField("content", "the file is empty; to have no rules, delete it")
	}
	nodes, line := 0, 0
	for text := range bytes.Lines(content) {
		line++
		if err := checkLine(text, line); err != nil {
			return err
		}
		if nodes += nodesAtMost(text); nodes > mostNodes {
			return refuseLine(line, "the file has more than %d lines, commas and brackets up to here; split it", mostNodes)
		}
	}
	return nil
}

// environment matches what vmalert replaces by an environment variable, wherever it stands in a file.
var environment = regexp.MustCompile(`%\{[A-Za-z_][A-Za-z0-9_.]*\}`)

func checkLine(text []byte, line int) error {
	if !utf8.Valid(text) {
		return refuseLine(line, "the text is not valid UTF-8; save the file as UTF-8")
	}
	if i := bytes.IndexFunc(text, isUnprintable); i >= 0 {
		r, _ := utf8.DecodeRune(text[i:])
		return refuseLine(line, "there is the control character %U, which YAML does not allow; remove it", r)
	}
	// Whoever uploads rules shall not see the environment of the server that runs them.
	if found := environment.Find(text); found != nil {
		return refuseLine(line, "vmalert would replace %s by an environment variable of the server; write the value itself", shorten(string(found)))
	}
	return nil
}

// isUnprintable is about the characters that YAML does not allow, https://yaml.org/spec/1.1/#c-printable.
func isUnprintable(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || 0x7f <= r && r < 0xa0 && r != nextLine || r == 0xfffe || r == 0xffff
}

// nextLine, with U+2028 and U+2029, ends a line in YAML 1.1.
const nextLine = 0x85

// nodesAtMost counts what may begin a piece of YAML in a line: the line itself, unless it is empty or a comment, and what separates
// pieces within a line. Text that only looks like that is counted as well.
func nodesAtMost(text []byte) int {
	text = bytes.TrimSuffix(text, []byte("\r\n"))
	n := 0
	for _, separator := range []string{",", "[", "{", "- ", "? ", "\r", "\u0085", "\u2028", "\u2029"} {
		n += bytes.Count(text, []byte(separator))
	}
	if text = bytes.TrimSpace(text); len(text) > 0 && text[0] != '#' {
		n++
	}
	return n
}

// document reads the one YAML document of a file.
func document(content []byte) (root *yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some input, https://github.com/go-yaml/yaml/issues
			root, err = nil, gatehouse.InvalidField("content", "the file cannot be read as YAML; see whether a YAML checker finds the reason").WithCause(fmt.Errorf("%v", p))
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var first, second yaml.Node
	switch err := decoder.Decode(&first); {
	case err == io.EOF:
		return nil, gatehouse.InvalidField("content", "the file has nothing but comments; to have no rules, delete it")
	case err != nil:
		return nil, explainYAML(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, refuse(&second, "a second YAML document begins here; put all groups into one")
	case err != io.EOF:
		return nil, explainYAML(err)
	}
	if len(first.Content) != 1 {
		return nil, refuse(&first, "the file is not a YAML mapping; begin it with groups:")
	}
	return first.Content[0], checkNodes(first.Content[0], 0)
}

// checkNodes refuses what the format does not need and what could make a small file large.
func checkNodes(node *yaml.Node, depth int) error {
	switch {
	case node.Kind == yaml.AliasNode:
		return refuse(node, "the alias *%s is not supported; write out what it stands for", shorten(node.Value))
	case node.Style&yaml.TaggedStyle != 0:
		return refuse(node, "the tag %s is not supported; leave it out", shorten(node.Tag))
	case depth > mostNesting:
		return refuse(node, "this is nested too deeply for a file of rules")
	}
	for _, child := range node.Content {
		if err := checkNodes(child, depth+1); err != nil {
			return err
		}
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// explainYAML brings the library's errors into the form of the others. It leaves out the first line, and of some errors it knows only
// where the part of the file begins that they are in.
func explainYAML(err error) error {
	message := oneLine(err)
	line := "1"
	if found := yamlLine.FindStringSubmatch(message); found != nil {
		message = message[len(found[0]):]
		line = cmp.Or(found[1], line)
	}
	if strings.HasPrefix(message, "did not find expected") {
		line += " or below"
	}
	return gatehouse.InvalidField("content", "line %s: the file is not valid YAML: %s", line, message)
}
