package web_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/web"
)

func credentials(email, password string) url.Values {
	return url.Values{"email": {email}, "password": {password}}
}

func TestSignInLeadsBackToThePageAskedFor(t *testing.T) {
	s := newSite(t)
	s.addUser(adminEmail, gatehouse.Admin)
	v := s.visitor()
	to := v.get("/deployments?x=1").wantStatus(http.StatusSeeOther).location()
	if to != "/sign-in?next=%2Fdeployments%3Fx%3D1" {
		t.Fatalf("led to %s", to)
	}
	form := credentials(adminEmail, password)
	form.Set("next", v.get(to).wantStatus(http.StatusOK).attr("[name=next]", "value"))
	if to := v.post("/sign-in", form).wantStatus(http.StatusSeeOther).location(); to != "/deployments?x=1" {
		t.Errorf("after signing in led to %s", to)
	}
	v.get("/deployments").wantStatus(http.StatusOK).wantText(".topbar .who", adminEmail)
}

func TestSignInNeverLeadsToAnotherSite(t *testing.T) {
	s := newSite(t)
	s.addUser(adminEmail, gatehouse.Admin)
	f := func(next, want string) {
		t.Helper()
		form := credentials(adminEmail, password)
		form.Set("next", next)
		if to := s.visitor().post("/sign-in", form).location(); to != want {
			t.Errorf("next %q led to %q, want %q", next, to, want)
		}
	}
	const home = "/deployments"
	f("https://evil.example.com/", home)
	f("//evil.example.com/", home)
	f(`/\evil.example.com/`, home)
	f("/\t/evil.example.com/", home)
	f("javascript:alert(1)", home)
	f("evil", home)
	f("", home)
	f("/sign-in", home)
	f("/deployments/a?b=c", "/deployments/a?b=c")
}

func TestWrongSignInsGetOneAnswer(t *testing.T) {
	s := newSite(t)
	s.addUser(adminEmail, gatehouse.Admin)
	s.addUser("gone@example.com", gatehouse.Editor)
	if err := s.control.DisableUser(t.Context(), system, "gone@example.com"); err != nil {
		t.Fatal(err)
	}
	f := func(email, password string) {
		t.Helper()
		v := s.visitor()
		p := v.post("/sign-in", credentials(email, password)).wantStatus(http.StatusUnauthorized)
		p.wantText("[role=alert]", "Email or password is wrong")
		if got := p.attr("[name=email]", "value"); got != email {
			t.Errorf("the email became %q", got)
		}
		if p.attr("[name=password]", "value") != "" {
			t.Error("the page repeats the password")
		}
		if v.get("/deployments").status == http.StatusOK {
			t.Error("signed in all the same")
		}
	}
	f(adminEmail, "wrong")
	f("nobody@example.com", password)
	f("gone@example.com", password)
}

func TestSignInGivesANewSession(t *testing.T) {
	s := newSite(t)
	s.addUser(adminEmail, gatehouse.Admin)
	v := s.visitor()
	p := v.post("/sign-in", credentials(adminEmail, password), headers{"Cookie": "gatehouse_session=planted"})
	cookie := p.header.Get("Set-Cookie")
	for _, want := range []string{"gatehouse_session=", "HttpOnly", "SameSite=Lax", "Path=/"} {
		if !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie)
		}
	}
	if strings.Contains(cookie, "planted") || strings.Contains(cookie, "Secure") {
		t.Errorf("cookie %s", cookie)
	}
	p = s.visitor().post("/sign-in", credentials(adminEmail, password), headers{"X-Forwarded-Proto": "https"})
	if cookie := p.header.Get("Set-Cookie"); !strings.Contains(cookie, "Secure") {
		t.Errorf("behind https the cookie is not Secure: %s", cookie)
	}
}

func TestSignOutEndsTheSessionItself(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	u, _ := url.Parse(s.url)
	stolen := v.client.Jar.Cookies(u)[0].String()
	s.visitor().get("/deployments", headers{"Cookie": stolen}).wantStatus(http.StatusOK)
	if to := v.post("/sign-out", nil).wantStatus(http.StatusSeeOther).location(); to != "/sign-in" {
		t.Errorf("led to %s", to)
	}
	s.visitor().get("/deployments", headers{"Cookie": stolen}).wantStatus(http.StatusSeeOther)
	v.get("/deployments").wantStatus(http.StatusSeeOther)
}

func TestSigningInAgainEndsTheFormerSession(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	u, _ := url.Parse(s.url)
	former := v.client.Jar.Cookies(u)[0].String()
	v.post("/sign-in", credentials(adminEmail, password)).wantStatus(http.StatusSeeOther)
	v.get("/deployments").wantStatus(http.StatusOK)
	s.visitor().get("/deployments", headers{"Cookie": former}).wantStatus(http.StatusSeeOther)
}

