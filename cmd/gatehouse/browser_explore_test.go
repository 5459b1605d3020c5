package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// frameURL is the address of vmui on the open Explore page.
func (b *tab) frameURL() string {
	b.Helper()
	return eval[string](b, `document.querySelector("iframe").src`)
}

// frame reaches into the frame of the open Explore page. Chromium runs it in a process of its own, as it does with other sites.
func (b *tab) frame() *tab {
	b.Helper()
	src := b.frameURL()
	var id target.ID
	eventually(b.T, "the frame is there", func() error {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		defer cancel()
		all, err := chromedp.CallBrowser(ctx, target.GetTargets, target.GetTargetsParams{})
		for _, t := range all.TargetInfos {
			if t.Type == "iframe" && strings.HasPrefix(t.URL, src) {
				id = t.TargetID
				return nil
			}
		}
		if err == nil {
			err = fmt.Errorf("not at %s", src)
		}
		return err
	})
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id), chromedp.WithDetachOnCancel())
	b.Cleanup(cancel)
	f := &tab{T: b.T, ctx: ctx, origin: b.origin, visited: map[string]bool{}}
	b.must(chromedp.Do(ctx))
	return f
}

// askScript gives vmui a query, whose result is to be a table. Where it has that query already, its button makes it ask again.
const askScript = `(() => {
	location.hash = "#/?g0.tab=1&g0.expr=" + encodeURIComponent(%s);
	for (const e of document.querySelectorAll("button")) if (e.innerText.includes("Execute Query")) e.click();
})()`

// asks asks vmui for a query until it shows the texts: VictoriaMetrics needs a while until it finds what was just written, vmui asks
// only once, and while it starts it forgets what it is asked.
func (b *tab) asks(query string, texts ...string) {
	b.Helper()
	b.sees("Execute Query")
	var asked time.Time
	eventually(b.T, "vmui shows what it finds for "+query, func() error {
		shown, err := b.text()
		for _, text := range texts {
			if err == nil && !strings.Contains(shown, text) {
				err = fmt.Errorf("there is no %q in %q", text, shown)
			}
		}
		if err != nil && time.Since(asked) > 2*time.Second {
			tryEval[any](b, sprintJS(askScript, query))
			asked = time.Now()
		}
		return err
	})
}

// exploreScenes are what an admin sees on a server that furnish has prepared.
func exploreScenes(p *program) []scene {
	return []scene{
		{"explore", func(b *tab) {
			token := newToken(b.T, p.dataDir, "default", "explorer", "rw")
			p.writeSeries(token, 5)
			p.waitKept(token)
			b.visit("/deployments/default/explore")
			b.frame().asks("last_over_time(kept[1h])", "42")
			must(b.T, p.dataDir, "", "token", "revoke", tokenID(b.T, p.dataDir, "default", "explorer"))
		}},
		{"explore-stopped", func(b *tab) { b.visit("/deployments/staging/explore"); b.sees("There is nothing to explore") }},
		{"explore-tenant-wrong", func(b *tab) {
			b.visit("/deployments/production/explore?tenant=seven")
			b.sees(`The tenant "seven" is not valid`)
		}},
	}
}

