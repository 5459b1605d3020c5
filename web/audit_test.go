package web_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// record writes a record of the given time.
func (s *site) record(e gatehouse.AuditEvent) {
	s.Helper()
	if err := s.store.AddAudit(s.Context(), e); err != nil {
		s.Fatal(err)
	}
}

func person(name string) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.Person, ID: "u-" + name, Name: name, Addr: "10.0.0.7"}
}

func TestAuditTellsWhoDidWhat(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	v.post(tokensPath(d), url.Values{"name": {"vmagent"}, "access": {"w"}}).wantStatus(http.StatusSeeOther)
	settings := d.Settings()
	settings.Name = "production"
	if _, err := s.control.UpdateDeployment(t.Context(), system, d.ID, settings); err != nil {
		t.Fatal(err)
	}
	s.visitor().post("/sign-in", credentials(adminEmail, "wrong"))

	p := v.get("/audit").wantStatus(http.StatusOK)
	p.wantText("tbody", adminEmail+" person Generated access token vmagent in production 127.0.0.1 access w")
	p.wantText("tbody", "Changed deployment")
	p.wantText("tbody", "name prod → became production")
	p.wantText("tbody .bad", "Failed to sign in")
	p.wantText("tbody", "test Gatehouse Created deployment")
	if first := p.text("tbody .did"); !strings.HasPrefix(first, "Failed to sign in") {
		t.Errorf("the newest is not first: %s", first)
	}

	p = v.get("/deployments/" + d.ID + "/audit").wantStatus(http.StatusOK)
	p.wantText(".tabs [aria-current=page]", "Audit log")
	p.wantText("tbody", "Generated access token vmagent 127.0.0.1")
	if strings.Contains(p.text("tbody"), "sign in") {
		t.Error("the deployment's part holds what does not concern it")
	}
}

func TestEveryActionHasWords(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	for _, a := range gatehouse.Actions {
		s.record(gatehouse.AuditEvent{At: time.Now(), Actor: person("ops@example.com"), Action: a})
	}
	p := v.get("/audit")
	for _, a := range gatehouse.Actions {
		if strings.Contains(p.text("select"), string(a)) || strings.Contains(p.text("tbody"), string(a)) {
			t.Errorf("%s is shown as it is stored", a)
		}
	}
}

func TestAuditIsFilteredAndPaged(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	noon := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for i := range 120 {
		s.record(gatehouse.AuditEvent{
			At: noon.Add(time.Duration(i) * time.Minute), Actor: person(fmt.Sprintf("ops%d@example.com", i%2)), Action: gatehouse.TokenRevealed,
			ObjectName: fmt.Sprintf("token %03d", i), Details: map[string]string{"key": fmt.Sprintf("k%03d", i)},
		})
	}
	f := func(query, span, first string, rows int) {
		t.Helper()
		p := v.get("/audit?action=token.revealed&"+query, htmxMain).wantStatus(http.StatusOK)
		p.wantText(".filter-count", span)
		if got := len(find(p.doc, "tbody tr")); got != rows {
			t.Errorf("%s: %d rows, want %d", query, got, rows)
		}
		if rows == 0 {
			p.wantText(".blank", first)
		} else if objects := find(p.doc, "tbody .object"); !strings.Contains(page{t: t, doc: objects[0]}.text("span"), first) {
			t.Errorf("%s does not begin with %q", query, first)
		}
	}
	f("", "1–50 of 120 records", "token 119", 50)
	f("page=3", "101–120 of 120 records", "token 019", 20)
	f("page=99", "101–120 of 120 records", "token 019", 20)
	f("actor=ops1", "1–50 of 60 records", "token 119", 50)
	f("text=TOKEN+01", "10 records", "token 019", 10)
	f("text=k007", "1 record", "token 007", 1)
	f("text=10.0.0.7&actor=ops0&from=2026-06-01T13:30", "15 records", "token 118", 15)
	f("from=2026-06-01T12:10&to=2026-06-01T12:20", "10 records", "token 019", 10)
	f("from=2026-06-01T14:10&to=2026-06-01T14:20&zone=Europe/Berlin", "10 records", "token 019", 10)
	f("from=2026-06-01T12:10:30&to=2026-06-01T12:20", "9 records", "token 019", 9)
	f("from=nonsense&to=&zone=../../etc/passwd", "1–50 of 120 records", "token 119", 50)
	f("text=%25", "0 records", "No record matches", 0)
	v.get("/audit?action=nonsense").wantText(".filter-count", "records")

	p := v.get("/audit?action=token.revealed&actor=ops1&from=2026-06-01T12:10&zone=Europe/Berlin")
	if got := p.attr("[name=from]", "value") + p.attr("[name=zone]", "value") + p.attr("[name=actor]", "value"); got != "2026-06-01T12:10Europe/Berlinops1" {
		t.Errorf("the filter became %q", got)
	}
	p.wantText("option[selected]", "Saw or copied access token")
	next := p.attr(".pager a", "href")
	v.get(next).wantStatus(http.StatusOK).wantText(".filter-count", "51–60 of 60 records")
}

