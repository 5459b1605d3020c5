package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
)

// scene is one state of the console to look at.
type scene struct {
	name string
	show func(b *tab)
}

// doorScenes are what somebody sees who is not signed in, on a server that nobody has used.
func doorScenes(p *program) []scene {
	link := p.setupLink()
	return []scene{
		{"setup", func(b *tab) { b.visit(link); b.find("button", "Create admin") }},
		{"setup-refused", func(b *tab) {
			b.visit(link)
			b.fill("Email", browserEmail)
			b.fill("Password", "short")
			b.click("button", "Create admin")
			b.sees("choose at least 12")
		}},
		{"sign-in-no-user", func(b *tab) { b.visit("/sign-in"); b.sees("There is no user yet") }},
		{"link-wrong", func(b *tab) { b.visit("/setup?code=wrong"); b.sees("This link is not valid") }},
		{"sign-in", func(b *tab) {
			addUser(b.T, p.dataDir, browserEmail, "admin")
			b.visit("/deployments/default/tokens")
			b.find("button", "Sign in")
		}},
		{"sign-in-wrong", func(b *tab) {
			b.visit("/sign-in")
			b.fill("Email", browserEmail)
			b.fill("Password", "wrong")
			b.press(kb.Enter)
			b.sees("Email or password is wrong")
		}},
		{"no-deployments", func(b *tab) { b.signIn(browserEmail, "/deployments"); b.sees("No deployments yet") }},
	}
}

// scenes are what an admin sees on a server that furnish has prepared.
func scenes() []scene {
	tokens := func(b *tab) { b.visit("/deployments/default/tokens"); b.find("button", "Generate Token") }
	menu := func(b *tab, name string) { tokens(b); b.click("button", "Actions for "+name) }
	connect := func(b *tab) {
		b.visit("/deployments")
		b.click("button", "Connect existing")
		b.find("dialog", "Connect existing")
	}
	return []scene{
		{"deployments", func(b *tab) {
			b.visit("/deployments")
			b.sees("default Running")
			b.sees("production Running")
			b.sees("staging Error")
		}},
		{"deployment-menu", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Actions for default")
			b.find("button", "Delete")
		}},
		{"deployment-delete", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Actions for production")
			b.click("button", "Delete")
			b.fill("Type the name of the deployment to confirm", "prod")
			b.click("button", "Delete")
			b.sees("This is not the name")
		}},
		{"create", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Create")
			b.find("dialog", "Create deployment")
		}},
		{"create-refused", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Create")
			b.fill("Name", "default")
			b.click("button", "Create")
			b.sees("exists already")
		}},
		{"connect", connect},
		{"connect-cluster", func(b *tab) {
			connect(b)
			b.fill("Name", "fleet")
			b.click("radio", "Cluster")
			b.fill("vminsert URL", "ftp://10.0.0.5")
			b.click("button", "Connect")
			b.sees("is not a full http or https URL")
		}},
		{"connect-advanced", func(b *tab) {
			connect(b)
			b.fill("Name", "guarded")
			b.fill("URL", "https://vm.internal:8428")
			b.click("DisclosureTriangle", "Advanced settings")
			b.fill("Password optional", "secret")
			b.click("button", "Connect")
			b.sees("The user name for VictoriaMetrics is missing")
		}},
		{"overview", func(b *tab) { b.visit("/deployments/default"); b.sees("Last request") }},
		{"overview-unused", func(b *tab) { b.visit("/deployments/production"); b.sees("Send your first data") }},
		{"overview-error", func(b *tab) { b.visit("/deployments/staging"); b.sees("refuses the connection") }},
		{"tokens", func(b *tab) { tokens(b); b.find("rowheader", "vmagent prod") }},
		{"token-menu", func(b *tab) { menu(b, "Grafana"); b.find("button", "Examples") }},
		{"tokens-none-match", func(b *tab) { b.visit("/deployments/default/tokens?search=nobody"); b.sees("No token matches") }},
		{"tokens-many", func(b *tab) { b.visit("/deployments/staging/tokens?page=2"); b.sees("51–") }},
		{"tokens-long-name", func(b *tab) { b.visit("/deployments/staging/tokens?search=a-name"); b.find("rowheader", longName) }},
		{"token-long-name-delete", func(b *tab) {
			b.visit("/deployments/staging/tokens")
			b.click("button", "Actions for "+longName)
			b.click("button", "Delete")
			b.sees("Never used")
		}},
		{"tokens-cluster", func(b *tab) { b.visit("/deployments/production/tokens"); b.find("rowheader", "team seven") }},
		{"copied", func(b *tab) { tokens(b); b.click("button", "Copy key of Grafana"); b.hears("^Copied$") }},
		{"generate", func(b *tab) {
			tokens(b)
			b.click("button", "Generate Token")
			b.fill("Name", "vmagent staging")
		}},
		{"generate-cluster", func(b *tab) {
			b.visit("/deployments/production/tokens/new")
			b.fill("Name", "team eight")
			b.click("DisclosureTriangle", "Advanced settings")
			b.fill("Tenant optional", "eight")
			b.click("button", "Generate")
			b.sees(`The tenant "eight" is not valid`)
		}},
		{"generated", func(b *tab) {
			tokens(b)
			b.click("button", "Generate Token")
			b.fill("Name", "edge site")
			b.click("button", "Generate")
			b.sees("Waiting for the first request")
		}},
		{"examples-write", func(b *tab) { menu(b, "vmalert"); b.click("button", "Examples"); b.find("tab", "Write") }},
		{"examples-read", func(b *tab) { menu(b, "vmalert"); b.click("button", "Examples"); b.click("tab", "Read") }},
		{"examples-more", func(b *tab) {
			menu(b, "vmalert")
			b.click("button", "Examples")
			b.click("DisclosureTriangle", "More clients")
			b.find("button", "Copy example Telegraf")
		}},
		{"sidebar", func(b *tab) {
			b.resize(360, 740)
			b.visit("/deployments")
			b.click("button", "Menu")
			b.sees("Signed in as " + browserEmail)
		}},
		{"token-delete", func(b *tab) {
			menu(b, "vmagent prod")
			b.click("button", "Delete")
			b.seesMatch(`Last used .* ago from 10\.0\.0\.7 \(vmagent/1\.151\.0\)`)
		}},
		{"not-copied", func(b *tab) {
			tokens(b)
			eval[any](b, `void (document.execCommand = () => false, navigator.clipboard.writeText = () => Promise.reject())`)
			b.click("button", "Copy key of Grafana")
			b.find("dialog", "Not copied")
		}},
		{"page-generate", func(b *tab) { b.visit("/deployments/default/tokens/new"); b.find("button", "Generate") }},
		{"page-examples", func(b *tab) { b.visit(examplesPath(b)); b.find("tab", "Write") }},
		{"not-found", func(b *tab) { b.visit("/nothing"); b.sees("There is no such page") }},
	}
}

