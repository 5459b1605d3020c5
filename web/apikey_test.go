package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func (s *site) addAPIKey(n gatehouse.NewAPIKey) (gatehouse.APIKey, string) {
	s.Helper()
	k, value, err := s.control.CreateAPIKey(s.Context(), system, n)
	if err != nil {
		s.Fatal(err)
	}
	return k, value.Reveal()
}

func (s *site) apiKeys() []gatehouse.APIKey {
	s.Helper()
	all, err := s.control.APIKeys(s.Context(), system)
	if err != nil {
		s.Fatal(err)
	}
	return all
}

// keyForm is what an admin enters who changes nothing but the name, with some fields changed.
func keyForm(name string, change ...string) url.Values {
	form := url.Values{"name": {name}, "expires": {"90d"}, "permissions": {"r"}, "scope": {"all"}}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

func TestCreatingAnAPIKey(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	s.addDeployment("other")
	v.get("/api-keys").wantStatus(http.StatusOK).wantText(".blank", "No API keys")
	v.get("/api-keys/create", htmx).wantStatus(http.StatusOK).wantText(".tick", "prod")

	p := v.post("/api-keys/create", keyForm(" terraform "), htmx).wantStatus(http.StatusOK)
	p.wantText("dialog h2", "API key created")
	p.wantText("dialog pre", "curl -sS")
	p.wantText("dialog pre", s.url+"/api/v1/deployments")
	if p.header.Get("HX-Trigger") != "changed" {
		t.Error("the page behind does not hear of it")
	}
	to := v.post("/api-keys/create", keyForm("ci", "expires", "never", "permissions", "rw", "scope", "selected", "deployments", d.ID)).
		wantStatus(http.StatusSeeOther).location()
	v.get(to).wantStatus(http.StatusOK).wantText("h1", "API key created")

	keys := s.apiKeys()
	ci, terraform := keys[0], keys[1]
	if ci.ReadOnly || len(ci.Deployments) != 1 || ci.Deployments[0] != d.ID || !ci.ExpiresAt.IsZero() {
		t.Errorf("key %+v", ci)
	}
	if days := time.Until(terraform.ExpiresAt).Hours() / 24; !terraform.ReadOnly || terraform.Deployments != nil || days < 89 || days > 90 {
		t.Errorf("key %+v", terraform)
	}
	p = v.get("/api-keys").wantStatus(http.StatusOK)
	p.wantText("#key-"+ci.ID, "ci "+ci.Mask+"••••••••")
	p.wantText("#key-"+ci.ID, "Read/Write prod")
	p.wantText("#key-"+terraform.ID, "Read-only all")
	p.wantText("#key-"+terraform.ID, "by "+adminEmail)
	p.wantText("#key-"+terraform.ID, "never used")
}

func TestCreateAPIKeyKeepsWrongInputAndSaysWhy(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	s.addAPIKey(gatehouse.NewAPIKey{Name: "taken"})
	f := func(form url.Values, status int, field, message string) {
		t.Helper()
		p := v.post("/api-keys/create", form, htmx).wantStatus(status)
		p.wantText("#"+field+"-error", message)
		if got := p.attr("[name=name]", "value"); got != form.Get("name") {
			t.Errorf("the name became %q", got)
		}
		for _, name := range []string{"expires", "permissions", "scope"} {
			if chosen := "[name=" + name + "][value=" + form.Get(name) + "]"; p.has(chosen) && !p.has(chosen+"[checked]") {
				t.Errorf("%s was not kept", name)
			}
		}
	}
	const invalid = http.StatusUnprocessableEntity
	f(keyForm(""), invalid, "name", "The name is empty")
	f(keyForm("taken"), http.StatusConflict, "name", "already")
	f(keyForm("x", "expires", "soon"), invalid, "expires", "not valid")
	f(keyForm("x", "expires", "date"), invalid, "date", "The date is missing")
	f(keyForm("x", "expires", "date", "date", "30d"), invalid, "date", "not valid")
	f(keyForm("x", "expires", "date", "date", "2020-01-31"), invalid, "date", "expired already")
	f(keyForm("x", "permissions", "root"), invalid, "permissions", "unknown")
	f(keyForm("x", "scope", "selected"), invalid, "deployments", "The list of deployments is empty")
	if len(s.apiKeys()) != 1 {
		t.Errorf("keys %+v", s.apiKeys())
	}
	form := keyForm("", "scope", "selected", "deployments", d.ID)
	if p := v.post("/api-keys/create", form, htmx); !p.has("[name=deployments][value=" + d.ID + "][checked]") {
		t.Error("the ticked deployment was not kept")
	}
	v.post("/api-keys/create", keyForm("x", "scope", "selected", "deployments", "no-such-id"), htmx)
	if len(s.apiKeys()) != 1 {
		t.Error("a key for a deployment that is not there was made")
	}
}

func TestCopyButtonsFetchTheAPIKey(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	k, value := s.addAPIKey(gatehouse.NewAPIKey{Name: "terraform"})
	path := "/api-keys/" + k.ID
	if !v.get("/api-keys").has("form[action=" + path + "/secret][method=post][data-copy-secret]") {
		t.Error("the list has no copy button")
	}
	p := v.post(path+"/secret", nil, copyButton).wantStatus(http.StatusOK)
	if p.body != value || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d characters, headers %v", len(p.body), p.header)
	}
	p = v.post(path+"/example", nil, copyButton).wantStatus(http.StatusOK)
	if !strings.Contains(p.body, "X-VM-Cloud-Access: "+value) || strings.Contains(p.body, "•") {
		t.Errorf("example %q", p.body)
	}
	if n := s.auditCount(gatehouse.APIKeyRevealed); n != 2 {
		t.Errorf("%d audit records", n)
	}
	v.get(path + "/secret").wantStatus(http.StatusNotFound)
	v.post("/api-keys/nothing/secret", nil, copyButton).wantStatus(http.StatusNotFound)
	p = v.post(path+"/secret", nil).wantStatus(http.StatusOK) // without JavaScript
	p.wantText("textarea[readonly]", value)
	p.wantText("main", "Done")
}