func TestAuditIsExportedAsFiltered(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("=cmd|' /C calc'!A0")
	s.addDeployment("other")
	p := v.get("/audit?action=deployment.created")
	var links []string
	for _, a := range find(p.doc, "a[download]") {
		href, _ := attribute(a, "href")
		links = append(links, href)
	}
	if len(links) != 2 {
		t.Fatalf("links %q", links)
	}

	p = v.get(links[0]).wantStatus(http.StatusOK)
	if got := p.header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="gatehouse-audit-`) || !strings.HasSuffix(got, `.csv"`) {
		t.Errorf("Content-Disposition %q", got)
	}
	if got := p.header.Get("Content-Type"); !strings.HasPrefix(got, "text/csv") || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", p.header)
	}
	rows, err := csv.NewReader(strings.NewReader(p.body)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("rows %q, error %v", rows, err)
	}
	if object := rows[1][8]; object != "'"+d.Name {
		t.Errorf("a spreadsheet takes the name for a formula: %q", object)
	}

	p = v.get(links[1]).wantStatus(http.StatusOK)
	lines := strings.Split(strings.TrimSpace(p.body), "\n")
	var record struct{ Object string }
	if err := json.Unmarshal([]byte(lines[0]), &record); err != nil || len(lines) != 2 || record.Object != d.Name {
		t.Errorf("lines %q, error %v", lines, err)
	}

	p = v.get("/deployments/" + d.ID + "/audit/export?format=jsonl").wantStatus(http.StatusOK)
	if strings.Contains(p.body, `"object":"other"`) || !strings.Contains(p.body, "deployment.created") {
		t.Errorf("the deployment's export holds %s", p.body)
	}
	if n := s.auditCount(gatehouse.AuditExported); n != 3 {
		t.Errorf("%d exports are recorded", n)
	}
	p = v.get("/audit/export?format=csv&action=user.deleted").wantStatus(http.StatusOK)
	if rows := strings.Count(p.body, "\n"); rows != 1 {
		t.Errorf("an export of nothing has %d lines", rows)
	}
	v.get("/audit/export?format=xlsx").wantStatus(http.StatusNotFound)
}

func TestAnotherSiteCannotMakeSomebodyExport(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	for _, from := range []string{"cross-site", "same-site"} {
		v.get("/audit/export?format=csv", headers{"Sec-Fetch-Site": from}).wantStatus(http.StatusForbidden).wantText("main", "Another site")
	}
	if n := s.auditCount(gatehouse.AuditExported); n != 0 {
		t.Errorf("%d exports are recorded", n)
	}
	v.get("/audit/export?format=csv", headers{"Sec-Fetch-Site": "same-origin"}).wantStatus(http.StatusOK)
}
