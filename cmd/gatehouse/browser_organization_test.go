package main

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp/kb"
)

const editorEmail = "editor@example.com"

// copied presses the button and gives what is then on the clipboard.
func (b *tab) copied(button string) string {
	b.Helper()
	b.forget()
	b.click("button", button)
	b.hears("^Copied$")
	return b.clipboard()
}

func TestInvitingAnEditor(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/users")
	b.allowClipboard()
	b.click("button", "Invite user")
	b.fill("Email", editorEmail)
	b.click("radio", "Editor")
	b.click("button", "Invite")
	b.find("dialog", "Invitation link")
	link := b.copied("Copy link")
	path, ok := strings.CutPrefix(link, p.console)
	if !ok || !strings.HasPrefix(path, "/invite?code=") {
		t.Fatalf("the link is %q", link)
	}
	b.click("link", "Done")
	b.find("rowheader", editorEmail)
	b.sees(editorEmail + " Editor Invited")
	b.wantNoSecretInAnswers(strings.TrimPrefix(path, "/invite?code="))

	guest := openTab(t, p.console)
	guest.visit(path)
	guest.waitPath("/invite")
	for _, e := range call(guest, page.GetNavigationHistory, cdp.Empty{}).Entries {
		if strings.Contains(e.URL, "code=") {
			t.Error("the history of the browser holds the code")
		}
	}
	guest.sees("You sign in as " + editorEmail)
	guest.fill("Password", browserPassword)
	guest.fill("Repeat password", browserPassword)
	guest.click("button", "Set password")
	guest.waitPath("/deployments")
	guest.find("link", "Audit log")
	for _, name := range []string{"Users", "API keys"} {
		if guest.has("link", name) {
			t.Errorf("an editor is offered %s", name)
		}
	}
	guest.visit("/users")
	guest.sees(`Your role "editor" may not`)
	guest.click("button", "Sign out")
	guest.waitPath("/sign-in")
	guest.signIn(editorEmail, "/deployments")
	again := openTab(t, p.console)
	again.visit(path)
	again.sees("This link does not work, or no longer")
}

func TestManagingUsers(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/users")
	addUser(t, p.dataDir, editorEmail, "editor")
	editor := openTab(t, p.console)
	editor.signIn(editorEmail, "/deployments")
	b.visit("/users")
	act := func(email, action string) {
		t.Helper()
		b.click("button", "Actions for "+email)
		b.click("button", action)
	}

	act(browserEmail, "Disable")
	b.find("dialog", "Disable "+browserEmail+"?")
	b.click("button", "Disable")
	b.sees("This is the last admin who can sign in")
	b.press(kb.Escape)
	b.waitGone("dialog", "Disable "+browserEmail+"?")

	act(editorEmail, "Change role")
	b.click("radio", "Viewer")
	b.click("button", "Change role")
	b.sees(editorEmail + " Viewer Active")
	editor.visit("/deployments/default")
	editor.sees("As a viewer you may look at this deployment")

	act(editorEmail, "Disable")
	b.find("dialog", "Disable "+editorEmail+"?")
	b.click("button", "Disable")
	b.sees(editorEmail + " Viewer Disabled")
	editor.visit("/deployments")
	editor.find("heading", "Sign in")
	act(editorEmail, "Enable")
	b.find("dialog", "Enable "+editorEmail+"?")
	b.click("button", "Enable")
	b.sees(editorEmail + " Viewer Active")

	act(editorEmail, "Delete")
	b.find("dialog", "Delete "+editorEmail+"?")
	b.sees("Last signed in")
	b.click("button", "Delete")
	b.waitGone("rowheader", editorEmail)
}

