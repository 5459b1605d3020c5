package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// element is a part of a page as assistive technology has it.
type element struct {
	tab  *tab
	role string
	name string
	id   cdp.BackendNodeID
}

// elements gives what a person can reach now and has the role; all roles when it is empty. What lies behind an open dialog, is hidden,
// or is decoration, is not among it.
func (b *tab) elements(role string) ([]element, error) {
	document, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil {
		return nil, err
	}
	defer try(b, runtime.ReleaseObject, runtime.ReleaseObjectParams{ObjectID: document.Result.ObjectID})
	tree, err := try(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.Result.ObjectID, Role: role})
	if err != nil {
		return nil, err // the page has just been left
	}
	var all []element
	for _, n := range tree.Nodes {
		if !n.Ignored && n.BackendDOMNodeID != 0 {
			all = append(all, element{b, axText(n.Role), axText(n.Name), n.BackendDOMNodeID})
		}
	}
	return all, nil
}

func axText(v *accessibility.Value) string {
	var text string
	if v != nil {
		_ = json.Unmarshal(v.Value, &text) // what is no text has none
	}
	return inOneLine(text)
}

// inOneLine makes every run of white space one space.
func inOneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// readable waits until there is a page whose elements can be read: one that is just being left has none.
func (b *tab) readable(role string) []element {
	b.Helper()
	var all []element
	eventually(b.T, "there is a page to read", func() (err error) {
		all, err = b.elements(role)
		return err
	})
	return all
}

// find waits for the one element that has the role and name.
func (b *tab) find(role, name string) element {
	b.Helper()
	var found element
	eventually(b.T, fmt.Sprintf("the page has one %s %q", role, name), func() error {
		all, err := b.elements(role)
		if err != nil {
			return err
		}
		n := 0
		var names []string
		for _, e := range all {
			names = append(names, e.name)
			if e.name == name {
				found = e
				n++
			}
		}
		if n != 1 {
			return fmt.Errorf("%d of them among %q", n, names)
		}
		return nil
	})
	return found
}

// has reports whether there is such an element now.
func (b *tab) has(role, name string) bool {
	b.Helper()
	return slices.ContainsFunc(b.readable(role), func(e element) bool { return e.name == name })
}

// waitGone waits until there is no such element.
func (b *tab) waitGone(role, name string) {
	b.Helper()
	eventually(b.T, fmt.Sprintf("the %s %q goes away", role, name), func() error {
		all, err := b.elements(role)
		for _, e := range all {
			if e.name == name {
				return fmt.Errorf("it is there")
			}
		}
		return err
	})
}

// click presses the element with the mouse where a person would. It tries again when the page has put something else there just before.
func (b *tab) click(role, name string) {
	b.Helper()
	eventually(b.T, fmt.Sprintf("the %s %q can be clicked", role, name), func() error {
		e := b.find(role, name)
		x, y, err := e.place()
		if err != nil {
			return err
		}
		if _, err := ask[bool](e, `function() {
			window.missed = true;
			this.addEventListener("click", () => { window.missed = false; }, { once: true, capture: true });
			return true;
		}`); err != nil {
			return err
		}
		b.must(chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)))
		missed, err := tryEval[bool](b, `window.missed === true`)
		if err == nil && missed && !b.plain { // without scripts nobody hears the click
			return errors.New("the click has missed it")
		}
		return nil
	})
	b.wantNoSecret()
}

// clickToLoad is click where that leads to another page, or to the same one anew.
func (b *tab) clickToLoad(role, name string) {
	b.Helper()
	b.stay()
	b.click(role, name)
	eventually(b.T, "another page is there", func() error {
		there, err := tryEval[bool](b, `window.stayed === undefined && document.readyState === "complete"`)
		if err == nil && !there {
			err = errors.New("it is not")
		}
		return err
	})
}

