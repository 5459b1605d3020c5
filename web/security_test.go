package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"gatehouse/internal/gatehouse"
)

func TestAnotherSiteChangesNothing(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	form := url.Values{"name": {"planted"}, "access": {"rw"}}
	path := "/deployments/" + d.ID + "/tokens"
	v.post(path, form, headers{"Sec-Fetch-Site": "cross-site"}).wantStatus(http.StatusForbidden).wantText("main", "Another site asked for this")
	v.post(path, form, headers{"Origin": "https://evil.example.com"}).wantStatus(http.StatusForbidden)
	v.post(path, form, headers{"Origin": "null"}).wantStatus(http.StatusForbidden)
	if got := s.tokens(d); len(got) != 1 {
		t.Errorf("tokens %q", got)
	}
	v.post(path, form, headers{"Sec-Fetch-Site": "same-origin"}).wantStatus(http.StatusSeeOther)
}

// pages are all addresses that show something about d, a deleted deployment, a token, a user and an API key.
func pages(d, gone gatehouse.Deployment, t gatehouse.Token, u gatehouse.User, k gatehouse.APIKey) []string {
	base := "/deployments/" + d.ID
	token, user, key := base+"/tokens/"+t.ID, "/users/"+u.ID, "/api-keys/"+k.ID
	return []string{
		"/deployments", "/deployments/create", "/deployments/connect", base, base + "/delete",
		base + "/tokens", base + "/tokens/new", token + "/examples", token + "/examples?generated=1", token + "/delete",
		base + "/audit", "/audit", "/users", "/users/invite", user + "/role", user + "/link", user + "/disable", user + "/enable", user + "/delete",
		"/api-keys", "/api-keys/create", key, key + "?created=1", key + "/revoke", "/profile",
		base + "/settings", base + "/stop", "/trash", "/trash/" + gone.ID + "/restore", "/trash/" + gone.ID + "/free",
		base + "/monitoring", base + "/monitoring?period=week", token, token + "?period=day",
	}
}

// furnished is a site with one of each: a deployment with a token, a user and an API key, each with the name.
func furnished(t *testing.T, name string) (s *site, admin *visitor, all []string, secrets []string) {
	s, admin = newSiteWithAdmin(t)
	d, gone := s.addDeployment(name), s.addDeployment(name+"-")
	s.discard(gone)
	token, tokenSecret := s.addToken(d, name+"'", gatehouse.ReadWrite)
	s.use(token, gatehouse.Use{At: token.CreatedAt, Addr: "127.0.0.1", UserAgent: name})
	k, keySecret := s.addAPIKey(gatehouse.NewAPIKey{Name: name, Deployments: []string{d.ID}})
	if _, err := s.control.KeyActor(t.Context(), keySecret, gatehouse.Client{Addr: "127.0.0.1", UserAgent: name}); err != nil {
		t.Fatal(err)
	}
	s.addUser(editorEmail, gatehouse.Editor)
	return s, admin, pages(d, gone, token, s.user(editorEmail), k), []string{tokenSecret, keySecret}
}

func TestPagesObeyTheirSecurityPolicy(t *testing.T) {
	s, v, all, _ := furnished(t, "prod")
	nonces := map[string]bool{}
	for _, path := range append(all, "/sign-in", "/nothing") {
		p := v.get(path)
		if path == "/sign-in" {
			p = s.visitor().get(path)
		}
		nonce := p.attr("script", "nonce")
		if nonces[nonce] || nonce == "" {
			t.Errorf("%s: the nonce %q is not new", path, nonce)
		}
		nonces[nonce] = true
		checkHeaders(t, path, p, nonce)
		for n := range p.doc.Descendants() {
			checkElement(t, path, n, nonce)
		}
	}
}

func checkHeaders(t *testing.T, path string, p page, nonce string) {
	t.Helper()
	policy := p.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "default-src 'none'; script-src 'nonce-"+nonce+"';") || strings.Contains(policy, "unsafe") {
		t.Errorf("%s: policy %s", path, policy)
	}
	for name, want := range map[string]string{
		"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Vary": "HX-Request",
	} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %s is %q", path, name, got)
		}
	}
}

