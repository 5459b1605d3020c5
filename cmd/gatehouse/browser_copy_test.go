package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
)

// paste presses Ctrl+V in the empty text field, and gives what it then holds.
func (b *tab) paste(field string) string {
	b.Helper()
	e := b.focus("textbox", field)
	b.press("v", kb.ModifierCtrl)
	var text string
	eventually(b.T, "something is pasted", func() error {
		if text = e.value(); text == "" {
			return errors.New("the field is empty")
		}
		return nil
	})
	return text
}

// TestCopyingOnPlainHTTP copies where browsers offer no clipboard to scripts: on plain http in a LAN.
func TestCopyingOnPlainHTTP(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	b := openTab(t, strings.Replace(p.console, "127.0.0.1", untrustedHost, 1))
	b.signIn(browserEmail, "/deployments/default/tokens")
	if eval[bool](b, `isSecureContext || navigator.clipboard !== undefined`) {
		t.Fatal("the browser trusts the page, so this test shows nothing")
	}
	secret := must(t, dir, "", "token", "reveal", tokenID(t, dir, "default", "default"))

	// pasted is what Ctrl+V gives in a field of the page.
	pasted := func() string {
		t.Helper()
		b.click("button", "Generate Token")
		b.waitFocus("textbox", "Name")
		text := b.paste("Name")
		b.press(kb.Escape)
		b.waitGone("dialog", "Generate Token")
		return text
	}

	b.click("button", "Copy key of default") // in the table
	b.hears("^Copied$")
	if pasted() != secret {
		t.Error("the clipboard holds something else than the key")
	}
	b.forget()
	b.click("button", "Copy access endpoint "+p.access)
	b.hears("^Copied$")
	if got := pasted(); got != p.access {
		t.Errorf("the clipboard holds %q, not the address of the endpoint", got)
	}
	b.click("button", "Actions for default")
	b.click("button", "Examples")
	b.find("dialog", "Examples for default")
	b.forget()
	b.click("button", "Copy key") // in a dialog, outside of which nothing can be selected
	b.hears("^Copied$")
	b.press(kb.Escape)
	b.waitGone("dialog", "Examples for default")
	if pasted() != secret {
		t.Error("the clipboard holds something else than the key")
	}

	// Where the browser refuses that too, the page does not say Copied.
	b.click("button", "Copy access endpoint "+p.access)
	eval[any](b, `void (document.execCommand = () => false)`)
	b.forget()
	b.click("button", "Copy key of default")
	b.find("dialog", "Not copied")
	b.sees("press Ctrl+C")
	selected := eval[string](b, `((e) => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)`)
	if selected != secret || b.find("textbox", "Text to copy").value() != secret {
		t.Errorf("%d characters are selected, not the key", len(selected))
	}
	b.press("c", kb.ModifierCtrl)
	if b.hasSaid("Copied") {
		t.Error("the page says Copied, which is not true")
	}
	b.click("button", "Close")
	b.waitGone("dialog", "Not copied")
	if eval[bool](b, `document.querySelector("textarea") !== null`) {
		t.Error("the page still holds the secret")
	}
	if pasted() != secret {
		t.Error("Ctrl+C did not copy the key")
	}
}

// TestCopyingWhereTheClipboardIsForbidden is a page that browsers trust, whose reader has forbidden it the clipboard.
func TestCopyingWhereTheClipboardIsForbidden(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/tokens")
	b.allowClipboard()
	eval[any](b, `void (navigator.clipboard.writeText = () => Promise.reject(new DOMException("no", "NotAllowedError")))`)
	b.click("button", "Copy key of default")
	b.hears("^Copied$")
	if b.clipboard() != must(t, p.dataDir, "", "token", "reveal", tokenID(t, p.dataDir, "default", "default")) {
		t.Error("the clipboard holds something else than the key")
	}
}

// TestExamples copies every example, and compares it with what package snippet makes of the secret.
func TestExamples(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/tokens")
	b.allowClipboard()
	newToken(t, p.dataDir, "default", "reader", "r")
	newToken(t, p.dataDir, "default", "writer", "w")
	secret := newToken(t, p.dataDir, "default", "both", "rw")
	open := func(name string) {
		t.Helper()
		b.click("button", "Actions for "+name)
		b.click("button", "Examples")
		b.find("dialog", "Examples for "+name)
	}
	tabs := func() string {
		t.Helper()
		var names []string
		for _, e := range b.readable("tab") {
			names = append(names, e.name)
		}
		return strings.Join(names, " ")
	}

	open("reader")
	if got := tabs(); got != "Read" {
		t.Errorf("a read token has the tabs %q", got)
	}
	b.click("link", "Done")
	b.waitGone("dialog", "Examples for reader")
	open("writer")
	if got := tabs(); got != "Write" {
		t.Errorf("a write token has the tabs %q", got)
	}
	b.press(kb.Escape)
	b.waitGone("dialog", "Examples for writer")

	open("both")
	if got := tabs(); got != "Write Read" {
		t.Errorf("a read/write token has the tabs %q", got)
	}
	examples := snippet.Examples(snippet.Input{
		EndpointURL: p.access, Type: gatehouse.SingleNode, Access: gatehouse.ReadWrite,
		DeploymentName: "default", TokenName: "both", Secret: secret,
	})
	copyAll := func(tab snippet.Tab) {
		t.Helper()
		b.click("DisclosureTriangle", "More clients")
		for _, e := range examples {
			if e.Tab != tab {
				continue
			}
			b.click("button", "Copy example "+e.Title)
			eventually(t, "the example "+e.ID+" is on the clipboard", func() error {
				if b.clipboard() != e.Code {
					return fmt.Errorf("something else is there")
				}
				return nil
			})
			if strings.Count(e.Code, secret) != 1 {
				t.Errorf("the example %s holds the secret %d times", e.ID, strings.Count(e.Code, secret))
			}
		}
	}
	copyAll(snippet.WriteTab)
	b.focus("tab", "Write")
	b.press(kb.ArrowRight)
	b.waitFocus("tab", "Read")
	b.seesNo("Prometheus writes") // the other panel is hidden
	copyAll(snippet.ReadTab)
	b.press(kb.ArrowLeft)
	b.wantNoSecretInAnswers(secret)
}
