package main

import (
	"net/http"
	"testing"
)

// TestConsoleWithoutJavaScript does the main job in a browser that runs no scripts.
func TestConsoleWithoutJavaScript(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	p.waitRunning("default")
	b := openTab(t, p.console)
	b.withoutScripts()
	b.signIn(browserEmail, "/deployments/default/tokens")

	b.clickToLoad("button", "Generate Token")
	b.find("heading", "Generate Token")
	b.fill("Name", "default")
	b.clickToLoad("button", "Generate")
	b.wantFieldError("Name", "has a token with this name already", "default")
	b.fill("Name", "by hand")
	b.click("radio", "Read/Write")
	b.clickToLoad("button", "Generate")
	b.find("heading", "Token generated")
	b.sees("Reload this page to see it")
	b.sees("Grafana provisioning") // both tabs stand below each other

	b.wantNoSecret()
	b.clickToLoad("button", "Copy key")
	b.find("heading", "Key of by hand")
	secret := b.find("textbox", "Select the text and copy it with Ctrl+C").value()
	if secret != must(t, dir, "", "token", "reveal", tokenID(t, dir, "default", "by hand")) {
		t.Errorf("the page shows %d characters that are not the key", len(secret))
	}
	b.clickToLoad("link", "Done")

	b.find("rowheader", "by hand")
	b.wantNoSecret()
	if a := p.request("POST", secret, "/api/v1/import/prometheus", "by_hand 1"); a.status != http.StatusNoContent {
		t.Fatalf("the token got status %d: %s", a.status, a.body)
	}
	b.click("button", "Actions for by hand")
	b.clickToLoad("button", "Delete")
	b.find("heading", "Delete token")
	b.clickToLoad("button", "Delete")
	b.find("heading", "default")
	b.waitRows(1, "default", "default", "1 token")
	if a := p.request("POST", secret, "/api/v1/import/prometheus", "by_hand 2"); a.status != http.StatusUnauthorized {
		t.Errorf("the deleted token got status %d", a.status)
	}

	b.clickToLoad("button", "Dark")
	b.waitTheme("dark")
	b.click("button", "Sign out")
	b.find("heading", "Sign in")
}
