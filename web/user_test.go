package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

const editorEmail = "editor@example.com"

func (s *site) user(email string) gatehouse.User {
	s.Helper()
	u, err := s.control.User(s.Context(), system, email)
	if err != nil {
		s.Fatal(err)
	}
	return u
}

// oneTimeLink reads a link from the dialog that shows it, without the origin.
func (p page) oneTimeLink(s *site) string {
	p.t.Helper()
	link, ok := strings.CutPrefix(p.attr("[data-copy-text]", "data-copy-text"), s.url)
	if !ok || p.text("code.url") != s.url+link {
		p.t.Fatalf("the dialog shows %q and copies %q", p.text("code.url"), p.attr("[data-copy-text]", "data-copy-text"))
	}
	return link
}

func TestInvitedUsersChooseAPassword(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	v.get("/users").wantStatus(http.StatusOK).wantText("main button", "Invite user")
	p := v.post("/users/invite", url.Values{"email": {" New@example.com "}, "role": {"editor"}}, htmx).wantStatus(http.StatusOK)
	p.wantText("dialog h2", "Invitation link")
	p.wantText("dialog", "new@example.com")
	if got := p.header.Get("HX-Trigger"); got != "changed" {
		t.Errorf("HX-Trigger %q", got)
	}
	v.get("/users").wantText("tbody", "new@example.com Editor Invited")

	guest := s.visitor()
	p = guest.get(p.oneTimeLink(s)).wantStatus(http.StatusSeeOther)
	if p.location() != "/invite" {
		t.Fatalf("the link leads to %s", p.location())
	}
	for _, want := range []string{"HttpOnly", "SameSite=Lax", "Path=/invite"} {
		if cookie := p.header.Get("Set-Cookie"); !strings.Contains(cookie, want) {
			t.Errorf("the cookie lacks %s: %s", want, cookie)
		}
	}
	guest.get("/invite").wantStatus(http.StatusOK).wantText("main", "You sign in as new@example.com")

	f := func(password, repeat, field, message string) {
		t.Helper()
		p := guest.post("/invite", url.Values{"password": {password}, "repeat": {repeat}}).wantStatus(http.StatusUnprocessableEntity)
		p.wantText("#"+field+"-error", message)
		if strings.Contains(p.body, password) {
			t.Error("the page repeats the password")
		}
	}
	f("too short 1", "too short 1", "password", "choose at least 12")
	f(password, password+"x", "repeat", "differ")

	if to := guest.post("/invite", url.Values{"password": {password}, "repeat": {password}}).wantStatus(http.StatusSeeOther).location(); to != "/deployments" {
		t.Errorf("led to %s", to)
	}
	guest.get("/deployments").wantStatus(http.StatusOK).wantText(".who", "new@example.com")
	v.get("/users").wantText("tbody", "new@example.com Editor Active")
	if strings.Contains(s.log.String(), "code=") {
		t.Error("the log holds the code")
	}
}

func TestOneTimeLinksWorkOnce(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addUser(editorEmail, gatehouse.Editor)
	path := "/users/" + s.user(editorEmail).ID + "/link"
	first := v.post(path, nil).wantStatus(http.StatusOK).oneTimeLink(s)
	second := v.post(path, nil).wantStatus(http.StatusOK).oneTimeLink(s)
	chosen := url.Values{"password": {"another horse battery"}, "repeat": {"another horse battery"}}

	refused := func(link string) {
		t.Helper()
		guest := s.visitor()
		p := guest.get(link).wantStatus(http.StatusForbidden)
		p.wantText("[role=alert]", "This link does not work, or no longer")
		if p.header.Get("Set-Cookie") != "" {
			t.Error("a dead link leaves a cookie")
		}
		guest.post("/invite", chosen, headers{"Cookie": "gatehouse_invite=" + strings.TrimPrefix(link, "/invite?code=")}).wantStatus(http.StatusForbidden)
	}
	refused(first)
	refused("/invite?code=wrong")
	s.visitor().get("/invite").wantStatus(http.StatusForbidden)
	s.visitor().post("/invite", chosen).wantStatus(http.StatusForbidden)

	before := s.signedIn(editorEmail) // the old password works until then
	guest := s.visitor()
	guest.get(second).wantStatus(http.StatusSeeOther)
	guest.get(second).wantStatus(http.StatusSeeOther) // looking does not use it up
	guest.get("/invite").wantText("h1", "Choose a new password")
	guest.post("/invite", chosen).wantStatus(http.StatusSeeOther)
	refused(second)
	before.get("/deployments").wantStatus(http.StatusSeeOther)
	s.visitor().post("/sign-in", credentials(editorEmail, password)).wantStatus(http.StatusUnauthorized)
	s.visitor().post("/sign-in", credentials(editorEmail, "another horse battery")).wantStatus(http.StatusSeeOther)
}

