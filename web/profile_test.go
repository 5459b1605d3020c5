package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func passwords(current, chosen, repeat string) url.Values {
	return url.Values{"current": {current}, "password": {chosen}, "repeat": {repeat}}
}

func TestChangingOnesPasswordEndsTheOtherSessions(t *testing.T) {
	s := newSite(t)
	s.addUser(viewerEmail, gatehouse.Viewer)
	v, other := s.signedIn(viewerEmail), s.signedIn(viewerEmail)
	v.get("/profile").wantStatus(http.StatusOK).wantText("main", "You may look at deployments")

	const chosen = "staple horse battery"
	f := func(form url.Values, status int, selector, message string) {
		t.Helper()
		p := v.post("/profile/password", form).wantStatus(status)
		p.wantText(selector, message)
		if strings.Contains(p.body, chosen) || strings.Contains(p.body, password) {
			t.Error("the page repeats a password")
		}
	}
	f(passwords(password, "short", "short"), http.StatusUnprocessableEntity, "#password-error", "choose at least 12")
	f(passwords(password, chosen, chosen+"x"), http.StatusUnprocessableEntity, "#repeat-error", "differ")
	f(passwords("wrong", chosen, chosen), http.StatusUnprocessableEntity, "#current-error", "not your current password")
	other.get("/deployments").wantStatus(http.StatusOK)

	to := v.post("/profile/password", passwords(password, chosen, chosen)).wantStatus(http.StatusSeeOther).location()
	v.get(to).wantStatus(http.StatusOK).wantText(".alert", "The password is changed")
	other.get("/deployments").wantStatus(http.StatusSeeOther)
	v.get("/deployments").wantStatus(http.StatusOK)
	s.visitor().post("/sign-in", credentials(viewerEmail, chosen)).wantStatus(http.StatusSeeOther)
}

func TestGuessingTheCurrentPasswordSlowsDownAndKeepsTheSession(t *testing.T) {
	s := newSite(t)
	s.addUser(viewerEmail, gatehouse.Viewer)
	v := s.signedIn(viewerEmail)
	for range 10 {
		p := v.post("/profile/password", passwords("wrong", "staple horse battery", "staple horse battery"))
		if p.status == http.StatusTooManyRequests {
			p.wantText("[role=alert]", "Too many failed attempts")
			v.get("/profile").wantStatus(http.StatusOK)
			return
		}
		p.wantStatus(http.StatusUnprocessableEntity)
	}
	t.Error("ten wrong passwords were tried at full speed")
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := newSite(t)
	s.addUser(viewerEmail, gatehouse.Viewer)
	s.addUser(editorEmail, gatehouse.Editor)
	v := s.signedIn(viewerEmail)
	firefox := s.visitor()
	firefox.post("/sign-in", credentials(viewerEmail, password), headers{"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}).
		wantStatus(http.StatusSeeOther)
	third, stranger := s.signedIn(viewerEmail), s.signedIn(editorEmail)

	p := v.get("/profile").wantStatus(http.StatusOK)
	p.wantText("tbody", "Firefox on Linux")
	p.wantText("tbody", "127.0.0.1")
	if got := strings.Count(p.text("tbody"), "this one"); got != 1 {
		t.Errorf("%d sessions are this one", got)
	}
	if rows := len(find(p.doc, "tbody tr")); rows != 3 {
		t.Fatalf("%d sessions", rows)
	}
	var path string
	for _, form := range find(p.doc, "tbody form") {
		button := find(form, "button")[0]
		if label, _ := attribute(button, "aria-label"); strings.Contains(label, "Firefox on Linux") {
			path, _ = attribute(form, "action")
		}
	}
	stranger.post(path, nil).wantStatus(http.StatusSeeOther)
	firefox.get("/deployments").wantStatus(http.StatusOK) // nobody ends the session of another
	if to := v.post(path, nil).wantStatus(http.StatusSeeOther).location(); to != "/profile" {
		t.Errorf("led to %s", to)
	}
	firefox.get("/deployments").wantStatus(http.StatusSeeOther)
	v.post(path, nil).wantStatus(http.StatusSeeOther) // it has ended already

	v.post("/profile/sessions/end-others", nil).wantStatus(http.StatusSeeOther)
	third.get("/deployments").wantStatus(http.StatusSeeOther)
	stranger.get("/deployments").wantStatus(http.StatusOK)
	p = v.get("/profile").wantStatus(http.StatusOK)
	if rows := len(find(p.doc, "tbody tr")); rows != 1 || p.has("tbody form") {
		t.Errorf("%d sessions are left", rows)
	}
}