func TestExploringADeployment(t *testing.T) {
	t.Parallel()
	p, admin := newConsole(t, "/deployments")
	value := newToken(t, p.dataDir, "default", "writer", "rw")
	if a := p.request("POST", value, "/api/v1/import/prometheus", "explored{place=\"here\"} 4711"); a.status != http.StatusNoContent {
		t.Fatalf("write: status %d", a.status)
	}
	addUser(t, p.dataDir, "viewer@example.com", "viewer")
	b := openTab(t, p.console)
	b.signIn("viewer@example.com", "/deployments/default")
	b.click("link", "Explore")
	b.find("Iframe", "vmui of default")

	f := b.frame()
	f.asks("last_over_time(explored[1h])", "here", "4711")
	if got := eval[string](f, `origin`); got != "null" {
		t.Errorf("vmui runs in the origin %q", got)
	}
	key := strings.Split(strings.TrimPrefix(b.frameURL(), p.console+"/explore/"), "/")[0]

	t.Run("the frame fills the page", func(t *testing.T) {
		for _, screen := range screens {
			b.resize(screen[0], screen[1])
			const gaps = `(({ left, right, bottom }) => [left > 232, right < innerWidth, bottom < innerHeight].includes(true))(document.querySelector("iframe").getBoundingClientRect())`
			eventually(t, fmt.Sprintf("it does at %d px", screen[0]), func() error {
				gap, err := tryEval[bool](b, gaps)
				if err == nil && gap {
					err = errors.New("there is a gap")
				}
				return err
			})
		}
		b.resize(screens[0][0], screens[0][1])
	})

	t.Run("it can be seen in the metrics, apart from tokens", func(t *testing.T) {
		metrics := opsMetrics(t, p)
		if !strings.Contains(metrics, `gatehouse_explore_requests_total{status="2xx"}`) || strings.Contains(metrics, `gatehouse_access_requests_total{kind="read",status="2xx"} 1`) {
			t.Errorf("metrics: %s", metrics)
		}
	})

	t.Run("the theme of the console goes with it", func(t *testing.T) {
		admin.visit("/deployments/default")
		admin.click("button", "Dark")
		admin.waitTheme("dark")
		admin.visit("/deployments/default/explore")
		f := admin.frame()
		f.sees("Execute Query")
		if got := eval[string](f, `JSON.parse(localStorage.getItem("VMUI:THEME")).value`); got != "dark" {
			t.Errorf("vmui is %s", got)
		}
	})

	t.Run("signing out ends it", func(t *testing.T) {
		if a := consoleAnswer(t, "GET", p.console+"/explore/"+key+"/api/v1/query?query=1", ""); a.status != http.StatusOK {
			t.Errorf("before: status %d: %s", a.status, a.body)
		}
		b.click("button", "Sign out")
		b.waitPath("/sign-in")
		if a := consoleAnswer(t, "GET", p.console+"/explore/"+key+"/api/v1/query?query=1", ""); a.status != http.StatusUnauthorized {
			t.Errorf("afterwards: status %d: %s", a.status, a.body)
		}
	})

	if strings.Contains(p.log.String(), key) {
		t.Error("the log holds the key of the frame")
	}
}

// consoleAnswer asks the console as the frame does: from an origin of its own, and without a cookie.
func consoleAnswer(t *testing.T, method, url, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "null")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	header := resp.Header
	return answer{resp.StatusCode, header, readAll(t, resp)}
}

