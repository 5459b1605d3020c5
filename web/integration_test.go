package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
	"gatehouse/web"
)

func TestTheGalleryLeadsToEveryGuide(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addDeployment("prod")
	p := v.get("/integrations").wantStatus(http.StatusOK)
	p.wantText("main h2", "Write Read")
	if !p.has(".sidebar a[href=/integrations][aria-current]") {
		t.Error("the sidebar does not show where this is")
	}
	links := 0
	for _, g := range snippet.Guides() {
		path := "/integrations/" + g.ID
		if !p.has("main a[href=" + path + "]") {
			t.Errorf("the gallery lacks %s", g.ID)
		}
		links++
		guide := v.get(path).wantStatus(http.StatusOK)
		guide.wantText("h1", g.Title)
		guide.wantText(".crumbs", "Integrations")
		if strings.Contains(guide.text(".prose"), "`") {
			t.Errorf("%s shows a back quote: %s", g.ID, guide.text(".prose"))
		}
	}
	if links != 13 {
		t.Errorf("there are %d guides", links)
	}
	v.get("/integrations/nothing").wantStatus(http.StatusNotFound).wantText("main", "There is no such page")
}

func TestGuidesAreFilledInForTheChosenToken(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addDeployment("other")
	d := s.addDeployment("prod")
	older, _ := s.addToken(d, "older", gatehouse.Write)
	s.addToken(d, "reader", gatehouse.Read)
	newest, value := s.addToken(d, "newest", gatehouse.Write)

	p := v.get("/integrations/prometheus?deployment=" + d.ID).wantStatus(http.StatusOK)
	p.wantText("pre", endpointURL+"/api/v1/write")
	p.wantText("pre", "vmat_"+newest.Mask+"••••••••")
	p.wantText("#token", "newest (Write, "+newest.Mask+"…)older (Write, "+older.Mask+"…)default (Read/Write")
	if strings.Contains(p.text("#token"), "reader") {
		t.Error("the guide offers a token that may only read")
	}
	if p.attr("#token option[selected]", "value") != newest.ID || p.attr("#deployment option[selected]", "value") != d.ID {
		t.Error("the newest token of the deployment is not chosen")
	}
	copyPath := "/deployments/" + d.ID + "/tokens/" + newest.ID + "/examples/prometheus"
	if !p.has("form[action=" + copyPath + "][data-copy-secret]") {
		t.Error("the example has no copy button")
	}
	if got := v.post(copyPath, nil, copyButton).wantStatus(http.StatusOK); !strings.Contains(got.body, value) {
		t.Errorf("the copy button gives %q", got.body)
	}

	p = v.get("/integrations/prometheus?deployment="+d.ID+"&token="+older.ID, htmxMain).wantStatus(http.StatusOK)
	p.wantText("pre", "vmat_"+older.Mask)
	if p.has("html[lang]") || p.attr("#token option[selected]", "value") != older.ID {
		t.Error("choosing a token does not show the guide for it")
	}
	// A token of another deployment is none of this one's.
	p = v.get("/integrations/prometheus?deployment=nothing&token=" + older.ID).wantStatus(http.StatusOK)
	if strings.Contains(p.body, older.Mask+"•") {
		t.Error("a token is shown for a deployment that it does not belong to")
	}
}

func TestAGuideAsksForATokenWithTheAccessThatItNeeds(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	for guide, access := range map[string]string{"vmagent": "w", "grafana": "r", "vmalert": "rw"} {
		p := v.get("/integrations/" + guide)
		if got := p.attr("main [name=access]", "value"); got != access {
			t.Errorf("the guide %s asks for %q", guide, got)
		}
		if !v.get("/deployments/" + d.ID + "/tokens/new?access=" + access).has("[name=access][value=" + access + "][checked]") {
			t.Errorf("the form does not begin with %q", access)
		}
	}
}

func TestAGuideBeginsWithATokenThatMayDoAllOfIt(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	cluster := s.addCluster("many")
	both, _ := s.addToken(cluster, "both", gatehouse.ReadWrite)
	s.addToken(cluster, "writer", gatehouse.Write)
	p := v.get("/integrations/curl").wantStatus(http.StatusOK)
	if got := p.attr("#token option[selected]", "value"); got != both.ID {
		t.Errorf("the guide begins with another token: %s", p.text("#token option[selected]"))
	}
	p.wantText("pre", endpointURL+"/insert/0/prometheus/api/v1/import/prometheus")
	p.wantText("pre", endpointURL+"/select/0/prometheus/api/v1/query")
	p.wantText("main", "As the token may use any tenant, the test uses tenant 0.")
}