// place gives the middle of the element, if that is where a click reaches it. Else it scrolls there, and has to be asked again: a
// menu follows its button only with the next frame.
func (e element) place() (x, y float64, err error) {
	quads, err := try(e.tab, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: e.id})
	if err != nil {
		return 0, 0, err
	}
	if len(quads.Quads) == 0 {
		return 0, 0, errors.New("it has no place on the screen")
	}
	q := quads.Quads[0]
	x, y = (q[0]+q[4])/2, (q[1]+q[5])/2
	reached, err := ask[bool](e, `function(x, y) {
		const reached = this.contains(document.elementFromPoint(x, y));
		if (!reached) this.scrollIntoView({ block: "center", behavior: "instant" });
		return reached;
	}`, x, y)
	if err == nil && !reached {
		err = errors.New("something lies in front of it")
	}
	return x, y, err
}

// ask calls a JavaScript function on the element.
func ask[R any](e element, function string, args ...any) (R, error) {
	var result R
	node, err := try(e.tab, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: e.id})
	if err != nil {
		return result, err
	}
	params := runtime.CallFunctionOnParams{FunctionDeclaration: function, ObjectID: node.Object.ObjectID, ReturnByValue: new(true)}
	for _, a := range args {
		value, err := json.Marshal(a)
		if err != nil {
			return result, err
		}
		params.Arguments = append(params.Arguments, &runtime.CallArgument{Value: value})
	}
	answer, err := try(e.tab, runtime.CallFunctionOn, params)
	if err != nil {
		return result, err
	}
	if answer.ExceptionDetails != nil {
		return result, errors.New(exceptionText(answer.ExceptionDetails))
	}
	return result, json.Unmarshal(answer.Result.Value, &result)
}

// read gives a text of the element, also when the page has put another into its place in the meantime.
func (e element) read(function string) string {
	e.tab.Helper()
	var text string
	eventually(e.tab.T, fmt.Sprintf("the %s %q can be read", e.role, e.name), func() (err error) {
		if text, err = ask[string](e, function); err != nil {
			e = e.tab.find(e.role, e.name)
		}
		return err
	})
	return text
}

// value is what a field holds.
func (e element) value() string {
	e.tab.Helper()
	return e.read(`function() { return this.value; }`)
}

// description is what is read out beside the name: hints and errors.
func (e element) description() string {
	e.tab.Helper()
	return inOneLine(e.read(`function() {
		return (this.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.innerText ?? "").join(" ");
	}`))
}

// fill replaces what the text field holds, key by key as a person would.
func (b *tab) fill(field, text string) {
	b.Helper()
	e := b.focus("textbox", field)
	b.press("a", kb.ModifierCtrl)
	if text == "" {
		b.press(kb.Delete)
		return
	}
	call(b, input.InsertText, input.InsertTextParams{Text: text})
	if got := e.value(); got != text {
		b.Fatalf("the field %q holds %q, not %q", field, got, text)
	}
}

// focus gives the element the focus, also when the page puts another into its place in the meantime.
func (b *tab) focus(role, name string) element {
	b.Helper()
	var e element
	eventually(b.T, fmt.Sprintf("the %s %q takes the focus", role, name), func() error {
		e = b.find(role, name)
		_, err := try(b, dom.Focus, dom.FocusParams{BackendNodeID: e.id})
		return err
	})
	return e
}

// choose chooses an option of a list as if by keyboard: typed slowly, its text would choose several.
func (b *tab) choose(list, option string) {
	b.Helper()
	chosen, err := ask[bool](b.focus("combobox", list), `function(option) {
		const wanted = [...this.options].find((o) => o.text === option);
		if (!wanted) return false;
		this.value = wanted.value;
		this.dispatchEvent(new Event("input", { bubbles: true }));
		this.dispatchEvent(new Event("change", { bubbles: true }));
		return true;
	}`, option)
	if err != nil || !chosen {
		b.Fatalf("the list %q lets nobody choose %q (%v)", list, option, err)
	}
}

