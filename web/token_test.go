package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func tokensPath(d gatehouse.Deployment) string { return "/deployments/" + d.ID + "/tokens" }

func TestGeneratingATokenLeadsToItsExamples(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	v.get(tokensPath(d)).wantText("main button", "Generate Token")
	p := v.get(tokensPath(d) + "/new").wantStatus(http.StatusOK)
	p.wantText("legend", "Access level")
	if p.has("[name=tenant]") {
		t.Error("a single node offers tenants")
	}
	to := v.post(tokensPath(d), url.Values{"name": {"vmagent prod"}, "access": {"w"}}).wantStatus(http.StatusSeeOther).location()
	p = v.get(to).wantStatus(http.StatusOK)
	p.wantText("h1", "Token generated")
	p.wantText(".key", "••••••••")
	p.wantText("#token-status", "Waiting for the first request")
	p.wantText("[role=tab]", "Write")
	if strings.Contains(p.text("[role=tab]"), "Read") {
		t.Error("a write token has examples that read")
	}
	p.wantText("#panel-write pre", endpointURL)
}

func TestGeneratingATokenByHTMXShowsTheDialogAndWakesThePage(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	p := v.post(tokensPath(d), url.Values{"name": {"grafana"}, "access": {"r"}}, htmx).wantStatus(http.StatusOK)
	p.wantText("dialog h2", "Token generated")
	p.wantText("dialog [role=tab]", "Read")
	if p.header.Get("HX-Trigger") != "changed" || p.has("html[lang]") {
		t.Errorf("HX-Trigger %q", p.header.Get("HX-Trigger"))
	}
}

func TestGenerateKeepsWrongInputAndSaysWhy(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d, cluster := s.addDeployment("prod"), s.addCluster("many")
	f := func(d gatehouse.Deployment, form url.Values, status int, selector, message string) {
		t.Helper()
		p := v.post(tokensPath(d), form, htmx).wantStatus(status)
		p.wantText(selector, message)
		for _, name := range []string{"name", "tenant"} {
			if p.has("[name="+name+"]") && p.attr("[name="+name+"]", "value") != form.Get(name) {
				t.Errorf("%s was not kept", name)
			}
		}
		if a := form.Get("access"); a != "" && a != "x" && !p.has("[name=access][value="+a+"][checked]") {
			t.Error("the access level was not kept")
		}
	}
	const invalid = http.StatusUnprocessableEntity
	f(d, url.Values{"name": {""}, "access": {"r"}}, invalid, "#name-error", "The name is empty")
	f(d, url.Values{"name": {"default"}, "access": {"rw"}}, http.StatusConflict, "#name-error", "a token with this name already")
	f(d, url.Values{"name": {"x"}, "access": {"x"}}, invalid, "#access-error", "unknown")
	f(d, url.Values{"name": {"x"}, "access": {"r"}, "tenant": {"7"}}, invalid, "[role=alert]", "A single-node deployment has no tenants")
	f(cluster, url.Values{"name": {"x"}, "access": {"r"}, "tenant": {"-1"}}, invalid, "#tenant-error", "not valid")
	if p := v.post(tokensPath(cluster), url.Values{"name": {"x"}, "access": {"r"}, "tenant": {"-1"}}, htmx); !p.has("details[open]") {
		t.Error("the error is in closed settings")
	}
	v.post(tokensPath(cluster), url.Values{"name": {"x"}, "access": {"r"}, "tenant": {"7:9"}}, htmx).wantStatus(http.StatusOK).wantText(".tag", "Tenant 7:9")
	v.get(tokensPath(cluster)).wantText("[data-label=Tenant]", "7:9")
}