func TestGuidesWithoutATokenHavePlaceholders(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	p := v.get("/integrations/vmagent").wantStatus(http.StatusOK)
	p.wantText("main", "There is no deployment yet")
	p.wantText("pre", "YOUR_ACCESS_TOKEN")

	d := s.addDeployment("prod")
	all, _, err := s.control.Tokens(t.Context(), system, gatehouse.TokenQuery{DeploymentID: d.ID})
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range all {
		if err := s.control.RevokeToken(t.Context(), system, token.ID); err != nil {
			t.Fatal(err)
		}
	}
	s.addToken(d, "reader", gatehouse.Read)
	p = v.get("/integrations/vmagent").wantStatus(http.StatusOK)
	p.wantText("main", "Generate one with Write access")
	p.wantText("pre", "YOUR_ACCESS_TOKEN")
	if p.has("form[action=/integrations/vmagent/test]") {
		t.Error("the guide tests a token that does not exist")
	}
}

func TestViewersGetGuidesWithoutTokens(t *testing.T) {
	s, _ := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, value := s.addToken(d, "hidden", gatehouse.ReadWrite)
	s.addUser(viewerEmail, gatehouse.Viewer)
	v := s.signedIn(viewerEmail)
	v.get("/integrations").wantStatus(http.StatusOK)
	for _, g := range snippet.Guides() {
		p := v.get("/integrations/" + g.ID + "?deployment=" + d.ID + "&token=" + token.ID).wantStatus(http.StatusOK)
		p.wantText("main", "Ask an admin or an editor of this Gatehouse for a token with "+g.Needs.Label()+" access")
		p.wantText("pre", "YOUR_ACCESS_TOKEN")
		if p.has("#token") || p.has("[data-copy-secret]") || p.has("main form[method=post]") || strings.Contains(p.body, "hidden (") || strings.Contains(p.body, token.Mask+"•") {
			t.Errorf("%s shows a viewer tokens", g.ID)
		}
	}
	form := url.Values{"deployment": {d.ID}, "token": {token.ID}}
	for _, h := range []headers{nil, htmx, htmxMain} {
		if p := v.post("/integrations/vmagent/test", form, h).wantStatus(http.StatusForbidden); strings.Contains(p.body, value) {
			t.Error("a refusal holds the secret")
		}
	}
	if n := s.auditCount(gatehouse.TokenRevealed); n != 0 {
		t.Errorf("%d secrets were used for a viewer", n)
	}
}

func TestGuidesObeyTheSecurityPolicy(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("<b>prod</b>")
	_, value := s.addToken(d, "<script>alert(1)</script>", gatehouse.ReadWrite)
	for _, path := range []string{"/integrations", "/integrations/vmagent", "/integrations/curl", "/integrations/grafana"} {
		p := v.get(path).wantStatus(http.StatusOK)
		nonce := p.attr("script", "nonce")
		checkHeaders(t, path, p, nonce)
		for n := range p.doc.Descendants() {
			checkElement(t, path, n, nonce)
		}
		if strings.Contains(p.body, value) || strings.Contains(p.body, "<script>alert") {
			t.Errorf("%s holds a secret or somebody's markup", path)
		}
	}
	if p := s.visitor().get("/integrations/vmagent"); p.status != http.StatusSeeOther {
		t.Errorf("a guide answers strangers with %d", p.status)
	}
}

// endpoint is a stand-in for the access endpoint, under the URL that users copy.
func endpoint(t *testing.T, h http.HandlerFunc) func(*web.Config) {
	t.Helper()
	e := httptest.NewServer(h)
	t.Cleanup(e.Close)
	return func(c *web.Config) { c.AccessEndpointURL = e.URL }
}