func TestRevokingAnAPIKeyShowsTheEvidence(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	used, value := s.addAPIKey(gatehouse.NewAPIKey{Name: "used"})
	unused, _ := s.addAPIKey(gatehouse.NewAPIKey{Name: "unused"})
	if _, err := s.control.KeyActor(t.Context(), value, gatehouse.Client{Addr: "10.0.0.9", UserAgent: "Terraform/1.10"}); err != nil {
		t.Fatal(err)
	}
	p := v.get("/api-keys/"+used.ID+"/revoke", htmx).wantStatus(http.StatusOK)
	p.wantText("dialog h2", "Revoke used?")
	p.wantText(".evidence", "from 10.0.0.9 (Terraform/1.10)")
	v.get("/api-keys/"+unused.ID+"/revoke", htmx).wantText(".evidence", "Never used")

	v.post("/api-keys/"+used.ID+"/revoke", nil, htmx).wantStatus(http.StatusNoContent)
	v.post("/api-keys/"+unused.ID+"/revoke", nil).wantStatus(http.StatusSeeOther)
	v.post("/api-keys/"+used.ID+"/revoke", nil, htmx).wantStatus(http.StatusNotFound)
	if len(s.apiKeys()) != 0 {
		t.Error("a key is left")
	}
	if _, err := s.control.KeyActor(t.Context(), value, gatehouse.Client{}); err == nil {
		t.Error("the revoked key works")
	}
}

func TestExpiredKeysAndDeletedDeploymentsAreShown(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	short, _ := s.addAPIKey(gatehouse.NewAPIKey{Name: "short", ExpiresAt: time.Now().Add(time.Second), Deployments: []string{d.ID}})
	if err := s.control.DeleteDeployment(t.Context(), system, d.ID); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(short.ExpiresAt))
	p := v.get("/api-keys").wantStatus(http.StatusOK)
	p.wantText("#key-"+short.ID, "1 deleted")
	p.wantText("#key-"+short.ID+" .badge", "Expired")
}
