package web_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/web"
)

const goodRules = "groups:\n- name: g\n  rules:\n  - record: r\n    expr: up\n"

// postRules sends the form of a rule file as browsers do. file is what was chosen to be uploaded, if anything.
func (v *visitor) postRules(path, name, content, fileName, file string, h ...headers) page {
	v.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("name", name)
	form.WriteField("content", strings.ReplaceAll(content, "\n", "\r\n"))
	part, err := form.CreateFormFile("file", fileName)
	if err != nil {
		v.Fatal(err)
	}
	part.Write([]byte(file))
	form.Close()
	return v.doBody(http.MethodPost, path, &body, append([]headers{{"Content-Type": form.FormDataContentType(), "Origin": v.url}}, h...)...)
}

func (s *site) ruleFile(d gatehouse.Deployment, name string) string {
	s.Helper()
	f, err := s.control.RuleFile(s.Context(), system, d.ID, name)
	if err != nil {
		s.Fatal(err)
	}
	return string(f.Content)
}

func TestARuleFileIsTypedChangedAndDeleted(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	rules := "/deployments/" + d.ID + "/rules"
	v.get(rules).wantText("main", "No rules")

	if p := v.postRules(rules+"/new", "a.yml", goodRules, "", ""); p.status != http.StatusSeeOther || p.location() != rules {
		t.Fatalf("status %d, to %q: %s", p.status, p.location(), p.text("main"))
	}
	if got := s.ruleFile(d, "a.yml"); got != goodRules {
		t.Errorf("stored %q", got)
	}
	v.get(rules).wantText("table", "a.yml g 1")
	v.get(rules+"/files/a.yml").wantText("textarea", "record: r")

	bad := strings.Replace(goodRules, "expr: up", "expr: sum(up", 1)
	p := v.postRules(rules+"/files/a.yml", "", bad, "", "").wantStatus(http.StatusUnprocessableEntity)
	p.wantText("#content-error", "Line 5")
	p.wantText("textarea", "sum(up")
	if got := s.ruleFile(d, "a.yml"); got != goodRules {
		t.Errorf("the refused text was stored: %q", got)
	}
	v.postRules(rules+"/new", "a.yml", goodRules, "", "").wantStatus(http.StatusUnprocessableEntity).wantText("#name-error", "already")
	v.postRules(rules+"/new", "a/b", goodRules, "", "").wantStatus(http.StatusUnprocessableEntity).wantText("#name-error", "not valid")
	v.postRules(rules+"/new", "b.yml", goodRules, "", "").wantStatus(http.StatusUnprocessableEntity).wantText("#content-error", `has a group "g" already`)

	v.get(rules+"/files/a.yml/delete").wantText("main", "The 1 rule of a.yml")
	if p := v.post(rules+"/files/a.yml/delete", nil); p.status != http.StatusSeeOther {
		t.Fatalf("status %d", p.status)
	}
	v.get(rules).wantText("main", "No rules")
	v.get(rules + "/files/a.yml").wantStatus(http.StatusNotFound)
	if up, down := s.auditCount(gatehouse.RulesUploaded), s.auditCount(gatehouse.RulesDeleted); up != 1 || down != 1 {
		t.Errorf("%d uploads and %d deletions are recorded", up, down)
	}
}

func TestAnUploadedRuleFileIsKeptByteForByte(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	rules := "/deployments/" + d.ID + "/rules"
	file := "# written on Windows\r\n" + strings.ReplaceAll(goodRules, "\n", "\r\n") + "#" + strings.Repeat("x", 2<<20)
	if p := v.postRules(rules+"/new", "", "", "from disk.yml", file); p.status != http.StatusUnprocessableEntity {
		t.Errorf("a name with a blank: status %d", p.status)
	}
	if p := v.postRules(rules+"/new", "", "", "disk.yml", file); p.status != http.StatusSeeOther {
		t.Fatalf("status %d: %s", p.status, p.text("main"))
	}
	if got := s.ruleFile(d, "disk.yml"); got != file {
		t.Errorf("%d bytes were stored of %d", len(got), len(file))
	}
	v.get(rules+"/files/disk.yml").wantText("main", "too large to be shown here")
	v.postRules(rules+"/new", "huge.yml", "", "huge.yml", strings.Repeat("#", 22<<20)).wantStatus(http.StatusUnprocessableEntity)
}