// checkElement finds what the policy would block, and htmx attributes that hx-csp would remove.
func checkElement(t *testing.T, path string, n *html.Node, nonce string) {
	t.Helper()
	if n.Type != html.ElementNode {
		return
	}
	if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
		t.Errorf("%s: inline %s", path, n.Data)
	}
	requests := false
	for _, a := range n.Attr {
		if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
			t.Errorf("%s: attribute %s of <%s>", path, a.Key, n.Data)
		}
		requests = requests || a.Key == "hx-get" || a.Key == "hx-post"
	}
	if got, _ := attribute(n, "hx-nonce"); requests && got != nonce {
		t.Errorf("%s: <%s> has the hx-nonce %q", path, n.Data, got)
	}
}

func TestNoPageHoldsASecret(t *testing.T) {
	s, v, all, secrets := furnished(t, "prod")
	for _, path := range all {
		for _, h := range []headers{nil, htmx, htmxMain} {
			p := v.get(path, h).wantStatus(http.StatusOK)
			for _, value := range secrets {
				if strings.Contains(p.body, value[len("vmat_")+4:]) {
					t.Errorf("%s holds a secret", path)
				}
			}
		}
	}
	for _, value := range secrets {
		if strings.Contains(s.log.String(), value) {
			t.Error("the log holds a secret")
		}
	}
}

func TestNamesAreShownAsText(t *testing.T) {
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	_, v, all, _ := furnished(t, evil)
	query := url.QueryEscape(evil)
	all = append(all, "/audit?text="+query+"&actor="+query+"&action="+query+"&from="+query+"&zone="+query)
	for _, path := range append(all, all[5]+"?search="+query) {
		p := v.get(path).wantStatus(http.StatusOK)
		if p.has("main img") || p.has("main script") || strings.Contains(p.body, "<img") {
			t.Errorf("%s runs markup in a name", path)
		}
	}
	v.get("/deployments").wantText(".card h2", evil)
	v.get("/api-keys").wantText("tbody", evil)
	v.get("/audit").wantText("tbody", evil)
}

func TestViewersSeeNoTokensAndNoSecrets(t *testing.T) {
	s, _ := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, value := s.addToken(d, "vmagent", gatehouse.ReadWrite)
	s.addUser(viewerEmail, gatehouse.Viewer)
	v := s.signedIn(viewerEmail)

	p := v.get("/deployments").wantStatus(http.StatusOK)
	p.wantText(".card h2", "prod")
	if p.has("main form") || p.has(".menu") {
		t.Error("the list offers a viewer to change something")
	}
	p = v.get("/deployments/" + d.ID).wantStatus(http.StatusOK)
	if got := p.text(".tabs"); got != "Overview Monitoring Explore" {
		t.Errorf("tabs %q", got)
	}
	if strings.Contains(p.body, "vmagent") || strings.Contains(p.body, token.Mask+"•") {
		t.Error("the Overview tells a viewer of tokens")
	}
	base := "/deployments/" + d.ID
	for _, path := range []string{
		"/deployments/create", "/deployments/connect", base + "/delete", base + "/tokens", base + "/tokens/new",
		base + "/tokens/" + token.ID + "/examples", base + "/tokens/" + token.ID + "/delete",
	} {
		v.get(path).wantStatus(http.StatusForbidden).wantText("[role=alert]", `Your role "viewer" may not`)
	}
	form := url.Values{"name": {"x"}, "access": {"rw"}, "confirm": {"prod"}, "type": {"single_node"}, "url": {"http://127.0.0.1:1"}}
	for _, path := range []string{
		"/deployments/create", "/deployments/connect", base + "/delete", base + "/tokens",
		base + "/tokens/" + token.ID + "/secret", base + "/tokens/" + token.ID + "/examples/vmagent", base + "/tokens/" + token.ID + "/delete",
	} {
		for _, h := range []headers{nil, htmx, copyButton} {
			if p := v.post(path, form, h).wantStatus(http.StatusForbidden); strings.Contains(p.body, value) {
				t.Errorf("%s gives a viewer the secret", path)
			}
		}
	}
	if got := s.tokens(d); len(got) != 2 {
		t.Errorf("tokens %q", got)
	}
}

func TestSignedOutVisitorsReachNothing(t *testing.T) {
	s, _, all, _ := furnished(t, "prod")
	for _, path := range append(all, "/", "/deployments/events", all[3]+"/events", "/audit/export?format=csv") {
		s.visitor().get(path).wantStatus(http.StatusSeeOther)
	}
	for _, path := range changes(all) {
		s.visitor().post(path, nil, copyButton).wantStatus(http.StatusUnauthorized)
	}
	s.visitor().get("/deployments/events", headers{"Accept": "text/event-stream"}).wantStatus(http.StatusUnauthorized)
}
