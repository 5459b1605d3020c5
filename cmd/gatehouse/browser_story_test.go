package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
)

const (
	browserEmail    = "ops@example.com"
	browserPassword = "correct horse battery staple"
)

// setupLink finds the one-time link in the log.
func (p *program) setupLink() string {
	p.t.Helper()
	for line := range strings.Lines(p.log.String()) {
		var entry struct{ URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && strings.Contains(entry.URL, "/setup") {
			return strings.TrimPrefix(entry.URL, p.console)
		}
	}
	p.t.Fatalf("the log has no link for the first admin:\n%s", p.log)
	return ""
}

// TestNewcomerStory does what the README says, in a browser.
func TestNewcomerStory(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	b := openTab(t, p.console)
	b.allowClipboard()

	b.visit(p.setupLink())
	if at := b.path(); at != "/setup" {
		t.Errorf("the address %s still holds the code of the link", at)
	}
	b.find("heading", "Create the first admin")
	b.fill("Email", browserEmail)
	b.fill("Password", browserPassword)
	b.fill("Repeat password", browserPassword)
	b.click("button", "Create admin")

	b.waitPath("/deployments")
	stayed := b.stay()
	b.sees("default Running")
	stayed()
	b.click("link", "Overview of default")
	b.sees("Send your first data")
	b.click("link", "Access tokens")
	b.sees("never used")

	b.click("button", "Generate Token")
	b.waitFocus("textbox", "Name")
	b.fill("Name", "newcomer")
	b.press(kb.Tab)
	b.waitFocus("radio", "Write")
	b.press(kb.ArrowDown)
	b.waitFocus("radio", "Read/Write")
	b.press(kb.Enter)
	b.find("dialog", "Token generated")
	secret := must(t, dir, "", "token", "reveal", tokenID(t, dir, "default", "newcomer"))
	stayed = b.stay()
	b.sees(secret[len("vmat_"):len("vmat_")+4] + "••••")
	b.sees("Waiting for the first request")

	b.click("button", "Copy key")
	b.hears("^Copied$")
	if got := b.clipboard(); got != secret {
		t.Errorf("the clipboard holds %d characters that are not the key", len(got))
	}
	b.click("button", "Copy example cURL")
	eventually(t, "the example is on the clipboard", func() error {
		if got := b.clipboard(); !strings.HasPrefix(got, "curl ") || strings.Count(got, secret) != 1 {
			return fmt.Errorf("it is not: %d characters", len(got))
		}
		return nil
	})
	paste := func() string {
		t.Helper()
		out, err := exec.Command("sh", "-c", b.clipboard()).CombinedOutput()
		if err != nil {
			t.Fatalf("the example failed: %v: %s", err, out)
		}
		return string(out)
	}
	if out := paste(); !strings.Contains(out, "HTTP status 204") {
		t.Fatalf("the example said %s", out)
	}
	sent := time.Now()
	b.hears(`^First request received (just now|\d+ (second|minute)s? ago) from 127\.0\.0\.1, curl/`)
	t.Logf("the page showed the first request after %v", time.Since(sent))
	stayed()

	b.click("tab", "Read")
	b.forget()
	b.click("button", "Copy example cURL")
	b.hears("^Copied$")
	eventually(t, "the sample comes back", func() error {
		if out := paste(); !strings.Contains(out, `"gatehouse_example"`) {
			return fmt.Errorf("the example said %s", out)
		}
		return nil
	})
	b.click("link", "Done")
	b.waitGone("dialog", "Token generated")
	b.sees("with token newcomer")

	b.click("button", "Actions for newcomer")
	b.click("button", "Delete")
	b.find("dialog", "Delete newcomer?")
	b.seesMatch(`Last used (just now|\d+ (second|minute)s? ago) from 127\.0\.0\.1 \(curl/[0-9.]+\)`)
	b.click("button", "Delete")
	b.waitGone("dialog", "Delete newcomer?") // while it is open, the table behind it cannot be found either
	b.waitGone("rowheader", "newcomer")
	if a := p.request("POST", secret, "/api/v1/import/prometheus", "late 1"); a.status != http.StatusUnauthorized {
		t.Errorf("the deleted token got status %d", a.status)
	}
	stayed()
	b.wantNoSecretInAnswers(secret)
}