// press presses keys, one after another.
func (b *tab) press(keys string, modifiers ...kb.Modifier) {
	b.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))))
}

// waitFocus waits until the element has the focus.
func (b *tab) waitFocus(role, name string) {
	b.Helper()
	eventually(b.T, fmt.Sprintf("the %s %q has the focus", role, name), func() error {
		has, err := ask[bool](b.find(role, name), `function() { return this === document.activeElement; }`)
		if err == nil && !has {
			err = errors.New("it has not")
		}
		return err
	})
}

// text is all that a person reads on the page.
func (b *tab) text() (string, error) {
	text, err := tryEval[string](b, `document.body.innerText`)
	return inOneLine(text), err
}

// sees waits until the page shows the text.
func (b *tab) sees(text string) {
	b.Helper()
	b.seesMatch(regexp.QuoteMeta(text))
}

// seesMatch waits until the page shows what matches.
func (b *tab) seesMatch(pattern string) {
	b.Helper()
	re := regexp.MustCompile(pattern)
	eventually(b.T, fmt.Sprintf("the page shows %q", pattern), func() error {
		shown, err := b.text()
		if err == nil && !re.MatchString(shown) {
			err = fmt.Errorf("it shows: %s", shown)
		}
		return err
	})
	b.wantNoSecret()
}

// seesNo waits until there is a page that does not show the text: one that is just being left shows nothing at all.
func (b *tab) seesNo(text string) {
	b.Helper()
	eventually(b.T, fmt.Sprintf("the page does not show %q", text), func() error {
		shown, err := b.text()
		if err == nil && (shown == "" || strings.Contains(shown, text)) {
			err = fmt.Errorf("it shows %q", shown)
		}
		return err
	})
}

// hears waits until the page says of itself what matches, and gives that. Before it forget drops what was said already.
func (b *tab) hears(pattern string) string {
	b.Helper()
	re := regexp.MustCompile(pattern)
	var heard string
	eventually(b.T, fmt.Sprintf("the page says %q", pattern), func() error {
		all, err := tryEval[[]string](b, `window.said`)
		for _, heard = range all {
			if re.MatchString(heard) {
				return nil
			}
		}
		return cmp.Or(err, fmt.Errorf("it said %q", all))
	})
	b.wantNoSecret()
	return heard
}

// hasSaid reports whether the page has said exactly that.
func (b *tab) hasSaid(text string) bool {
	return slices.Contains(eval[[]string](b, `window.said`), text)
}

// forget drops what the page has said so far.
func (b *tab) forget() { eval[int](b, `window.said.length = 0`) }

// waitPath waits until the page has another address.
func (b *tab) waitPath(path string) {
	b.Helper()
	eventually(b.T, "the page "+path+" opens", func() error {
		at, err := tryEval[string](b, `document.readyState === "complete" ? location.pathname + location.search : ""`)
		if err == nil && at != path {
			err = fmt.Errorf("it is %q", at)
		}
		return err
	})
}

// sprintJS writes texts into an expression as JavaScript strings.
func sprintJS(format string, texts ...string) string {
	var quoted []any
	for _, text := range texts {
		q, _ := json.Marshal(text) // a string always can be
		quoted = append(quoted, string(q))
	}
	return fmt.Sprintf(format, quoted...)
}

// focused is the role and name of what has the focus.
func (b *tab) focused() string {
	b.Helper()
	var name string
	eventually(b.T, "something has the focus", func() error {
		active, err := try(b, runtime.Evaluate, runtime.EvaluateParams{Expression: "document.activeElement"})
		if err != nil {
			return err
		}
		tree, err := try(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: active.Result.ObjectID})
		if err == nil && len(tree.Nodes) > 0 {
			name = axText(tree.Nodes[0].Role) + " " + axText(tree.Nodes[0].Name)
		}
		return err
	})
	return name
}
