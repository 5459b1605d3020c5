package web_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
	"gatehouse/web"
)

func TestTokenPageTellsAllOfAToken(t *testing.T) {
	h := &recorded{charts: someCharts("Write, 2xx")}
	s, v := newSiteWithAdmin(t, h.use, func(c *web.Config) {
		c.Activity = func(string) gatehouse.TokenActivity {
			return gatehouse.TokenActivity{Running: 3, Waiting: 1, Requests: 1200, Refusals: 4, Period: 5 * time.Minute}
		}
	})
	d := s.addDeployment("prod")
	token, value := s.addToken(d, "vmagent prod", gatehouse.Write)
	s.use(token, gatehouse.Use{At: time.Now().Add(-time.Hour), Addr: "10.0.0.7", UserAgent: "vmagent/1.151.0"})
	path := "/deployments/" + d.ID + "/tokens/" + token.ID
	if got := v.get("/deployments/"+d.ID+"/tokens").attr("#token-"+token.ID+" .name a", "href"); got != path {
		t.Errorf("the table leads to %q", got)
	}
	p := v.get(path).wantStatus(http.StatusOK)
	p.wantText("h1", "vmagent prod")
	p.wantText(".crumbs", "prod")
	p.wantText(".facts", "Key "+token.Mask+"••••")
	p.wantText(".facts", "Last used 1 hour ago from 10.0.0.7 (vmagent/1.151.0)")
	p.wantText(".facts", "Permissions Write")
	p.wantText(".facts", "Tenant any")
	p.wantText(".facts", "Activity 1,200 requests, 4 refused in 5 minutes; now 3 of 600, 1 waiting")
	p.wantText(".facts", "by Gatehouse")
	p.wantText(".facts", "ID "+"Copy ID "+token.ID)
	p.wantText("#chart-requests .legend", "Write, 2xx 0.0167/s")
	p.wantText(".tablist", "Write")
	p.wantText(".example", "cURL")
	p.wantText(".records tbody", "Generated access token vmagent prod")
	if p.attr("form[data-copy-secret]", "action") != path+"/secret" || p.attr("section .panel-head form", "action") != path+"/delete" {
		t.Error("the key cannot be copied, or the token not deleted")
	}
	if strings.Contains(p.body, value) {
		t.Error("the page holds the secret")
	}
}

func TestTokenPageShowsTheTokensOwnAuditTrail(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	other, _ := s.addToken(d, "grafana", gatehouse.Read)
	for range 25 {
		if _, err := s.control.RevealToken(t.Context(), system, token.ID); err != nil {
			t.Fatal(err)
		}
	}
	base := "/deployments/" + d.ID + "/tokens/"
	p := v.get(base + token.ID)
	if got := len(find(p.doc, ".records tbody tr")); got != 20 {
		t.Errorf("it shows %d records", got)
	}
	p.wantText(".panel-head a", "All 26 records")
	v.get(p.attr("section .panel-head a", "href")).wantText(".filter-count", "26 records")
	p = v.get(base + other.ID)
	if got := p.text(".records tbody .did"); got != "Generated access token" || p.has("section .panel-head a") {
		t.Errorf("the other token's trail is %q", got)
	}
}

func TestTokenPageIsNotFoundElsewhere(t *testing.T) {
	h := &recorded{charts: someCharts("Write, 2xx")}
	s, v := newSiteWithAdmin(t, h.use)
	d, other := s.addDeployment("prod"), s.addDeployment("staging")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	for _, path := range []string{
		"/deployments/" + other.ID + "/tokens/" + token.ID, "/deployments/" + d.ID + "/tokens/nothing", "/deployments/nothing/tokens/" + token.ID,
	} {
		v.get(path).wantStatus(http.StatusNotFound)
		v.get(path + "/data").wantStatus(http.StatusNotFound)
	}
	if h.scope.DeploymentID != "" {
		t.Errorf("the history was asked for %+v", h.scope)
	}
}

func TestDamagedTokenCanOnlyBeDeleted(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	s.damage(token)
	p := v.get("/deployments/" + d.ID + "/tokens/" + token.ID).wantStatus(http.StatusOK)
	p.wantText("[role=alert]", "This access token is damaged in the database")
	p.wantText(".panel-head", "Delete")
	if p.has(".tablist") || p.has("form[data-copy-secret]") {
		t.Error("it can be copied")
	}
}

func TestDeletingATokenOnItsPageLeadsBackToTheTokens(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	second, _ := s.addToken(d, "grafana", gatehouse.Read)
	tokens := "/deployments/" + d.ID + "/tokens"
	p := v.post(tokens+"/"+token.ID+"/delete", nil, htmx, headers{"HX-Current-URL": s.url + tokens + "/" + token.ID + "?period=day"})
	if p.header.Get("HX-Redirect") != tokens {
		t.Errorf("the answer is %v", p.header)
	}
	p = v.post(tokens+"/"+second.ID+"/delete", nil, htmx, headers{"HX-Current-URL": s.url + tokens})
	if p.header.Get("HX-Trigger") != "changed, dialog:done" {
		t.Errorf("the answer is %v", p.header)
	}
}

// damage makes the token's row unreadable, as a hand in the database would.
func (s *site) damage(t gatehouse.Token) {
	s.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(s.dir, sqlite.File))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.Context(), `UPDATE tokens SET tenant = 'nobody' WHERE id = ?`, t.ID); err != nil {
		s.Fatal(err)
	}
}
