package web_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// find gives the elements that a simple CSS selector matches: steps of tag, #id, .class, [name] and [name=value], which descend.
func find(root *html.Node, selector string) []*html.Node {
	var steps []step
	for _, text := range strings.Fields(selector) {
		steps = append(steps, parseStep(text))
	}
	var found []*html.Node
	for n := range root.Descendants() {
		if matches(n, steps) {
			found = append(found, n)
		}
	}
	return found
}

// step is what one element must be.
type step struct {
	tag        string
	classes    []string
	attributes [][2]string // value "*": any
}

var stepPart = regexp.MustCompile(`^[a-z0-9]+|[#.][\w-]+|\[[^\]]+\]`)

func parseStep(text string) step {
	var s step
	for _, part := range stepPart.FindAllString(text, -1) {
		switch part[0] {
		case '.':
			s.classes = append(s.classes, part[1:])
		case '#':
			s.attributes = append(s.attributes, [2]string{"id", part[1:]})
		case '[':
			name, value, hasValue := strings.Cut(strings.Trim(part, "[]"), "=")
			if !hasValue {
				value = "*"
			}
			s.attributes = append(s.attributes, [2]string{name, value})
		default:
			s.tag = part
		}
	}
	return s
}

// matches reports whether n is the last step and has the others above it.
func matches(n *html.Node, steps []step) bool {
	last := len(steps) - 1
	if n.Type != html.ElementNode || !steps[last].is(n) {
		return false
	}
	if last == 0 {
		return true
	}
	for above := n.Parent; above != nil; above = above.Parent {
		if matches(above, steps[:last]) {
			return true
		}
	}
	return false
}

func (s step) is(n *html.Node) bool {
	if s.tag != "" && s.tag != n.Data {
		return false
	}
	class, _ := attribute(n, "class")
	for _, c := range s.classes {
		if !slices.Contains(strings.Fields(class), c) {
			return false
		}
	}
	for _, a := range s.attributes {
		if value, ok := attribute(n, a[0]); !ok || a[1] != "*" && a[1] != value {
			return false
		}
	}
	return true
}

func attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func TestFindUnderstandsSelectors(t *testing.T) {
	doc, err := html.Parse(strings.NewReader(`<main id="m"><p class="a b">one</p><div><p data-x="1">two</p></div></main><p>three</p>`))
	if err != nil {
		t.Fatal(err)
	}
	f := func(selector string, want int) {
		t.Helper()
		if got := len(find(doc, selector)); got != want {
			t.Errorf("%s finds %d elements, want %d", selector, got, want)
		}
	}
	f("p", 3)
	f("main p", 2)
	f("#m div p", 1)
	f("p.a.b", 1)
	f("p.a.c", 0)
	f("[data-x]", 1)
	f("p[data-x=1]", 1)
	f("p[data-x=2]", 0)
}
