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

// pages are all addresses that show something about d and its token.
func pages(d gatehouse.Deployment, t gatehouse.Token) []string {
	base := "/deployments/" + d.ID
	token := base + "/tokens/" + t.ID
	return []string{
		"/deployments", "/deployments/create", "/deployments/connect", base, base + "/delete",
		base + "/tokens", base + "/tokens/new", token + "/examples", token + "/examples?generated=1", token + "/delete",
	}
}

func TestPagesObeyTheirSecurityPolicy(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.ReadWrite)
	nonces := map[string]bool{}
	for _, path := range append(pages(d, token), "/sign-in", "/nothing") {
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
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, value := s.addToken(d, "vmagent", gatehouse.ReadWrite)
	s.use(token, gatehouse.Use{At: token.CreatedAt, Addr: "127.0.0.1", UserAgent: "vmagent"})
	for _, path := range pages(d, token) {
		for _, h := range []headers{nil, htmx, htmxMain} {
			p := v.get(path, h).wantStatus(http.StatusOK)
			if strings.Contains(p.body, value[len("vmat_")+4:]) {
				t.Errorf("%s holds the secret", path)
			}
		}
	}
	v.get("/deployments/"+d.ID+"/tokens").wantText("code", token.Mask+"••••••••")
	if strings.Contains(s.log.String(), value) {
		t.Error("the log holds the secret")
	}
}

func TestNamesAreShownAsText(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	d := s.addDeployment(evil)
	token, _ := s.addToken(d, evil+"'", gatehouse.ReadWrite)
	s.use(token, gatehouse.Use{At: token.CreatedAt, Addr: "127.0.0.1", UserAgent: evil})
	search := "/deployments/" + d.ID + "/tokens?search=" + url.QueryEscape(evil)
	for _, path := range append(pages(d, token), search) {
		p := v.get(path).wantStatus(http.StatusOK)
		if p.has("main img") || p.has("main script") || strings.Contains(p.body, "<img") {
			t.Errorf("%s runs markup in a name", path)
		}
	}
	v.get("/deployments").wantText(".card h2", evil)
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
	if got := p.text(".tabs"); got != "Overview" {
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
	s, _ := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.ReadWrite)
	for _, path := range append(pages(d, token), "/", "/deployments/events", "/deployments/"+d.ID+"/events") {
		s.visitor().get(path).wantStatus(http.StatusSeeOther)
	}
	secret := "/deployments/" + d.ID + "/tokens/" + token.ID + "/secret"
	s.visitor().post(secret, nil, copyButton).wantStatus(http.StatusUnauthorized)
	s.visitor().get("/deployments/events", headers{"Accept": "text/event-stream"}).wantStatus(http.StatusUnauthorized)
}