func TestExploringReachesNothingElse(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	must(t, p.dataDir, "", "deployment", "create", "second")
	p.waitRunning("second")
	b.visit("/deployments/default/explore")
	base := strings.TrimSuffix(b.frameURL(), "/prometheus/vmui/")
	for _, c := range []struct {
		what, method, path string
		status             int
	}{
		{"reads", "POST", "/prometheus/api/v1/query?query=1", 200},
		{"writes", "POST", "/api/v1/import/prometheus", 403},
		{"writes by GET", "GET", "/prometheus/api/v1/import/prometheus", 403},
		{"writes as Influx", "POST", "/write", 403},
		{"deletes", "POST", "/api/v1/admin/tsdb/delete_series?match[]=up", 403},
		{"deletes through Graphite", "POST", "/graphite/tags/delSeries", 403},
		{"shows the flags", "GET", "/flags", 403},
		{"makes a snapshot", "GET", "/snapshot/create", 403},
		{"climbs out", "GET", "/%2e%2e/%2e%2e/deployments", 404},
		{"climbs out at once", "GET", "/../../deployments", 404},
		{"names another server", "GET", "//evil.example.com/", 404},
		{"uses another method", "DELETE", "/prometheus/api/v1/query?query=1", 405},
	} {
		a := consoleAnswer(t, c.method, base+c.path, "sneaked 1")
		if a.status != c.status {
			t.Errorf("who %s gets status %d, want %d: %s", c.what, a.status, c.status, a.body)
		}
		if strings.Contains(a.body, "<title>") {
			t.Errorf("who %s gets a page of the console", c.what)
		}
		if location := a.header.Get("Location"); location != "" && !strings.HasPrefix(location, "/explore/") {
			t.Errorf("who %s is led to %s", c.what, location)
		}
	}
	for _, other := range []string{p.console + "/explore/A/api/v1/query?query=1", p.console + "/explore//api/v1/query?query=1"} {
		if a := consoleAnswer(t, "GET", other, ""); a.status == http.StatusOK {
			t.Errorf("%s: status %d", other, a.status)
		}
	}
	must(t, p.dataDir, "", "deployment", "delete", "default")
	eventually(t, "the frame of a deleted deployment ends", func() error {
		if a := consoleAnswer(t, "GET", base+"/api/v1/query?query=1", ""); a.status != http.StatusNotFound {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
}

func TestExploringATenant(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	startPrefixedNodes(t).connect(p, "fleet")
	b := openTab(t, p.console)
	b.signIn(browserEmail, "/deployments/fleet/explore")
	b.fill("Tenant", "seven")
	b.click("button", "Show")
	b.wantFieldError("Tenant", `The tenant "seven" is not valid`, "seven")
	b.fill("Tenant", "7")
	b.click("button", "Show")
	b.find("Iframe", "vmui of fleet")
	f := b.frame()
	f.asks("last_over_time(marker[1h])", "tenant 7")
	f.seesNo("tenant 8")

	base := strings.TrimSuffix(b.frameURL(), "/prometheus/vmui/")
	for path, status := range map[string]int{
		"/select/7/prometheus/api/v1/query?query=marker":           200,
		"/select/8/prometheus/api/v1/query?query=marker":           403,
		"/select/multitenant/prometheus/api/v1/query?query=marker": 403,
		"/insert/7/prometheus/api/v1/import/prometheus":            403,
		"/admin/tenants": 403,
	} {
		if a := consoleAnswer(t, "GET", base+path, ""); a.status != status || strings.Contains(a.body, "tenant 8") {
			t.Errorf("%s: status %d, want %d: %s", path, a.status, status, a.body)
		}
	}
}

// attackScript is what a hostile deployment serves in the place of vmui. It notes what it got hold of.
const attackScript = `
const got = window.got = {};
const attempt = async (name, f) => { try { got[name] = String(await f()); } catch (e) { got[name] = "refused"; } };
(async () => {
	await attempt("cookie", () => document.cookie);
	await attempt("the console's page", () => parent.document.body.innerText);
	await attempt("its address", () => parent.location.href);
	await attempt("a page of the console", async () => (await fetch("/deployments", { credentials: "include" })).text());
	await attempt("an invisible answer", async () => (await fetch("/deployments", { credentials: "include", mode: "no-cors" })).text());
	await attempt("a frame of the console", () => { const f = document.createElement("iframe"); f.src = "/deployments"; document.body.append(f); return f.contentDocument.body.innerText; });
	await attempt("another window", () => open("/deployments") ?? "refused");
	await attempt("a service worker", () => navigator.serviceWorker.register("evil.js"));
	await attempt("another server", async () => (await fetch("http://gatehouse.test/")).text());
	for (const path of ["/deployments/second/delete", "/sign-out", "/deployments/default/tokens"]) {
		const body = new URLSearchParams({ confirm: "second", name: "planted", access: "rw" });
		await attempt("POST " + path, async () => (await fetch(path, { method: "POST", credentials: "include", mode: "no-cors", body })).type);
		const form = Object.assign(document.createElement("form"), { method: "POST", action: path });
		form.innerHTML = '<input name="confirm" value="second"><input name="name" value="planted"><input name="access" value="rw">';
		document.body.append(form);
		await attempt("form " + path, () => { form.submit(); return "sent"; });
	}
	await attempt("the whole window", () => { top.location = "/sign-in"; return "sent"; });
	got.done = "yes";
})();`

// startHostile runs a deployment that does what it can against whoever looks at it.
func startHostile(t *testing.T) (url string, seen func() string) {
	var mu sync.Mutex
	var requests strings.Builder
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		if strings.Contains(r.URL.Path, "vmui") {
			fmt.Fprintln(&requests, r.Method, r.URL, r.Header)
		}
		mu.Unlock()
		h := w.Header()
		h.Set("Clear-Site-Data", `"*"`)
		h.Set("Set-Cookie", "gatehouse_session=stolen; Path=/")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Set("Content-Security-Policy", "sandbox allow-scripts allow-same-origin allow-top-navigation allow-forms allow-popups")
		h.Set("Refresh", "0;url=/deployments")
		switch {
		case strings.HasSuffix(r.URL.Path, "/vmui/"):
			h.Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!doctype html><html><body>hostile<script>window.inline = true</script><script src="evil.js"></script></body></html>`)
		case strings.HasSuffix(r.URL.Path, "/evil.js"):
			h.Set("Content-Type", "text/javascript")
			fmt.Fprint(w, attackScript)
		case strings.HasSuffix(r.URL.Path, "/vmui/away"):
			h.Set("Location", "/deployments")
			w.WriteHeader(http.StatusFound)
		default:
			fmt.Fprint(w, "OK")
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() string { mu.Lock(); defer mu.Unlock(); return requests.String() }
}

func TestAHostileDeploymentCannotUseTheConsole(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments")
	must(t, p.dataDir, "", "deployment", "create", "second")
	p.waitRunning("second")
	url, seen := startHostile(t)
	must(t, p.dataDir, "", "deployment", "connect", "hostile", "--type", "single_node", "--url", url)
	p.waitRunning("hostile")
	b.expectTrouble(`.`) // the browser reports every attempt that it stops
	b.visit("/deployments/hostile/explore")
	f := b.frame()
	var got map[string]string
	eventually(t, "the attacks are over", func() error {
		var err error
		if got, err = tryEval[map[string]string](f, `window.got ?? {}`); err == nil && got["done"] == "" {
			err = fmt.Errorf("got as far as %v", got)
		}
		return err
	})
	t.Logf("%v", got)
	for what, result := range got {
		switch {
		case what == "done", strings.HasPrefix(what, "form "), strings.HasPrefix(what, "POST "): // what counts is what they changed
		case what == "an invisible answer" && result == "":
		case result != "refused":
			t.Errorf("a hostile deployment got %s: %s", what, result)
		}
	}
	if eval[bool](f, `window.inline === true`) {
		t.Error("a script without a file ran")
	}
	if got := b.path(); got != "/deployments/hostile/explore" {
		t.Errorf("the window went to %s", got)
	}
	away := consoleAnswer(t, "GET", b.frameURL()+"away", "")
	for _, name := range []string{"Location", "Clear-Site-Data", "Set-Cookie", "Refresh", "Access-Control-Allow-Credentials"} {
		if v := away.header.Get(name); v != "" {
			t.Errorf("the browser gets %s: %s", name, v)
		}
	}
	if policy := away.header["Content-Security-Policy"]; len(policy) != 1 || !strings.HasPrefix(policy[0], "sandbox allow-scripts;") {
		t.Errorf("policy %q", policy)
	}
	key := strings.Split(strings.TrimPrefix(b.frameURL(), p.console+"/explore/"), "/")[0]
	if all := seen(); strings.Contains(all, key) || strings.Contains(all, "Cookie") || strings.Contains(all, "Authorization") || strings.Contains(all, "Referer") {
		t.Errorf("the deployment learns too much: %s", all)
	}

	b.visit("/deployments")
	b.sees("3 deployments") // and still signed in
	if tokens := must(t, p.dataDir, "", "token", "list", "--deployment", "default"); strings.Contains(tokens, "planted") {
		t.Errorf("a token was made: %s", tokens)
	}
}