func examplesPath(b *tab) string {
	b.visit("/deployments/default/tokens")
	return eval[string](b, `document.querySelector("form[action$='/examples']").getAttribute("action")`)
}

const longName = "a-name-of-one-hundred-characters-without-any-space-at-which-a-line-could-be-broken-anywhere-in-it-xx"

// furnish fills a data directory with what a busy team would have.
func furnish(t *testing.T, dir string) {
	t.Helper()
	vm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/metrics") {
			w.Write([]byte(`vm_app_version{version="victoria-metrics", short_version="v1.151.0"} 1` + "\n"))
			return
		}
		w.Write([]byte("OK"))
	}))
	t.Cleanup(vm.Close)
	must(t, dir, "", "deployment", "create", "default")
	must(t, dir, "", "deployment", "connect", "production", "--type", "cluster", "--insert-url", vm.URL+"/insert", "--select-url", vm.URL+"/select")
	must(t, dir, "", "deployment", "connect", "staging", "--type", "single_node", "--url", "http://127.0.0.1:1")
	addTokens(t, dir, "staging", 80)

	team := gatehouse.Actor{Kind: gatehouse.Person, Name: browserEmail, Role: gatehouse.Admin}
	var uses []gatehouse.TokenUse
	err := (&commands{DataDir: dir}).withData(t.Context(), func(ctl *control.Control, _ gatehouse.Actor) error {
		for _, n := range []struct {
			gatehouse.NewToken
			used        time.Duration // ago; 0: never
			addr, agent string
		}{
			{gatehouse.NewToken{DeploymentID: "staging", Name: longName, Access: gatehouse.Read}, 0, "", ""},
			{gatehouse.NewToken{DeploymentID: "default", Name: "OpenTelemetry Collector", Access: gatehouse.Write}, 3 * time.Hour, "10.0.1.22", "OpenTelemetry Collector Contrib/0.115.0"},
			{gatehouse.NewToken{DeploymentID: "default", Name: "Prometheus eu-west-1", Access: gatehouse.Write}, 8 * time.Second, "10.0.0.31", "Prometheus/3.5.0"},
			{gatehouse.NewToken{DeploymentID: "default", Name: "vmalert", Access: gatehouse.ReadWrite}, 20 * time.Second, "10.0.0.12", "vmalert/1.151.0"},
			{gatehouse.NewToken{DeploymentID: "default", Name: "Grafana", Access: gatehouse.Read}, 2 * time.Minute, "10.0.0.20", "Grafana/12.1.0"},
			{gatehouse.NewToken{DeploymentID: "default", Name: "vmagent prod", Access: gatehouse.Write}, time.Second, "10.0.0.7", "vmagent/1.151.0"},
			{gatehouse.NewToken{DeploymentID: "production", Name: "team seven", Access: gatehouse.Write, Tenant: &gatehouse.Tenant{AccountID: 7, ProjectID: 9}}, 0, "", ""},
		} {
			token, _, err := ctl.CreateToken(t.Context(), team, n.NewToken)
			if err != nil {
				return err
			}
			if n.used > 0 {
				first := gatehouse.Use{At: time.Now().Add(-72 * time.Hour), Addr: n.addr, UserAgent: n.agent}
				last := first
				last.At = time.Now().Add(-n.used)
				uses = append(uses, gatehouse.TokenUse{TokenID: token.ID, Use: first}, gatehouse.TokenUse{TokenID: token.ID, Use: last})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, sqlite.File))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.SaveUses(t.Context(), uses); err != nil {
		t.Fatal(err)
	}
}