func TestCopyButtonsFetchTheSecret(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, value := s.addToken(d, "vmagent", gatehouse.Write)
	path := tokensPath(d) + "/" + token.ID

	p := v.get(tokensPath(d))
	if !p.has("form[action=" + path + "/secret][method=post][data-copy-secret]") {
		t.Error("the list has no copy button")
	}
	p = v.post(path+"/secret", nil, copyButton).wantStatus(http.StatusOK)
	if p.body != value || p.header.Get("Content-Type") != "text/plain; charset=utf-8" || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("answer %q, headers %v", p.body, p.header)
	}
	p = v.post(path+"/examples/vmagent", nil, copyButton).wantStatus(http.StatusOK)
	if !strings.Contains(p.body, value) || !strings.Contains(p.body, endpointURL) || strings.Contains(p.body, "•") {
		t.Errorf("example %q", p.body)
	}
	if n := s.auditCount(gatehouse.TokenRevealed); n != 2 {
		t.Errorf("%d audit records", n)
	}
	v.post(path+"/examples/grafana", nil, copyButton).wantStatus(http.StatusNotFound)
	v.post(path+"/examples/nothing", nil, copyButton).wantStatus(http.StatusNotFound)
	v.get(path + "/secret").wantStatus(http.StatusNotFound)
	if n := s.auditCount(gatehouse.TokenRevealed); n != 2 {
		t.Errorf("%d audit records after refusals", n)
	}

	// Without JavaScript the answer is a page.
	p = v.post(path+"/secret", nil).wantStatus(http.StatusOK)
	p.wantText("textarea[readonly]", value)
	if p.header.Get("Cache-Control") != "no-store" {
		t.Error("the page may be kept")
	}
}

func TestDeletingATokenShowsTheEvidence(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	used, _ := s.addToken(d, "used", gatehouse.Write)
	unused, _ := s.addToken(d, "unused", gatehouse.Write)
	s.use(used, gatehouse.Use{At: time.Now().Add(-40*time.Minute - 5*time.Second), Addr: "10.0.0.7", UserAgent: "vmagent/1.151.0"})

	p := v.get(tokensPath(d)+"/"+used.ID+"/delete", htmx).wantStatus(http.StatusOK)
	p.wantText("dialog h2", "Delete used?")
	p.wantText("dialog .evidence", "Last used 40 minutes ago from 10.0.0.7 (vmagent/1.151.0)")
	v.get(tokensPath(d)+"/"+unused.ID+"/delete", htmx).wantText("dialog .evidence", "Never used")

	p = v.post(tokensPath(d)+"/"+used.ID+"/delete", nil, htmx).wantStatus(http.StatusNoContent)
	if p.header.Get("HX-Trigger") != "changed, dialog:done" {
		t.Errorf("HX-Trigger %q", p.header.Get("HX-Trigger"))
	}
	if to := v.post(tokensPath(d)+"/"+unused.ID+"/delete", nil).wantStatus(http.StatusSeeOther).location(); to != tokensPath(d) {
		t.Errorf("led to %s", to)
	}
	if got := fmt.Sprint(s.tokens(d)); got != "[default]" {
		t.Errorf("tokens %s", got)
	}
	p = v.post(tokensPath(d)+"/"+used.ID+"/delete", nil, htmx).wantStatus(http.StatusNotFound)
	p.wantText("dialog [role=alert]", "There is no access token with this ID")
	if p.header.Get("HX-Retarget") != "#overlay" {
		t.Error("the error takes the place of something else")
	}
}

func TestATokenBelongsToItsDeployment(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	one, other := s.addDeployment("one"), s.addDeployment("other")
	token, _ := s.addToken(one, "vmagent", gatehouse.Write)
	path := tokensPath(other) + "/" + token.ID
	v.get(path + "/examples").wantStatus(http.StatusNotFound)
	v.post(path+"/secret", nil, copyButton).wantStatus(http.StatusNotFound)
	v.post(path+"/delete", nil).wantStatus(http.StatusNotFound)
	if got := fmt.Sprint(s.tokens(one)); got != "[default vmagent]" {
		t.Errorf("tokens %s", got)
	}
}