func TestDisablingAUserEndsTheirSession(t *testing.T) {
	s, _ := newSiteWithAdmin(t)
	s.addUser("editor@example.com", gatehouse.Editor)
	v := s.signedIn("editor@example.com")
	v.get("/deployments").wantStatus(http.StatusOK)
	if err := s.control.DisableUser(t.Context(), system, "editor@example.com"); err != nil {
		t.Fatal(err)
	}
	v.get("/deployments").wantStatus(http.StatusSeeOther)
	p := v.get("/deployments", htmxMain, headers{"HX-Current-URL": s.url + "/deployments?x=1"}).wantStatus(http.StatusUnauthorized)
	if to := p.header.Get("HX-Redirect"); to != "/sign-in?next=%2Fdeployments%3Fx%3D1" {
		t.Errorf("an open page is led to %q", to)
	}
}

func TestSetupLinkMakesOneAdmin(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	v.get("/sign-in").wantText("main", "one-time link")
	v.get("/setup").wantStatus(http.StatusForbidden)
	v.get("/setup?code=guess").wantStatus(http.StatusForbidden).wantText("main", "This link is not valid")
	v.post("/setup", credentials("me@example.com", password)).wantStatus(http.StatusForbidden)

	if to := v.get(s.setup.Path()).wantStatus(http.StatusSeeOther).location(); to != "/setup" {
		t.Fatalf("the code stays in the address %s", to)
	}
	v.get("/setup").wantStatus(http.StatusOK).wantText("h1", "Create the first admin")

	form := credentials("me@example.com", "short")
	form.Set("repeat", "short")
	p := v.post("/setup", form).wantStatus(http.StatusUnprocessableEntity)
	p.wantText("#password-error", "choose at least 12")
	if got := p.attr("[name=email]", "value"); got != "me@example.com" {
		t.Errorf("the email became %q", got)
	}
	form = credentials("me@example.com", password)
	form.Set("repeat", password+"x")
	v.post("/setup", form).wantStatus(http.StatusUnprocessableEntity).wantText("#repeat-error", "differ")

	form.Set("repeat", password)
	if to := v.post("/setup", form).wantStatus(http.StatusSeeOther).location(); to != "/deployments" {
		t.Errorf("led to %s", to)
	}
	v.get("/deployments").wantStatus(http.StatusOK).wantText(".who", "me@example.com")

	other := s.visitor()
	if to := other.get(s.setup.Path()).wantStatus(http.StatusSeeOther).location(); to != "/sign-in" {
		t.Errorf("the used link leads to %s", to)
	}
	other.get("/setup").wantStatus(http.StatusSeeOther)
}

func TestWithoutASetupThereIsNoSetupPage(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.Setup = nil })
	s.visitor().get("/setup?code=").wantStatus(http.StatusForbidden)
	s.visitor().get("/setup?code=x").wantStatus(http.StatusForbidden)
}

func TestThemeIsKept(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	theme := func() string { return v.get("/deployments").attr("html", "data-theme") }
	if theme() != "" {
		t.Errorf("at first the theme is %q", theme())
	}
	if to := v.post("/theme", url.Values{"theme": {"dark"}, "next": {"/deployments"}}).location(); to != "/deployments" {
		t.Errorf("led to %s", to)
	}
	if theme() != "dark" {
		t.Errorf("the theme is %q", theme())
	}
	v.post("/theme", url.Values{"theme": {`"><script>`}})
	if theme() != "" {
		t.Errorf("the theme is %q", theme())
	}
}

// TestAddressBehindAProxy is the one that the audit log records, and that slows down whoever guesses.
func TestAddressBehindAProxy(t *testing.T) {
	f := func(want string, trusted ...netip.Prefix) {
		t.Helper()
		s := newSite(t, func(c *web.Config) { c.TrustedProxies = trusted })
		s.addUser(adminEmail, gatehouse.Admin)
		s.visitor().post("/sign-in", credentials(adminEmail, password), headers{"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}).wantStatus(http.StatusSeeOther)
		events, _, err := s.store.Audit(t.Context(), gatehouse.AuditQuery{Limit: 1}, nil)
		if err != nil || len(events) != 1 || events[0].Action != gatehouse.SignedIn || events[0].Actor.Addr != want {
			t.Errorf("the audit log says %+v (%v), want the address %s", events, err, want)
		}
	}
	f("127.0.0.1")
	f("198.51.100.7", netip.MustParsePrefix("127.0.0.0/8"))
}
