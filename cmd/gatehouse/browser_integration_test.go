package main

import (
	"errors"
	"strings"
	"testing"
)

// TestIntegrations connects a client by its guide, from the sidebar to the test.
func TestIntegrations(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	b.allowClipboard()
	b.click("link", "Integrations")
	b.click("link", "Prometheus")
	b.find("heading", "1. Choose deployment and token")
	b.sees("vmat_" + maskOf(t, p, "default"))

	stayed := b.stay()
	b.click("button", "Generate Token")
	b.find("dialog", "Generate Token")
	b.fill("Name", "prometheus prod")
	b.click("button", "Generate")
	b.find("dialog", "Token generated")
	b.click("link", "Done")
	b.waitGone("dialog", "Token generated")
	secret := must(t, p.dataDir, "", "token", "reveal", tokenID(t, p.dataDir, "default", "prometheus prod"))
	b.sees("vmat_" + maskOf(t, p, "prometheus prod")) // the page has chosen it

	b.click("button", "Copy example Prometheus")
	eventually(t, "the example is on the clipboard", func() error {
		if text := b.clipboard(); !strings.Contains(text, secret) || !strings.Contains(text, p.access+"/api/v1/write") {
			return errors.New("something else is there")
		}
		return nil
	})
	b.click("button", "Test")
	b.hears("Write a sample: done. .* This token may not read.* The address and the token work")

	b.focus("combobox", "Access token")
	b.press("d") // chooses the default token, which reads too
	b.sees("vmat_" + maskOf(t, p, "default"))
	b.forget()
	b.click("button", "Test")
	b.hears("Write a sample: done. .* Read it back: done.")
	b.waitFocus("button", "Test")
	b.wantNoSecretInAnswers(secret)
	stayed()
}

// TestIntegrationsWithoutJavaScript chooses and tests in a browser that runs no scripts.
func TestIntegrationsWithoutJavaScript(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	p.waitRunning("default")
	newToken(t, dir, "default", "writer", "w")
	b := openTab(t, p.console)
	b.withoutScripts()
	b.signIn(browserEmail, "/integrations/vmagent")
	b.focus("combobox", "Access token")
	b.press("d")
	b.clickToLoad("button", "Show")
	b.sees("vmat_" + maskOf(t, p, "default"))
	b.click("button", "Test")
	b.sees("Read it back: done.")
}

// maskOf gives the first characters of a secret of the deployment "default", as pages show them.
func maskOf(t *testing.T, p *program, token string) string {
	t.Helper()
	return must(t, p.dataDir, "", "token", "reveal", tokenID(t, p.dataDir, "default", token))[len("vmat_"):][:4]
}

// integrationScenes are the gallery and its guides on a server that furnish has prepared.
func integrationScenes() []scene {
	return []scene{
		{"integrations", func(b *tab) { b.visit("/integrations"); b.find("link", "vmui") }},
		{"integration-vmagent", func(b *tab) { b.visit("/integrations/vmagent"); b.find("button", "Test") }},
		{"integration-kubernetes", func(b *tab) { b.visit("/integrations/kubernetes"); b.find("button", "Test") }},
		{"integration-grafana", func(b *tab) { b.visit("/integrations/grafana"); b.find("button", "Test") }},
		{"integration-tested", func(b *tab) {
			// The address that users copy leads nowhere on this server.
			b.visit("/integrations/curl")
			b.click("button", "Test")
			b.sees("Write a sample: failed.")
			eval[any](b, `document.getElementById("test").scrollIntoView()`)
		}},
	}
}