// manage sends a request to the management API.
func (p *program) manage(key, path string) answer {
	p.t.Helper()
	req, err := http.NewRequest("GET", p.console+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("X-VM-Cloud-Access", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, body: readAll(p.t, resp)}
}

// shell runs what somebody pastes into a terminal.
func shell(t *testing.T, code string, env ...string) string {
	t.Helper()
	cmd := exec.Command("sh")
	cmd.Stdin, cmd.Env = strings.NewReader(code), append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/api-keys")
	b.allowClipboard()
	b.sees("No API keys")
	b.click("button", "Create API key")
	b.find("dialog", "Create API key")
	if b.has("checkbox", "default Single node") {
		t.Error("a key for all deployments asks for which")
	}
	b.click("radio", "Selected deployments")
	b.fill("Name", "inventory")
	b.click("button", "Create")
	b.sees("The list of deployments is empty")
	b.click("checkbox", "default Single node")
	b.click("button", "Create")
	b.find("dialog", "API key created")
	key := b.copied("Copy key")
	if a := p.manage(key, "/api/v1/deployments"); a.status != http.StatusOK || !strings.Contains(a.body, `"default"`) {
		t.Fatalf("the key got status %d: %s", a.status, a.body)
	}
	if out := shell(t, b.copied("Copy example cURL")); !strings.Contains(out, `"default"`) {
		t.Errorf("the example printed %s", out)
	}
	if a := p.request("GET", key, "/api/v1/query?query=1", ""); a.status != http.StatusUnauthorized {
		t.Errorf("the access endpoint answered an API key with status %d", a.status)
	}
	b.click("link", "Done")
	b.find("rowheader", "inventory")
	if b.copied("Copy key of inventory") != key {
		t.Error("the table copies another key")
	}
	b.wantNoSecretInAnswers(key)

	b.click("button", "Actions for inventory")
	b.click("button", "Revoke")
	b.find("dialog", "Revoke inventory?")
	b.seesMatch(`Last used .* from 127\.0\.0\.1`)
	b.click("button", "Revoke")
	b.waitGone("dialog", "Revoke inventory?") // while it is open, the table behind it cannot be found either
	b.waitGone("rowheader", "inventory")
	if a := p.manage(key, "/api/v1/deployments"); a.status != http.StatusUnauthorized {
		t.Errorf("the revoked key got status %d", a.status)
	}
}

// TestFormsPrintThemselves types into the form while its code is open, and runs what it then says.
func TestFormsPrintThemselves(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/api-keys")
	b.allowClipboard()
	b.click("button", "Create API key")
	b.fill("Name", "scripts")
	b.click("radio", "Read/Write")
	b.click("button", "Create")
	key := b.copied("Copy key")

	b.visit("/deployments/default/tokens")
	b.click("button", "Generate Token")
	b.click("DisclosureTriangle", "as cURL")
	b.fill("Name", "it's $(id)")
	b.sees(`"description":"it'\''s $(id)"`)
	b.click("radio", "Read/Write")
	b.sees(`"type":"rw"`)
	if kept := b.find("textbox", "Name").value(); kept != "it's $(id)" {
		t.Errorf("the name became %q", kept)
	}
	out := shell(t, b.copied("Copy as cURL"), "GATEHOUSE_API_KEY="+key)
	if !secretRe.MatchString(out) {
		t.Fatalf("cURL made no token: %s", out)
	}
	b.press(kb.Escape)
	b.find("rowheader", "it's $(id)")
	if id := tokenID(t, p.dataDir, "default", "it's $(id)"); id == "" {
		t.Error("there is no token with the name")
	}

	b.visit("/deployments")
	b.click("button", "Create")
	b.fill("Name", "second")
	b.click("DisclosureTriangle", "as command line")
	b.sees("gatehouse deployment create --tier=unlimited --retention=30d second")
	b.click("DisclosureTriangle", "as cURL")
	eventually(t, "the code for cURL follows", func() error {
		code := eval[string](b, `document.querySelector("#form-code details[open] pre").innerText`)
		if !strings.Contains(code, `"name":"second"`) {
			return fmt.Errorf("it is %s", code)
		}
		return nil
	})
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/tokens")
	call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
	b.click("button", "Copy key of default")
	b.hears("^Copied$") // who leaves the page before may have asked for nothing
	newToken(t, p.dataDir, "default", "=1+1", "w")
	b.visit("/audit")
	b.sees("Saw or copied access token default in default")
	b.seesMatch(`command line Generated access token =1\+1 in default this machine`)
	b.sees("person Signed in")

	b.focus("searchbox", "Who")
	b.press("ops@")
	b.sees("2 records")
	b.seesNo("=1+1")
	b.choose("Action", "Saw or copied access token")
	b.sees("1 record")
	if at := b.path(); !strings.Contains(at, "actor=ops%40") || !strings.Contains(at, "action=token.revealed") {
		t.Errorf("the address %s does not say what the page shows", at)
	}

	// Times are typed as they are shown: in Tokyo it is nine hours later.
	const type_ = `((name, time) => {
		const field = document.querySelector("[name=" + name + "]");
		field.value = new Date(time + 9 * 3600e3).toISOString().slice(0, 16);
		field.dispatchEvent(new Event("input", { bubbles: true }));
	})`
	b.visit("/audit")
	eval[any](b, type_+`("from", Date.now() - 3600e3)`)
	eventually(t, "the address names the zone", func() error {
		if at := b.path(); !strings.Contains(at, "zone=Asia%2FTokyo") {
			return fmt.Errorf("it is %s", at)
		}
		return nil
	})
	b.sees("person Signed in")
	eval[any](b, type_+`("to", Date.now() - 1800e3)`)
	b.sees("No record matches")
	b.click("link", "show all records")
	b.sees("person Signed in")

	b.visit("/audit?action=token.created")
	const download = `fetch([...document.querySelectorAll("a[download]")].find((a) => a.innerText.includes("CSV")).href).then((r) => r.text())`
	rows, err := csv.NewReader(strings.NewReader(eval[string](b, download))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 3 || !slices.Contains(rows[2], "'=1+1") {
		t.Errorf("the file holds %q", rows)
	}
	b.visit("/audit")
	b.sees("Exported audit log")
	b.visit("/deployments/default/audit")
	b.seesMatch(`Created deployment default this machine`)
	b.seesNo("person Signed in")
}

func TestChangingThePasswordEndsOtherSessions(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	other := openTab(t, p.console)
	other.signIn(browserEmail, "/deployments")
	b.click("link", browserEmail)
	b.waitPath("/profile")
	b.sees("this one")
	b.sees("on Linux")
	b.find("button", "End all others")

	b.fill("Current password", "wrong horse battery")
	b.fill("New password", "staple horse battery")
	b.fill("Repeat new password", "staple horse battery")
	b.clickToLoad("button", "Change password")
	b.sees("This is not your current password")
	b.waitFocus("textbox", "Current password")
	b.fill("Current password", browserPassword)
	b.fill("New password", "staple horse battery")
	b.fill("Repeat new password", "staple horse battery")
	b.click("button", "Change password")
	b.sees("The password is changed")
	b.waitGone("button", "End all others")
	other.visit("/deployments")
	other.find("heading", "Sign in")
	b.visit("/deployments")
	b.sees("default Running")
}

func TestAPIDocumentation(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	b.allowClipboard()
	b.clickToLoad("link", "API documentation")
	b.click("link", "Access tokens")
	b.waitPath("/api-docs")
	b.click("DisclosureTriangle", "GET /api/v1/deployments List the deployments")
	call := b.copied("Copy Request: List the deployments")
	if !strings.Contains(call, p.console+"/api/v1/deployments") {
		t.Errorf("the request is %s", call)
	}
	key := must(t, p.dataDir, "", "apikey", "create", "--name", "docs", "--permissions", "r")
	if out := shell(t, call, "GATEHOUSE_API_KEY="+key); !strings.Contains(out, `"default"`) {
		t.Errorf("it printed %s", out)
	}
	stranger := openTab(t, p.console)
	stranger.visit("/api-docs")
	stranger.find("heading", "API documentation")
}

// TestOrganizationWithoutJavaScript manages users and API keys in a browser that runs no scripts.
func TestOrganizationWithoutJavaScript(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	p.waitRunning("default")
	b := openTab(t, p.console)
	b.withoutScripts()
	b.signIn(browserEmail, "/users")
	b.clickToLoad("button", "Invite user")
	b.fill("Email", editorEmail)
	b.clickToLoad("button", "Invite")
	b.find("heading", "Invitation link")
	b.sees(p.console + "/invite?code=")
	b.click("link", "Done")
	b.find("rowheader", editorEmail)

	b.clickToLoad("link", "API keys")
	b.clickToLoad("button", "Create API key")
	b.fill("Name", "terraform")
	b.click("button", "Create")
	b.find("heading", "API key created")
	b.click("button", "Copy key")
	key := b.find("textbox", "Select the text and copy it with Ctrl+C").value()
	if a := p.manage(key, "/api/v1/deployments"); a.status != http.StatusOK {
		t.Errorf("the key got status %d", a.status)
	}
	b.clickToLoad("link", "Done")
	b.click("button", "Actions for terraform")
	b.clickToLoad("button", "Revoke")
	b.clickToLoad("button", "Revoke")
	b.sees("No API keys")

	b.clickToLoad("link", "Audit log")
	b.sees("Times are UTC")
	b.focus("searchbox", "Search object, address and details")
	b.press("terraform")
	b.clickToLoad("button", "Apply")
	b.sees("3 records")
	b.sees("person Revoked API key terraform")

	b.visit("/deployments/default/tokens/new")
	b.fill("Name", "vmagent")
	b.clickToLoad("button", "Show as code")
	b.sees(`"description":"vmagent"`)
	b.click("button", "Generate")
	b.find("heading", "Token generated")
}
