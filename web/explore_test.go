package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/web"
)

// newExploreSite starts a console whose deployments answer with what serve does. seen gives the tenants and people that read them.
func newExploreSite(t *testing.T, serve http.HandlerFunc) (s *site, v *visitor, d gatehouse.Deployment, seen *[]string) {
	seen = new([]string)
	s, v = newSiteWithAdmin(t, func(c *web.Config) {
		c.Explore = func(_, person string, tenant *gatehouse.Tenant) http.Handler {
			*seen = append(*seen, fmt.Sprint(person, " ", tenant))
			return serve
		}
	})
	d = s.addDeployment("prod")
	s.run(d)
	return s, v, d, seen
}

// run says that a deployment runs.
func (s *site) run(d gatehouse.Deployment) {
	s.Helper()
	if err := s.store.SetState(s.Context(), d.ID, gatehouse.State{Status: gatehouse.Running, At: time.Now()}); err != nil {
		s.Fatal(err)
	}
}

// frame gives the address of the frame that the page shows, up to where the deployment begins.
func (v *visitor) frame(d gatehouse.Deployment, query string) string {
	v.Helper()
	p := v.get("/deployments/" + d.ID + "/explore" + query).wantStatus(http.StatusOK)
	return strings.TrimSuffix(p.attr("iframe", "src"), "/prometheus/vmui/")
}

func TestExploreShowsAnIsolatedFrame(t *testing.T) {
	_, v, d, _ := newExploreSite(t, nil)
	p := v.get("/deployments/" + d.ID + "/explore").wantStatus(http.StatusOK)
	if got := p.attr("iframe", "sandbox"); got != "allow-scripts" {
		t.Errorf("sandbox %q", got)
	}
	if policy := p.header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; frame-src 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("policy %q", policy)
	}
	if policy := v.get("/deployments").header.Get("Content-Security-Policy"); strings.Contains(policy, "frame-src") {
		t.Error("other pages may hold frames")
	}
	if other := v.frame(d, ""); other == strings.TrimSuffix(p.attr("iframe", "src"), "/prometheus/vmui/") {
		t.Error("two pages share a key")
	}
}

func TestWhatAFrameGetsIsIsolated(t *testing.T) {
	_, v, d, _ := newExploreSite(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"Location", "Set-Cookie", "Clear-Site-Data", "Alt-Svc", "Strict-Transport-Security", "Refresh", "Link",
			"Access-Control-Allow-Credentials", "Service-Worker-Allowed", "Etag", "Trailer"} {
			w.Header().Set(name, "x")
		}
		w.Header().Set("Content-Security-Policy", "sandbox allow-scripts allow-same-origin")
		w.Header().Add("Content-Security-Policy", "default-src *")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("X-Frame-Options", "ALLOW")
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, "/vmui/") {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Length", "17")
			io.WriteString(w, "<title>ui</title>")
			return
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, r.Method, " ", r.URL, " ", string(body), " ", r.Header["Referer"], r.Header["Origin"], r.RequestURI)
	})
	base := v.frame(d, "")
	stranger := v.visitor() // the frame has no cookie
	for _, path := range []string{"/prometheus/vmui/", "/api/v1/query?query=up"} {
		p := stranger.get(base+path, headers{"Referer": "http://console" + base, "Origin": "null", "Sec-Fetch-Site": "cross-site"}).wantStatus(http.StatusOK)
		for name := range p.header {
			switch name {
			case "Content-Type", "Content-Length", "Date", "Content-Security-Policy", "Cross-Origin-Resource-Policy", "Access-Control-Allow-Origin",
				"Referrer-Policy", "X-Content-Type-Options", "Cache-Control":
			default:
				t.Errorf("%s: the frame gets %s: %s", path, name, p.header.Get(name))
			}
		}
		if got := p.header["Content-Security-Policy"]; len(got) != 1 || !strings.HasPrefix(got[0], "sandbox allow-scripts; default-src 'none'") ||
			!strings.Contains(got[0], "frame-ancestors 'self'") {
			t.Errorf("%s: policy %q", path, got)
		}
		if got := p.header.Get("Access-Control-Allow-Origin"); got != "null" {
			t.Errorf("%s: open to %s", path, got)
		}
		if got := p.header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("%s: referrer policy %s", path, got)
		}
	}
	page := stranger.get(base + "/prometheus/vmui/").body
	if !strings.HasPrefix(page, "<!DOCTYPE html><script>") || !strings.HasSuffix(page, "</script><title>ui</title>") {
		t.Errorf("page %q", page)
	}
	got := stranger.do(http.MethodPost, base+"/api/v1/query?step=1", map[string][]string{"query": {"up"}}, headers{"Origin": "null", "Referer": base}).body
	if got != "POST /api/v1/query?step=1 query=up [] []" {
		t.Errorf("the deployment sees %q", got)
	}
}

