package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// tester is an editor who presses the Test button of a guide.
type tester struct {
	*program
	client *http.Client
}

func newTester(t *testing.T, p *program) tester {
	t.Helper()
	addUser(t, p.dataDir, "editor@example.com", "editor")
	client := newBrowser(t)
	r, err := client.PostForm(p.console+"/sign-in", url.Values{"email": {"editor@example.com"}, "password": {browserPassword}})
	if status, at, text := arrived(t, r, err); status != http.StatusOK || at.Path != "/deployments" {
		t.Fatalf("signing in leads to %s with %d: %s", at, status, text)
	}
	return tester{p, client}
}

// press makes a token of the deployment and tests it on the guide. It wants the texts on the page, and the secret nowhere.
func (e tester) press(t *testing.T, guide, deployment, access string, want ...string) {
	t.Helper()
	name := "test " + access + " " + guide
	secret := newToken(t, e.dataDir, deployment, name, access)
	id := tokenID(t, e.dataDir, deployment, name)
	var d deploymentJSON
	if err := json.Unmarshal([]byte(must(t, e.dataDir, "", "deployment", "show", deployment, "--json")), &d); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"deployment": {d.ID}, "token": {id}}
	r, err := e.client.PostForm(e.console+"/integrations/"+guide+"/test", form)
	if err != nil {
		t.Fatal(err)
	}
	text := readAll(t, r)
	for _, w := range want {
		if r.StatusCode != http.StatusOK || !strings.Contains(text, w) {
			_, result, _ := strings.Cut(text, `id="test-result"`)
			t.Errorf("%s with %s on %s: status %d, want %q in: %.1500s", guide, access, deployment, r.StatusCode, w, result)
		}
	}
	if strings.Contains(text, secret) || strings.Contains(e.log.String(), secret) {
		t.Errorf("%s with %s: the page or the log holds the secret", guide, access)
	}
}

func TestTheTestButtonOnARealEngine(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	must(t, dir, "", "deployment", "create", "default")
	must(t, dir, "", "deployment", "connect", "broken", "--type", "single_node", "--url", "http://127.0.0.1:1")
	p := serve(t, dir)
	p.waitRunning("default")
	e := newTester(t, p)

	const works = "The address and the token work."
	e.press(t, "curl", "default", "rw", "Write a sample: done.", "Read it back: done.", works)
	e.press(t, "vmagent", "default", "w", "Write a sample: done.", "This token may not read", works)
	e.press(t, "grafana", "default", "r", "Run a query: done.", works)
	secret := newToken(t, dir, "default", "looks", "r")
	p.arrives(secret, `count(gatehouse_test) == 2`) // what the two tokens wrote is there

	const state = "The deployment is in the state Error."
	e.press(t, "curl", "broken", "rw", "Write a sample: failed.", "(503)", state)
	e.press(t, "grafana", "broken", "r", "Run a query: failed.", "(503)", state)
}

func TestTheTestButtonFindsAWrongAccessEndpointURL(t *testing.T) {
	t.Parallel()
	f := func(url, want string, more ...string) {
		t.Helper()
		dir := newDataDir(t)
		must(t, dir, "", "deployment", "connect", "broken", "--type", "single_node", "--url", "http://127.0.0.1:1")
		p := serve(t, dir, append(more, "--access-endpoint-url", url)...)
		newTester(t, p).press(t, "vmagent", "broken", "w", "Write a sample: failed.", want)
	}
	f("http://127.0.0.1:1", "Nothing listens at http://127.0.0.1:1. Check --access-endpoint-url")
	cert, key := writeCertificate(t, t.TempDir(), 1)
	port := freePort(t)
	f("https://localhost:"+port, "does not trust who signed the certificate", "--access-listen", "127.0.0.1:"+port, "--access-tls-cert", cert, "--access-tls-key", key)
}