func TestTestingATokenUsesItsSecretAndShowsTheResult(t *testing.T) {
	asked := make(chan http.Header, 1)
	s, v := newSiteWithAdmin(t, endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header
		w.WriteHeader(http.StatusNoContent)
	}))
	d := s.addDeployment("prod")
	token, value := s.addToken(d, "writer", gatehouse.Write)
	v.get("/integrations/vmagent").wantText("main", "Gatehouse sends one sample of the metric gatehouse_test")
	form := url.Values{"deployment": {d.ID}, "token": {token.ID}}
	for _, h := range []headers{nil, htmxMain} {
		p := v.post("/integrations/vmagent/test", form, h).wantStatus(http.StatusOK)
		p.wantText("#test-result", "Write a sample: done.")
		p.wantText("#test-result", "The address and the token work.")
		if got := (<-asked).Get("Authorization"); got != "Bearer "+value {
			t.Errorf("the endpoint was asked with %q", got)
		}
		if strings.Contains(p.body, value) {
			t.Error("the page holds the secret")
		}
	}
	if n := s.auditCount(gatehouse.TokenRevealed); n != 2 {
		t.Errorf("%d audit records", n)
	}
	if strings.Contains(s.log.String(), value) {
		t.Error("the log holds the secret")
	}
}

func TestAFailedTestSaysWhy(t *testing.T) {
	s, v := newSiteWithAdmin(t, func(c *web.Config) { c.AccessEndpointURL = "http://127.0.0.1:1" })
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "reader", gatehouse.Read)
	// The address of a form is nobody's: only the configured endpoint is asked.
	form := url.Values{"deployment": {d.ID}, "token": {token.ID}, "url": {"http://169.254.169.254"}, "endpoint": {"http://169.254.169.254"}}
	p := v.post("/integrations/grafana/test", form, htmxMain).wantStatus(http.StatusOK)
	p.wantText("#test-result .error", "Run a query: failed. Nothing listens at http://127.0.0.1:1. Check --access-endpoint-url")
	if p.has(".test-verdict") {
		t.Error("a failed test is praised")
	}
}

func TestTokensThatAreGoneOrForeignAreNotTested(t *testing.T) {
	s, v := newSiteWithAdmin(t, endpoint(t, func(http.ResponseWriter, *http.Request) { t.Error("the endpoint was asked") }))
	d, other := s.addDeployment("prod"), s.addDeployment("other")
	reader, _ := s.addToken(d, "reader", gatehouse.Read)
	foreign, _ := s.addToken(other, "foreign", gatehouse.Write)
	for _, id := range []string{"", "nothing", reader.ID, foreign.ID} {
		p := v.post("/integrations/vmagent/test", url.Values{"deployment": {d.ID}, "token": {id}}, htmxMain).wantStatus(http.StatusConflict)
		p.wantText("#test-result [role=alert]", "The access token is not there any more")
	}
	if n := s.auditCount(gatehouse.TokenRevealed); n != 0 {
		t.Errorf("%d secrets were used", n)
	}
}

func TestOneTestRunsAtATimePerUser(t *testing.T) {
	arrived, release := make(chan bool, 2), make(chan bool)
	s, v := newSiteWithAdmin(t, endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
		arrived <- true
		<-release
		w.WriteHeader(http.StatusNoContent)
	}))
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "writer", gatehouse.Write)
	s.addUser(editorEmail, gatehouse.Editor)
	editor := s.signedIn(editorEmail)
	form := url.Values{"deployment": {d.ID}, "token": {token.ID}}
	run := func(v *visitor) <-chan page {
		done := make(chan page, 1)
		go func() { done <- v.post("/integrations/vmagent/test", form, htmxMain) }()
		select {
		case <-arrived:
		case <-time.After(20 * time.Second):
			t.Error("the test did not begin")
		}
		return done
	}
	first := run(v)
	v.post("/integrations/vmagent/test", form, htmxMain).wantStatus(http.StatusConflict).wantText("#test-result", "A test that you began is still running")
	second := run(editor) // others are not held up
	close(release)
	for _, done := range []<-chan page{first, second} {
		(<-done).wantStatus(http.StatusOK)
	}
	v.post("/integrations/vmagent/test", form, htmxMain).wantStatus(http.StatusOK)
	if n := s.auditCount(gatehouse.TokenRevealed); n != 3 {
		t.Errorf("%d audit records", n)
	}
}