func TestAFrameEndsWithWhatAllowedIt(t *testing.T) {
	s, admin, d, seen := newExploreSite(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "data") })
	s.addUser(viewerEmail, gatehouse.Viewer)
	v := s.signedIn(viewerEmail)
	base, others := v.frame(d, ""), admin.frame(d, "")
	ask := func(base string) int { return s.visitor().get(base + "/api/v1/query").status }
	if got := ask(base); got != http.StatusOK {
		t.Fatalf("a viewer reads with status %d", got)
	}
	if got := strings.Join(*seen, ", "); got != "viewer@example.com <nil>, admin@example.com <nil>" {
		t.Errorf("read by %s", got)
	}
	v.post("/sign-out", nil)
	if got := ask(base); got != http.StatusUnauthorized {
		t.Errorf("signed out: status %d", got)
	}
	v = s.signedIn(viewerEmail)
	base = v.frame(d, "")
	if err := s.control.DisableUser(t.Context(), system, viewerEmail); err != nil {
		t.Fatal(err)
	}
	if got := ask(base); got != http.StatusUnauthorized {
		t.Errorf("disabled: status %d", got)
	}
	for i := 0; i < 20; i++ {
		if got := ask(others); got != http.StatusOK {
			t.Fatalf("after %d more pages: status %d", i, got)
		}
		admin.frame(d, "")
	}
	if got := ask(others); got != http.StatusNotFound {
		t.Errorf("the oldest of too many: status %d", got)
	}
	if got := ask("/explore/AAAAAAAAAAAAAAAAAAAAAAAAAA"); got != http.StatusNotFound {
		t.Errorf("an invented key: status %d", got)
	}
	last := admin.frame(d, "")
	if err := s.control.DeleteDeployment(t.Context(), system, d.ID); err != nil {
		t.Fatal(err)
	}
	if got := ask(last); got != http.StatusNotFound {
		t.Errorf("deleted: status %d", got)
	}
	if log := s.log.String(); strings.Contains(log, strings.TrimPrefix(base, "/explore/")) {
		t.Errorf("the log holds a key: %s", log)
	}
}

func TestExploreAsksForTheTenantOfACluster(t *testing.T) {
	s, v, _, seen := newExploreSite(t, nil)
	d := s.addCluster("fleet")
	s.run(d)
	for query, tenant := range map[string]string{"": "0", "?tenant=": "0", "?tenant=+7:9+": "7:9"} {
		*seen = nil
		v.frame(d, query)
		if got := strings.Join(*seen, ", "); got != "admin@example.com "+tenant {
			t.Errorf("%s: read by %s", query, got)
		}
	}
	p := v.get("/deployments/" + d.ID + "/explore?tenant=multitenant").wantStatus(http.StatusUnprocessableEntity)
	p.wantText(".field-error", `The tenant "multitenant" is not valid`)
	if p.has("iframe") || p.attr("#tenant", "value") != "multitenant" {
		t.Error("the page shows a frame, or has lost what was typed")
	}
}

func TestThereIsNothingToExploreWhileADeploymentIsDown(t *testing.T) {
	s, v, _, _ := newExploreSite(t, nil)
	d := s.addDeployment("new")
	p := v.get("/deployments/" + d.ID + "/explore").wantStatus(http.StatusOK)
	p.wantText("main", "nothing to explore while the deployment is not running")
	if p.has("iframe") {
		t.Error("there is a frame")
	}
	s.visitor().get("/deployments/" + d.ID + "/explore").wantStatus(http.StatusSeeOther)
}
