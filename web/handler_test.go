package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestUnknownPagesAreNotFound(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	f := func(v *visitor, path, link string) {
		t.Helper()
		p := v.get(path).wantStatus(http.StatusNotFound)
		p.wantText(".blank", "Not found")
		p.wantText("main .button", link)
	}
	f(v, "/nothing", "Go to Deployments")
	f(v, "/deployments/nothing", "Go to Deployments")
	f(v, "/deployments/nothing/tokens", "Go to Deployments")
	f(s.visitor(), "/nothing", "Go to sign-in")
	v.post("/deployments", nil).wantStatus(http.StatusNotFound)
	if to := v.get("/").wantStatus(http.StatusSeeOther).location(); to != "/deployments" {
		t.Errorf("the root leads to %s", to)
	}
}

func TestInternalErrorsGoToTheLogOnly(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.store.Close()
	for _, h := range []headers{nil, htmx, htmxMain, copyButton} {
		p := v.get("/deployments", h).wantStatus(http.StatusInternalServerError)
		if !strings.Contains(p.body, "omething went wrong inside Gatehouse") {
			t.Errorf("answer %q", p.body)
		}
		if strings.Contains(p.body, "sql") || strings.Contains(p.body, "database") {
			t.Errorf("the answer tells internals: %q", p.body)
		}
	}
	if !strings.Contains(s.log.String(), "sql: database is closed") {
		t.Errorf("log %q", s.log)
	}
}

func TestHugeFormsAreRefused(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	v.post("/deployments/create", url.Values{"name": {strings.Repeat("x", 1<<20)}}).wantStatus(http.StatusUnprocessableEntity).wantText("main", "The form could not be read")
}

func TestStaticFilesAreKeptForEver(t *testing.T) {
	s := newSite(t)
	v := s.visitor()
	paths := regexp.MustCompile(`/static/[^"]+`).FindAllString(v.get("/sign-in").body, -1)
	if len(paths) != 4 {
		t.Fatalf("static files %q", paths)
	}
	for _, path := range paths {
		p := v.get(path).wantStatus(http.StatusOK)
		if got := p.header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
	}
	if p := v.get("/static/app.000000000000.css").wantStatus(http.StatusNotFound); p.header.Get("Cache-Control") != "no-store" {
		t.Error("a missing file may be kept")
	}
}
