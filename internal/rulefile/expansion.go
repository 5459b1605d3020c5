package rulefile

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mostExpanded bounds an expression in tokens once its WITH templates are expanded.
const mostExpanded = 100_000

// expandsWithin reports whether an expression has at most so many tokens once its WITH templates are expanded. The parser of
// MetricsQL has no such bound: in WITH (a = x+x, b = a+a, c = b+b, …) each template doubles the one before, and 30 of them take all
// memory. So this walks through the expression as the parser would, and rather counts too much.
func expandsWithin(expr string, most int) bool {
	e := expansion{most: most}
	e.walk(tokens(expr), builtinTemplates)
	return e.size <= e.most
}

// withTemplate is a name that stands for tokens, and a link to what was defined before it, which is all that its body sees.
type withTemplate struct {
	name   string
	params []string
	body   []string
	size   int // of a parameter's value, which is expanded already; it has no body
	outer  *withTemplate
}

// builtinTemplates are those of MetricsQL that repeat a parameter.
var builtinTemplates = &withTemplate{
	name: "ru", params: []string{"freev", "maxv"}, body: []string{"maxv", "freev", "maxv"},
	outer: &withTemplate{name: "ttf", params: []string{"freev"}, body: []string{"freev", "freev"}},
}

type expansion struct {
	size  int // tokens so far
	steps int // of looking up names
	most  int
}

func (e *expansion) tooLarge() bool { return e.size > e.most || e.steps > 100*e.most }

// walk adds the tokens, and those for which they stand.
func (e *expansion) walk(all []string, scope *withTemplate) {
	for i := 0; i < len(all) && !e.tooLarge(); {
		if strings.EqualFold(all[i], "with") && i+1 < len(all) && all[i+1] == "(" {
			definitions := inParens(all[i+1:])
			scope = define(scope, definitions)
			i += 1 + len(definitions) + 2
			e.size += len(definitions) // parsed, whether used or not
			continue
		}
		if strings.Contains(all[i], `\`) && scope != builtinTemplates && !isString(all[i]) {
			e.size = e.most + 1 // an escaped name; which one it is does not matter enough
			return
		}
		i += e.token(all[i:], scope)
	}
}

// token adds the first token, with its arguments when it is a template that takes some, and gives how many tokens it took.
func (e *expansion) token(all []string, scope *withTemplate) int {
	e.size++
	for _, name := range names(all[0]) {
		t := e.find(name, scope)
		switch {
		case t == nil:
			continue
		case t.body == nil:
			e.size += t.size
		case len(t.params) == 0:
			e.walk(t.body, t.outer)
		case len(all) > 1 && all[1] == "(":
			arguments := inParens(all[1:])
			e.walk(t.body, e.bind(t, arguments, scope))
			return 1 + len(arguments) + 2
		case len(all) > 1 && slices.Contains([]string{"by", "without"}, strings.ToLower(all[1])):
			e.size = e.most + 1 // a template with the name of an aggregate function, called like one
		}
	}
	return 1
}

// bind gives what the body of t sees when it is called.
func (e *expansion) bind(t *withTemplate, arguments []string, scope *withTemplate) *withTemplate {
	inner := t.outer
	for i, argument := range split(arguments) {
		before := e.size
		e.walk(argument, scope)
		if i < len(t.params) {
			inner = &withTemplate{name: t.params[i], size: e.size - before, outer: inner}
		}
	}
	return inner
}

func (e *expansion) find(name string, scope *withTemplate) *withTemplate {
	for t := scope; t != nil; t = t.outer {
		e.steps++
		if t.name == name {
			return t
		}
	}
	return nil
}

// define adds definitions such as a = x, f(p, q) = p/q.
func define(scope *withTemplate, definitions []string) *withTemplate {
	for _, one := range split(definitions) {
		at := slices.Index(one, "=")
		if at < 1 || at+1 == len(one) {
			continue // the parser refuses it
		}
		t := &withTemplate{name: one[0], body: one[at+1:], outer: scope}
		for _, token := range one[1:at] {
			if token != "(" && token != ")" && token != "," {
				t.params = append(t.params, token)
			}
		}
		scope = t
	}
	return scope
}

// names gives what a token may name: an identifier, its parts in a window such as [w:w], or a string, which is a name in {"x"}.
func names(token string) []string {
	if isString(token) {
		if token[0] == '\'' {
			token = `"` + strings.Trim(token, "'") + `"`
		}
		name, err := strconv.Unquote(token)
		if err != nil {
			name = strings.Trim(token, `"`)
		}
		return []string{name}
	}
	if strings.Contains(token, ":") {
		return append(strings.Split(token, ":"), token)
	}
	return []string{token}
}

func isString(token string) bool { return strings.IndexByte("\"'`", token[0]) >= 0 }

// inParens gives the tokens between the parenthesis at the beginning and the one that closes it.
func inParens(all []string) []string {
	depth := 0
	for i, token := range all {
		switch token {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return all[1:i]
			}
		}
	}
	return all[1:]
}

// split cuts at the commas that stand in no brackets.
func split(all []string) [][]string {
	var parts [][]string
	depth, begin := 0, 0
	for i, token := range all {
		switch token {
		case "(", "{", "[":
			depth++
		case ")", "}", "]":
			depth--
		case ",":
			if depth == 0 {
				parts = append(parts, all[begin:i])
				begin = i + 1
			}
		}
	}
	return append(parts, all[begin:])
}

// tokens cuts an expression where the parser of MetricsQL does, as far as names, strings and brackets go.
func tokens(s string) []string {
	var all []string
	for s != "" {
		n := 1
		switch r, size := utf8.DecodeRuneInString(s); {
		case unicode.IsSpace(r):
			s = s[size:]
			continue
		case r == '#':
			_, s, _ = strings.Cut(s, "\n")
			continue
		case r == '"' || r == '\'' || r == '`':
			n = stringLength(s)
		case isNameRune(r) || r == '\\':
			n = nameLength(s)
		case r == '=' && len(s) > 1 && (s[1] == '=' || s[1] == '~'):
			n = 2
		case size > 1:
			n = size
		}
		all = append(all, s[:n])
		s = s[n:]
	}
	return all
}

func isNameRune(r rune) bool {
	return unicode.IsLetter(r) || r == '_' || r == ':' || r == '.' || '0' <= r && r <= '9'
}

func nameLength(s string) int {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRuneInString(s[n:])
		if r == '\\' {
			_, escaped := utf8.DecodeRuneInString(s[n+size:])
			size += escaped
		} else if !isNameRune(r) {
			break
		}
		n += size
	}
	return n
}

func stringLength(s string) int {
	for n := 1; n < len(s); n++ {
		if s[n] == '\\' {
			n++
		} else if s[n] == s[0] {
			return n + 1
		}
	}
	return len(s)
}