func TestTokensAreSearchedFilteredSortedAndPaged(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	for i := range 120 {
		access := gatehouse.Read
		if i%2 == 0 {
			access = gatehouse.Write
		}
		s.addToken(d, fmt.Sprintf("client %03d", i), access)
	}
	f := func(query, span, first string, rows int) {
		t.Helper()
		p := v.get(tokensPath(d)+query, htmxMain).wantStatus(http.StatusOK)
		p.wantText(".filter-count", span)
		if got := len(find(p.doc, "tbody tr")); got != rows {
			t.Errorf("%s: %d rows, want %d", query, got, rows)
		}
		if rows == 0 {
			p.wantText(".blank", first)
		} else if names := find(p.doc, "tbody .name a"); names[0].FirstChild.Data != first {
			t.Errorf("%s begins with %q, want %q", query, names[0].FirstChild.Data, first)
		}
	}
	f("", "1–50 of 121 tokens", "client 119", 50)
	f("?page=3", "101–121 of 121 tokens", "client 019", 21)
	f("?page=99", "101–121 of 121 tokens", "client 019", 21)
	f("?page=-1", "1–50 of 121 tokens", "client 119", 50)
	f("?sort=name", "1–50 of 121 tokens", "client 000", 50)
	f("?sort=name&order=desc", "1–50 of 121 tokens", "default", 50)
	f("?sort=nonsense", "1–50 of 121 tokens", "client 119", 50)
	f("?search=CLIENT+01", "10 tokens", "client 019", 10)
	f("?search=client+01&access=r", "5 tokens", "client 019", 5)
	f("?search=%25", "0 tokens", "No token matches", 0)

	p := v.get(tokensPath(d) + "?sort=name&search=client")
	if got := p.attr("th[aria-sort=ascending] a", "href"); got != tokensPath(d)+"?order=desc&search=client&sort=name" {
		t.Errorf("a second click on the column leads to %s", got)
	}
	if got := p.attr("[name=search]", "value"); got != "client" {
		t.Errorf("the search became %q", got)
	}
	if got := p.attr("#main", "hx-get"); got != tokensPath(d)+"?search=client&sort=name" {
		t.Errorf("the page keeps itself up to date from %s", got)
	}
}

func TestFirstUseIsNews(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	f := func(name string, access gatehouse.Access) {
		t.Helper()
		const want = "First request received"
		token, _ := s.addToken(d, name, access)
		s.use(token, gatehouse.Use{At: time.Now(), Addr: "127.0.0.1", UserAgent: "vmagent/1.151.0"})
		for _, path := range []string{"/deployments/" + d.ID, tokensPath(d)} {
			v.get(path, htmxMain).wantText(".first-uses", want+" just now from 127.0.0.1, vmagent/1.151.0 with token "+name)
		}
		v.get(tokensPath(d)+"/"+token.ID+"/examples", htmx).wantText("#token-status", want+" just now from 127.0.0.1, vmagent/1.151.0")
	}
	f("a", gatehouse.Write)
	f("b", gatehouse.Read)
	f("c", gatehouse.ReadWrite)

	old, _ := s.addToken(d, "old", gatehouse.Write)
	s.use(old, gatehouse.Use{At: time.Now().Add(-time.Hour), Addr: "127.0.0.1"})
	if p := v.get(tokensPath(d)); strings.Contains(p.text(".first-uses"), "old") {
		t.Error("what is an hour old is news")
	}
}

func TestFirstUseIsShownBesideManyBusyTokens(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	ago := func(d time.Duration) gatehouse.Use {
		return gatehouse.Use{At: time.Now().Add(-d), Addr: "10.0.0.7", UserAgent: "vmagent/1.151.0"}
	}
	for i := range 60 {
		busy, _ := s.addToken(d, fmt.Sprintf("busy %d", i), gatehouse.Write)
		s.use(busy, ago(time.Hour))
		s.use(busy, ago(0))
	}
	p := v.get("/deployments/" + d.ID + "/tokens").wantStatus(http.StatusOK)
	if p.has(".first-uses .alert") {
		t.Errorf("a first use of an hour ago is news: %s", p.text(".first-uses"))
	}
	fresh, _ := s.addToken(d, "fresh", gatehouse.Write)
	s.use(fresh, ago(time.Minute))
	for _, page := range []string{"/tokens", ""} {
		v.get("/deployments/"+d.ID+page).wantStatus(http.StatusOK).
			wantText(".first-uses", "First request received 1 minute ago from 10.0.0.7, vmagent/1.151.0 with token fresh")
	}
}