func TestTheNotifierIsCheckedAndRecorded(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	rules := "/deployments/" + d.ID + "/rules"
	p := v.post(rules+"/notifier", url.Values{"notifier_url": {"http://u:p@am:9093"}}).wantStatus(http.StatusUnprocessableEntity)
	p.wantText("#notifier_url-error", "holds a user name or password")
	v.post(rules+"/notifier", url.Values{"notifier_url": {" http://am:9093/ "}}).wantStatus(http.StatusSeeOther)
	if got := v.get(rules).attr("#notifier_url", "value"); got != "http://am:9093" {
		t.Errorf("the notifier is %q", got)
	}
	events, _, err := s.store.Audit(t.Context(), gatehouse.AuditQuery{Action: gatehouse.DeploymentChanged}, nil)
	if err != nil || len(events) != 1 || events[0].Before["notifier_url"] != "" || events[0].After["notifier_url"] != "http://am:9093" {
		t.Errorf("recorded %+v, %v", events, err)
	}
}

func TestRulesOfConnectedDeploymentsHaveANotifierToo(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addCluster("fleet")
	rules := "/deployments/" + d.ID + "/rules"
	v.get(rules).wantText("main", "the data of tenant 0 alone")
	v.post(rules+"/notifier", url.Values{"notifier_url": {"http://am:9093"}}).wantStatus(http.StatusSeeOther)
	if got := v.get(rules).attr("#notifier_url", "value"); got != "http://am:9093" {
		t.Errorf("the notifier is %q", got)
	}
	if after, err := s.store.FindDeployment(t.Context(), d.ID); err != nil || !slices.Equal(after.InsertURLs, d.InsertURLs) || after.Managed {
		t.Errorf("the deployment is now %+v, %v", after, err)
	}
}

func TestAProblemWithRulesShowsOutsideTheirTab(t *testing.T) {
	problem := ""
	s, v := newSiteWithAdmin(t, func(c *web.Config) { c.RulesProblem = func(string) string { return problem } })
	s.addUser(viewerEmail, gatehouse.Viewer)
	d := s.addDeployment("prod")
	pages := []string{"/deployments", "/deployments/" + d.ID}
	for _, path := range pages {
		if text := v.get(path).text("main"); strings.Contains(text, "Its rules") {
			t.Errorf("%s says without a problem: %s", path, text)
		}
	}
	problem = "there is no <b>vmalert</b> program"
	for _, path := range pages {
		p := v.get(path)
		p.wantText(".alert.error", "Its rules need a look. There is no <b>vmalert</b> program. Rules of prod")
		if got := p.attr(".alert.error a", "href"); got != "/deployments/"+d.ID+"/rules" {
			t.Errorf("%s leads to %q", path, got)
		}
		if text := s.signedIn(viewerEmail).get(path).text("main"); strings.Contains(text, "vmalert") {
			t.Errorf("a viewer reads at %s: %s", path, text)
		}
	}
}

func TestViewersSeeNeitherRulesNorLogs(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	place := "/deployments/" + d.ID
	v.postRules(place+"/rules/new", "a.yml", goodRules, "", "").wantStatus(http.StatusSeeOther)
	s.addUser(viewerEmail, gatehouse.Viewer)
	viewer := s.signedIn(viewerEmail)
	if tabs := viewer.get(place).text(".tabs"); strings.Contains(tabs, "Rules") || strings.Contains(tabs, "Logs") {
		t.Errorf("a viewer is offered %q", tabs)
	}
	for _, path := range []string{"/rules", "/rules/new", "/rules/files/a.yml", "/rules/files/a.yml/delete", "/logs"} {
		viewer.get(place + path).wantStatus(http.StatusForbidden)
	}
	viewer.post(place+"/rules/notifier", url.Values{"notifier_url": {"http://am:9093"}}).wantStatus(http.StatusForbidden)
	viewer.post(place+"/rules/files/a.yml/delete", nil).wantStatus(http.StatusForbidden)
	for _, path := range []string{"/rules/new", "/rules/files/a.yml"} {
		viewer.postRules(place+path, "b.yml", goodRules, "", "").wantStatus(http.StatusForbidden)
		v.postRules(place+path, "b.yml", goodRules, "", "", headers{"Origin": "https://evil.example.com"}).wantStatus(http.StatusForbidden)
		if p := s.visitor().postRules(place+path, "b.yml", goodRules, "", ""); p.status != http.StatusSeeOther || !strings.HasPrefix(p.location(), "/sign-in") {
			t.Errorf("nobody in particular: status %d, to %q", p.status, p.location())
		}
	}
	if got := s.ruleFile(d, "a.yml"); got != goodRules {
		t.Errorf("the rules are now %q", got)
	}
}
