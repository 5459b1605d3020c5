package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// changes are the addresses to which forms of the pages are sent, so that none is forgotten: all is what pages gives.
func changes(all []string) []string {
	deployment, token, user, key := all[3], strings.TrimSuffix(all[7], "/examples"), strings.TrimSuffix(all[14], "/role"), all[21]
	trashed := strings.TrimSuffix(all[slices.Index(all, "/trash")+1], "/restore")
	return []string{
		"/deployments/create", "/deployments/create/code", "/deployments/connect", "/deployments/connect/code", deployment + "/delete",
		deployment + "/tokens", deployment + "/tokens/code", token + "/secret", token + "/examples/vmagent", token + "/delete",
		deployment + "/stop", deployment + "/start", deployment + "/settings", deployment + "/settings/preview", deployment + "/settings/code",
		trashed + "/restore", trashed + "/free",
		"/users/invite", user + "/role", user + "/link", user + "/disable", user + "/enable", user + "/delete",
		"/api-keys/create", key + "/secret", key + "/example", key + "/revoke",
		"/profile/password", "/profile/sessions/nothing/end", "/profile/sessions/end-others",
	}
}

// anything would be accepted by each of the forms.
var anything = url.Values{
	"name": {"x"}, "access": {"rw"}, "confirm": {"prod"}, "type": {"single_node"}, "url": {"http://127.0.0.1:1"}, "email": {"x@example.com"},
	"role": {"admin"}, "expires": {"never"}, "permissions": {"rw"}, "scope": {"all"},
	"current": {password}, "password": {"staple horse battery"}, "repeat": {"staple horse battery"},
}

// part reports whether the address belongs to one of the parts of the console.
func part(path string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

func TestEditorsManageNeitherUsersNorAPIKeys(t *testing.T) {
	s, _, all, secrets := furnished(t, "prod")
	v := s.signedIn(editorEmail)
	v.get("/deployments").wantText(".sidebar", "Organization Audit log Signed in as")
	for _, path := range all {
		if !part(path, "/users", "/api-keys") {
			v.get(path).wantStatus(http.StatusOK)
			continue
		}
		v.get(path).wantStatus(http.StatusForbidden).wantText("[role=alert]", `Your role "editor" may not`)
	}
	for _, path := range changes(all) {
		if !part(path, "/users", "/api-keys") {
			continue
		}
		for _, h := range []headers{nil, htmx, copyButton} {
			p := v.post(path, anything, h).wantStatus(http.StatusForbidden)
			if strings.Contains(p.body, secrets[1]) || strings.Contains(p.body, "code=") {
				t.Errorf("%s gives an editor a secret", path)
			}
		}
	}
	if got := s.user(editorEmail); got.Role != gatehouse.Editor || len(s.apiKeys()) != 1 {
		t.Errorf("the editor has changed something: %+v", got)
	}
}

func TestViewersOnlyLookAtDeployments(t *testing.T) {
	s, _, all, secrets := furnished(t, "prod")
	s.addUser(viewerEmail, gatehouse.Viewer)
	v := s.signedIn(viewerEmail)
	p := v.get("/deployments")
	if sidebar := p.text(".sidebar"); strings.Contains(sidebar, "Organization") || strings.Contains(sidebar, "Audit") {
		t.Errorf("the sidebar offers a viewer %q", sidebar)
	}
	v.get(all[3]).wantText("main", "As a viewer you may look at this deployment")
	allowed := []string{"/deployments", all[3], "/profile", all[3] + "/monitoring", all[3] + "/monitoring?period=week"}
	for _, path := range append(all, "/audit/export?format=csv", all[3]+"/audit/export?format=jsonl") {
		if slices.Contains(allowed, path) {
			v.get(path).wantStatus(http.StatusOK)
			continue
		}
		v.get(path).wantStatus(http.StatusForbidden).wantText("[role=alert]", `Your role "viewer" may not`)
	}
	for _, path := range changes(all) {
		if part(path, "/profile") {
			continue
		}
		for _, h := range []headers{nil, htmx, copyButton} {
			p := v.post(path, anything, h).wantStatus(http.StatusForbidden)
			for _, value := range secrets {
				if strings.Contains(p.body, value) {
					t.Errorf("%s gives a viewer a secret", path)
				}
			}
		}
	}
}

func TestAnotherSiteReachesNoForm(t *testing.T) {
	s, v, all, _ := furnished(t, "prod")
	for _, path := range append(changes(all), "/invite", "/sign-in", "/sign-out", "/setup", "/theme") {
		for _, h := range []headers{{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example.com"}} {
			v.post(path, anything, h).wantStatus(http.StatusForbidden).wantText("main", "Another site asked for this")
		}
	}
	if got := s.user(editorEmail); got.Role != gatehouse.Editor || len(s.apiKeys()) != 1 {
		t.Errorf("another site has changed something: %+v", got)
	}
	v.get("/deployments").wantStatus(http.StatusOK) // still signed in
}