func TestInviteKeepsWrongInputAndSaysWhy(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	f := func(email, role string, status int, selector, message string) {
		t.Helper()
		p := v.post("/users/invite", url.Values{"email": {email}, "role": {role}}, htmx).wantStatus(status)
		p.wantText(selector, message)
		if got := p.attr("[name=email]", "value"); got != email {
			t.Errorf("the email became %q", got)
		}
		if role == "editor" && !p.has("[name=role][value=editor][checked]") {
			t.Error("the role was not kept")
		}
	}
	f("nobody", "editor", http.StatusUnprocessableEntity, "#email-error", "is not valid")
	f("", "editor", http.StatusUnprocessableEntity, "#email-error", "is not valid")
	f(adminEmail, "editor", http.StatusConflict, "#email-error", "exists already")
	f("new@example.com", "owner", http.StatusUnprocessableEntity, "#role-error", "unknown")
}

func TestChangingUsers(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addUser(editorEmail, gatehouse.Editor)
	base := "/users/" + s.user(editorEmail).ID
	do := func(action string, form url.Values) {
		t.Helper()
		v.get(base+"/"+action, htmx).wantStatus(http.StatusOK).wantText("dialog h2", editorEmail)
		p := v.post(base+"/"+action, form, htmx).wantStatus(http.StatusNoContent)
		if got := p.header.Get("HX-Trigger"); got != "changed, dialog:done" {
			t.Errorf("%s: HX-Trigger %q", action, got)
		}
	}
	do("role", url.Values{"role": {"viewer"}})
	v.get("/users").wantText("tbody", editorEmail+" Viewer Active")
	do("disable", nil)
	v.get("/users").wantText("tbody", editorEmail+" Viewer Disabled")
	do("enable", nil)
	v.get("/users").wantText("tbody", editorEmail+" Viewer Active")
	if to := v.post(base+"/delete", nil).wantStatus(http.StatusSeeOther).location(); to != "/users" {
		t.Errorf("led to %s", to)
	}
	if p := v.get("/users"); strings.Contains(p.text("tbody"), editorEmail) {
		t.Error("the deleted user is still there")
	}
	v.get(base + "/delete").wantStatus(http.StatusNotFound)
	v.get("/users/" + s.user(adminEmail).ID + "/promote").wantStatus(http.StatusNotFound)
	v.post("/users/"+s.user(adminEmail).ID+"/promote", nil).wantStatus(http.StatusNotFound)
}

func TestTheLastAdminStays(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addUser(editorEmail, gatehouse.Editor)
	base := "/users/" + s.user(adminEmail).ID
	for action, form := range map[string]url.Values{"role": {"role": {"viewer"}}, "disable": nil, "delete": nil} {
		v.post(base+"/"+action, form, htmx).wantStatus(http.StatusConflict).wantText("dialog [role=alert]", "last admin")
	}
	v.get("/users").wantText("tbody", adminEmail+" you Admin Active")
}

func TestUsersPageOffersWhatMakesSense(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addUser(editorEmail, gatehouse.Editor)
	s.addUser("gone@example.com", gatehouse.Editor)
	if err := s.control.DisableUser(t.Context(), system, "gone@example.com"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.control.InviteUser(t.Context(), system, "new@example.com", gatehouse.Viewer); err != nil {
		t.Fatal(err)
	}
	_, outside, err := s.control.SignInExternal(t.Context(), gatehouse.Client{}, gatehouse.Identity{
		Issuer: "https://id.example.com", Subject: "7", Email: "outside@example.com", Role: gatehouse.Viewer,
	})
	if err != nil {
		t.Fatal(err)
	}
	p := v.get("/users").wantStatus(http.StatusOK)
	f := func(u gatehouse.User, want string) {
		t.Helper()
		if got := p.text("#menu-" + u.ID); got != want {
			t.Errorf("%s: %q, want %q", u.Email, got, want)
		}
	}
	f(s.user(editorEmail), "Change role Reset password Disable Delete")
	f(s.user("gone@example.com"), "Change role Enable Delete")
	f(s.user("new@example.com"), "Change role New invitation link Disable Delete")
	f(outside, "Disable Delete")
	p.wantText("tbody", "outside@example.com Viewer Active External")
}
