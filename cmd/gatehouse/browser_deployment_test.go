package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// wantFieldError waits until the message stands beside the field, and checks that the field kept what was typed.
func (b *tab) wantFieldError(field, message, typed string) {
	b.Helper()
	b.sees(message)
	e := b.find("textbox", field)
	if got := e.description(); !strings.Contains(got, message) {
		b.Errorf("%q is not said of the field %q, but %q", message, field, got)
	}
	if got := e.value(); got != typed {
		b.Errorf("the field %q became %q", field, got)
	}
	b.waitFocus("textbox", field)
}

func TestCreatingAndDeletingADeployment(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	b.click("button", "Create")
	refused := func(name, message string) {
		t.Helper()
		b.fill("Name", name)
		b.click("button", "Create")
		b.wantFieldError("Name", message, name)
	}
	refused("default", "exists already")
	refused(strings.Repeat("n", 101), "The name has 101 characters")
	refused("", "The name is empty")
	b.fill("Name", "second")
	b.click("button", "Create")

	b.find("heading", "second")
	stayed := b.stay()
	b.seesMatch(`Running .* VictoriaMetrics v1\.`)
	stayed()
	b.visit("/deployments")
	b.sees("2 deployments")

	value := newToken(t, p.dataDir, "second", "soon gone", "rw")
	p.waitRunning("second")
	b.click("button", "Actions for second")
	b.click("button", "Delete")
	b.find("dialog", "Delete second?")
	b.sees("its 2 access tokens stop working at once")
	b.fill("Type the name of the deployment to confirm", "secnod")
	b.click("button", "Delete")
	b.wantFieldError("Type the name of the deployment to confirm", "This is not the name", "secnod")
	b.fill("Type the name of the deployment to confirm", "second")
	b.click("button", "Delete")
	b.waitGone("dialog", "Delete second?")
	b.sees("1 deployment")
	b.seesNo("second")
	if a := p.request("GET", value, "/api/v1/query?query=1", ""); a.status != http.StatusUnauthorized {
		t.Errorf("a token of the deleted deployment got status %d", a.status)
	}
}

func TestConnectingExistingDeployments(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	const password = "upstream secret 7"
	asked := make(chan string, 1000)
	vm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, given, _ := r.BasicAuth(); user != "gate" || given != password {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		asked <- r.URL.Path
		w.Write([]byte("OK"))
	}))
	t.Cleanup(vm.Close)

	b.click("button", "Connect existing")
	b.fill("Name", "outside")
	refused := func(url, message string) {
		t.Helper()
		b.fill("URL", url)
		b.click("button", "Connect")
		b.wantFieldError("URL", message, url)
	}
	refused("10.0.0.5:8428", "is not a full http or https URL")
	refused("http://ops:hunter2@10.0.0.5:8428", "holds a user name or password")
	refused("", "is missing")

	b.fill("URL", vm.URL+" "+vm.URL+"/second")
	b.click("DisclosureTriangle", "Advanced settings")
	b.fill("Password optional", password)
	b.click("button", "Connect")
	b.wantFieldError("User name optional", "The user name for VictoriaMetrics is missing", "")
	if source := eval[string](b, `document.documentElement.outerHTML`); strings.Contains(source, password) {
		t.Error("the page sends the password back")
	}
	b.fill("User name optional", "gate")
	b.fill("Password optional", password)
	b.fill("Client certificate optional", "not a certificate")
	b.click("button", "Connect")
	b.wantFieldError("Client certificate optional", "needs its private key", "not a certificate")
	b.fill("Client certificate optional", "")
	b.fill("Password optional", password)
	b.click("button", "Connect")
	b.find("heading", "outside")
	b.sees("Running")
	b.sees("with credentials")
	b.sees(vm.URL + "/second")
	if len(asked) == 0 {
		t.Error("VictoriaMetrics was never asked with the credential")
	}

	b.visit("/deployments")
	b.click("button", "Connect existing")
	b.fill("Name", "fleet")
	b.click("radio", "Cluster")
	b.waitGone("textbox", "URL")
	b.fill("vminsert URL", "ftp://10.0.0.5")
	b.fill("vmselect URL", "http://127.0.0.1:1")
	b.click("button", "Connect")
	b.wantFieldError("vminsert URL", "is not a full http or https URL", "ftp://10.0.0.5")
	if kept := b.find("textbox", "vmselect URL").value(); kept != "http://127.0.0.1:1" {
		t.Errorf("the other field became %q", kept)
	}
	b.fill("vminsert URL", "http://127.0.0.1:1")
	b.click("button", "Connect")
	b.find("heading", "fleet")
	b.sees("at http://127.0.0.1:1 refuses the connection")
	b.sees("Error Cluster Connected")
	if shown := must(t, p.dataDir, "", "deployment", "show", "fleet"); !strings.Contains(shown, "refuses the connection") {
		t.Errorf("the command line says:\n%s", shown)
	}
}

func TestWithoutEngineProgramsTheConsoleOffersToConnect(t *testing.T) {
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	useChromium(t) // which is found in PATH
	t.Setenv("PATH", t.TempDir())
	p, err := tryServe(t, dir, "--engine-dir", t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	b := openTab(t, p.console)
	b.signIn(browserEmail, "/deployments")
	b.sees("Gatehouse cannot run VictoriaMetrics here.")
	b.sees("No deployments yet")
	if b.has("button", "Create") {
		t.Error("Create is offered, which cannot work")
	}
	b.find("button", "Connect existing")
}
