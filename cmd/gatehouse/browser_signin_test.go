package main

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// addUser makes somebody who may sign in with browserPassword.
func addUser(t *testing.T, dataDir, email, role string) {
	t.Helper()
	must(t, dataDir, browserPassword+"\n", "user", "create", "--email", email, "--role", role)
}

// signIn opens the page at path as somebody who has to sign in first.
func (b *tab) signIn(email, path string) {
	b.Helper()
	b.visit(path)
	b.fill("Email", email)
	b.fill("Password", browserPassword)
	b.press(kb.Enter)
	b.waitPath(path)
}

// newConsole starts the program, with more arguments, and an admin who is signed in at path, in a tab.
func newConsole(t *testing.T, path string, more ...string) (*program, *tab) {
	t.Helper()
	return newConsoleOn(t, newDataDir(t), path, more...)
}

// newConsoleOn is newConsole on a data directory.
func newConsoleOn(t *testing.T, dir, path string, more ...string) (*program, *tab) {
	t.Helper()
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir, more...)
	p.waitRunning("default")
	b := openTab(t, p.console)
	b.signIn(browserEmail, path)
	return p, b
}

func TestSigningInAndOut(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	b := openTab(t, p.console)

	b.visit("/deployments/default/tokens")
	b.waitPath("/sign-in?next=" + url.QueryEscape("/deployments/default/tokens"))
	b.waitFocus("textbox", "Email")
	wrong := func(email string) {
		t.Helper()
		b.fill("Email", email)
		b.fill("Password", "wrong horse battery")
		b.clickToLoad("button", "Sign in")
		b.sees("Email or password is wrong")
		if kept := b.find("textbox", "Email").value(); kept != email {
			t.Errorf("the form holds the email address %q", kept)
		}
		if kept := b.find("textbox", "Password").value(); kept != "" {
			t.Error("the form still holds the password")
		}
	}
	wrong("nobody@example.com")
	wrong(browserEmail)
	b.fill("Password", browserPassword)
	b.press(kb.Enter)
	b.waitPath("/deployments/default/tokens")
	b.sees(browserEmail)

	b.click("button", "Sign out")
	b.waitPath("/sign-in")
	b.must(chromedp.Do(b.ctx, chromedp.NavigateBack()))
	b.find("heading", "Sign in")
	b.seesNo("never used")
	b.visit("/deployments")
	b.find("heading", "Sign in")
}

func TestDisablingAUserEndsTheirSession(t *testing.T) {
	t.Parallel()
	p, _ := newConsole(t, "/deployments")
	addUser(t, p.dataDir, "editor@example.com", "editor")
	b := openTab(t, p.console)
	b.signIn("editor@example.com", "/deployments/default/tokens")

	must(t, p.dataDir, "", "user", "disable", "editor@example.com")
	newToken(t, p.dataDir, "default", "news", "r") // the open page wants to show it
	b.waitPath("/sign-in?next=" + url.QueryEscape("/deployments/default/tokens"))
	b.fill("Email", "editor@example.com")
	b.fill("Password", browserPassword)
	b.click("button", "Sign in")
	b.sees("Email or password is wrong")
}

func TestRoles(t *testing.T) {
	t.Parallel()
	p, _ := newConsole(t, "/deployments")
	addUser(t, p.dataDir, "viewer@example.com", "viewer")
	addUser(t, p.dataDir, "editor@example.com", "editor")
	id := tokenID(t, p.dataDir, "default", "default")

	t.Run("a viewer sees deployments, and no tokens", func(t *testing.T) {
		b := openTab(t, p.console)
		b.signIn("viewer@example.com", "/deployments")
		b.sees("default Running")
		for _, name := range []string{"Create", "Connect existing", "Actions for default"} {
			if b.has("button", name) {
				t.Errorf("a viewer is offered the button %q", name)
			}
		}
		b.click("link", "Overview of default")
		b.find("link", "Overview")
		if b.has("link", "Access tokens") {
			t.Error("a viewer is offered the access tokens")
		}
		for _, path := range []string{"/tokens", "/tokens/new", "/tokens/" + id + "/examples", "/tokens/" + id + "/delete"} {
			b.visit("/deployments/default" + path)
			b.sees(`Your role "viewer" may not`)
		}
		for _, path := range []string{"/secret", "/examples/vmagent", "/delete"} {
			const post = `fetch(%s, { method: "POST", headers: { Accept: "text/plain" } }).then(async (r) => r.status + " " + await r.text())`
			if got := eval[string](b, sprintJS(post, "/deployments/default/tokens/"+id+path)); got[:3] != "403" || secretRe.MatchString(got) {
				t.Errorf("POST %s answered %q", path, got)
			}
		}
	})

	t.Run("an editor hands out tokens", func(t *testing.T) {
		b := openTab(t, p.console)
		b.signIn("editor@example.com", "/deployments/default/tokens")
		b.click("button", "Generate Token")
		b.fill("Name", "from the editor")
		b.click("button", "Generate")
		b.find("dialog", "Token generated")
		b.click("button", "Copy key")
		b.hears("^Copied$")
		b.press(kb.Escape)
		b.find("rowheader", "from the editor")
		b.sees("editor@example.com")
	})
}
