package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestFormsPrintThemselves(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addCluster("many")
	f := func(path string, form url.Values, texts ...string) {
		t.Helper()
		for _, h := range []headers{nil, htmx} {
			p := v.post(path, form, h).wantStatus(http.StatusOK)
			for _, text := range texts {
				p.wantText("#form-code pre", text)
			}
			if got := p.attr("[name=name]", "value"); got != form.Get("name") {
				t.Errorf("the name became %q", got)
			}
			if !p.has("#form-code details[open]") || !p.has("button[formaction="+path+"]") {
				t.Error("the code is not open, or cannot be asked for again")
			}
		}
	}
	f(tokensPath(d)+"/code", url.Values{"name": {"vmagent's"}, "access": {"w"}},
		s.url+"/api/v1/deployments/"+d.ID+"/access_tokens", `{"type":"w","description":"vmagent'\''s"}`, "$GATEHOUSE_API_KEY",
		`resource "victoriametricscloud_access_token" "vmagent_s"`, "gatehouse token create --deployment="+d.ID)
	f("/deployments/create/code", url.Values{"name": {"prod"}},
		s.url+"/api/v1/deployments", `resource "victoriametricscloud_deployment" "prod"`, "gatehouse deployment create prod")
	f("/deployments/connect/code", url.Values{"name": {"fleet"}, "type": {"cluster"}, "insert_url": {"http://a:8480 http://b:8480"}, "select_url": {"http://c:8481"}},
		`"insert_urls":["http://a:8480","http://b:8480"]`, "gatehouse deployment connect --type=cluster --insert-url=http://a:8480")
	f("/deployments/connect/code", url.Values{"name": {"-"}, "type": {"cluster"}, "max_concurrent_requests": {"many"}}, "connect")

	if got := s.tokens(d); len(got) != 1 {
		t.Errorf("asking for code made a token: %q", got)
	}
	if all, _ := s.control.Deployments(t.Context(), system); len(all) != 1 {
		t.Error("asking for code made a deployment")
	}
}

func TestCodeHoldsNoCredentials(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	form := url.Values{
		"name": {"guarded"}, "type": {"single_node"}, "url": {"http://10.0.0.5:8428"}, "upstream_username": {"gate"},
		"upstream_password": {"hunter2-password"}, "upstream_key": {"hunter2-key"},
	}
	p := v.post("/deployments/connect/code", form, htmx).wantStatus(http.StatusOK)
	p.wantText("#form-code pre", "--upstream-username=gate --upstream-password-file=PASSWORD_FILE")
	if strings.Contains(p.body, "hunter2") {
		t.Error("the code holds a credential")
	}
}

func TestCodeOfAnOpenFormComesWithTheForm(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	p := v.get(tokensPath(d)+"/new", htmx).wantStatus(http.StatusOK)
	p.wantText("#form-code summary", "as cURL")
	p.wantText("#form-code summary", "as Terraform")
	p.wantText("#form-code summary", "as command line")
	if p.has("#form-code details[open]") {
		t.Error("the code is open before anybody asks")
	}
	p = v.post(tokensPath(d), url.Values{"name": {""}, "access": {"r"}}, htmx).wantStatus(http.StatusUnprocessableEntity)
	p.wantText("#form-code pre", `"type":"r"`)
}
