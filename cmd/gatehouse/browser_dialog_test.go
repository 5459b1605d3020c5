package main

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// dialogPlace is a dialog and how to get there: on a page, by a button or by an action of a menu.
type dialogPlace struct {
	page, menu, button string
	dialog             string // its name
	field, wrong       string // a text field, and what it refuses; empty where nothing is typed
	message            string // how
}

// dialogs are those that furnish has prepared the objects for, by route.
var dialogs = map[string][]dialogPlace{
	"GET /deployments/create":  {{page: "/deployments", button: "Create", dialog: "Create deployment", field: "Name", wrong: "default", message: "exists already"}},
	"GET /deployments/connect": {{page: "/deployments", button: "Connect existing", dialog: "Connect existing", field: "Name", wrong: "", message: "The name is empty"}},
	"GET /deployments/{deployment}/delete": {{page: "/deployments", menu: "Actions for idle", button: "Delete", dialog: "Delete idle?",
		field: "Type the name of the deployment to confirm", wrong: "ideal", message: "This is not the name"}},
	"GET /deployments/{deployment}/stop": {{page: "/deployments", menu: "Actions for default", button: "Stop", dialog: "Stop default?"}},
	"GET /trash/{deleted}/restore":       {{page: "/trash", menu: "Actions for old shop", button: "Restore", dialog: "Restore old shop?", field: "Name", wrong: "default", message: "exists already"}},
	"GET /trash/{deleted}/free": {{page: "/trash", menu: "Actions for old shop", button: "Free now", dialog: "Free old shop now?",
		field: "Type the name of the deployment to confirm", wrong: "new shop", message: "This is not the name"}},
	"GET /deployments/{deployment}/tokens/new":                {{page: "/deployments/default/tokens", button: "Generate Token", dialog: "Generate Token", field: "Name", wrong: "Grafana", message: "has a token with this name already"}},
	"GET /deployments/{deployment}/tokens/{token}/examples":   {{page: "/deployments/default/tokens", menu: "Actions for Grafana", button: "Examples", dialog: "Examples for Grafana"}},
	"GET /deployments/{deployment}/tokens/{token}/delete":     {{page: "/deployments/default/tokens", menu: "Actions for Grafana", button: "Delete", dialog: "Delete Grafana?"}},
	"GET /deployments/{deployment}/rules/files/{file}/delete": {{page: "/deployments/default/rules", menu: "Actions for story.yml", button: "Delete", dialog: "Delete story.yml?"}},
	"GET /users/invite": {{page: "/users", button: "Invite user", dialog: "Invite user", field: "Email", wrong: "editor@example.com", message: "exists already"}},
	"GET /users/{user}/{action}": {
		{page: "/users", menu: "Actions for editor@example.com", button: "Change role", dialog: "Role of editor@example.com"},
		{page: "/users", menu: "Actions for editor@example.com", button: "Reset password", dialog: "Reset password for editor@example.com?"},
		{page: "/users", menu: "Actions for editor@example.com", button: "Disable", dialog: "Disable editor@example.com?"},
		{page: "/users", menu: "Actions for left@example.com", button: "Enable", dialog: "Enable left@example.com?"},
		{page: "/users", menu: "Actions for editor@example.com", button: "Delete", dialog: "Delete editor@example.com?"},
	},
	"GET /api-keys/create":       {{page: "/api-keys", button: "Create API key", dialog: "Create API key", field: "Name", wrong: "terraform", message: "exists already"}},
	"GET /api-keys/{key}":        {{page: "/api-keys", menu: "Actions for terraform", button: "Example", dialog: "Example for terraform"}},
	"GET /api-keys/{key}/revoke": {{page: "/api-keys", menu: "Actions for terraform", button: "Revoke", dialog: "Revoke terraform?"}},
}

// opener is the button with which the dialog is opened, and which gets the focus back.
func (p dialogPlace) opener() string {
	if p.menu != "" {
		return p.menu
	}
	return p.button
}

// open opens the dialog by keyboard.
func (p dialogPlace) open(b *tab) {
	b.Helper()
	b.focus("button", p.opener())
	b.press(kb.Enter)
	if p.menu != "" {
		b.find("button", p.button)
		for range 5 {
			b.press(kb.Tab)
			if b.focused() == "button "+p.button {
				break
			}
		}
		b.waitFocus("button", p.button)
		b.press(kb.Enter)
	}
	b.find("dialog", p.dialog)
}

// wantFocusInside goes through the open dialog with Tab until it begins anew, and checks that nothing behind it gets the focus.
func (b *tab) wantFocusInside(dialog string) {
	b.Helper()
	// On its way round, through the window of the browser, the body has the focus.
	const where = `((e) => {
		if (e === document.body) return "round";
		if (!e.closest("dialog[open]")) return "at " + e.outerHTML.slice(0, 200);
		const seen = e.seen;
		e.seen = true;
		return seen ? "round" : "inside";
	})(document.activeElement)`
	at := eval[string](b, where)
	for n := 0; at == "inside" && n < 100; n++ {
		b.press(kb.Tab)
		at = eval[string](b, where)
	}
	if at != "round" {
		b.Errorf("from the dialog %s, Tab does not lead round, but is %s", dialog, at)
	}
}

// TestEveryDialog opens and closes every dialog by keyboard, and shows it as a page without JavaScript.
func TestEveryDialog(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	furnish(t, dir)
	furnishOrganization(t, dir)
	tiers := tightTier(t)
	furnishLifecycle(t, dir, tiers)
	p := serve(t, dir, tiers...)
	p.waitRunning("default")
	furnishRules(t, p)
	mux := routes(t)
	b, plain := openTab(t, p.console), openTab(t, p.console)
	b.signIn(browserEmail, "/deployments")
	plain.withoutScripts()
	plain.signIn(browserEmail, "/deployments")
	for route, all := range dialogs {
		for _, place := range all {
			b.visit(place.page)
			before := b.visits()
			place.open(b)
			var path string
			for visited := range b.visits() {
				if !before[visited] && routeOf(mux, visited) == route {
					path = visited
				}
			}
			b.wantFocusInside(place.dialog)
			place.refuses(b)
			b.press(kb.Escape)
			b.waitGone("dialog", place.dialog)
			b.waitFocus("button", place.opener())

			plain.visit(place.page)
			if place.menu != "" {
				plain.click("button", place.menu)
			}
			plain.click("button", place.button)
			plain.waitPath(path)
			place.refuses(plain)
			if !plain.has("link", "Cancel") && !plain.has("link", "Done") {
				t.Errorf("the page of %s has no way back", place.dialog)
			}
		}
	}
}

// refuses types what is wrong, and presses Enter.
func (p dialogPlace) refuses(b *tab) {
	b.Helper()
	if p.field != "" {
		b.fill(p.field, p.wrong)
		b.press(kb.Enter)
		b.wantFieldError(p.field, p.message, p.wrong)
	}
}
