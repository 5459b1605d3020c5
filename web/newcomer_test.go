package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestSavingTheNotifierSaysSo(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	rules := "/deployments/" + s.addDeployment("prod").ID + "/rules"
	if find(v.get(rules).doc, "[role=status].good") != nil {
		t.Error("the page says that something is saved before anything is")
	}
	to := v.post(rules+"/notifier", url.Values{"notifier_url": {"http://am:9093"}}).wantStatus(http.StatusSeeOther).location()
	v.get(to).wantText(".alert.good", "The notifier is saved.")
	v.post(rules+"/notifier", url.Values{"notifier_url": {"am:9093"}}).wantStatus(http.StatusUnprocessableEntity).
		wantText("#notifier_url-error", "write it like http://alertmanager:9093")
}

func TestTheFirstStepsNameTheTokenThatIsThere(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	all, _, err := s.control.Tokens(t.Context(), system, gatehouse.TokenQuery{DeploymentID: d.ID})
	if err != nil || len(all) != 1 {
		t.Fatalf("the tokens are %v, %v", all, err)
	}
	own := all[0]
	place := "/deployments/" + d.ID
	p := v.get(place)
	p.wantText(".steps", "Copy the access token default that the deployment has already")
	if got := p.attr(".steps li a", "href"); got != place+"/tokens/"+own.ID {
		t.Errorf("the token's name leads to %q", got)
	}
	p.wantText(".steps .primary", "Show examples")

	v.post(place+"/tokens/"+own.ID+"/delete", nil).wantStatus(http.StatusSeeOther)
	s.addToken(d, "grafana", gatehouse.Read)
	p = v.get(place)
	p.wantText(".steps", "Generate an access token for the program that sends.")
	p.wantText(".steps .primary", "Generate Token")
	if text := p.text(".steps"); strings.Contains(text, "grafana") {
		t.Errorf("a token that may only read is offered to send with: %s", text)
	}
}

func TestLogLinesKeepTheWholePathOfASourceFile(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	const folder = "/home/ops/go/pkg/mod/github.com/!victoria!metrics/!victoria!metrics@v1.151.0/"
	line := "2026-11-24T12:00:00.000Z\twarn\t" + folder + "app/vmselect/main.go:158\tslow query"
	s.writeLog(d, "engine.log", line, "plain line")
	p := v.get("/deployments/" + d.ID + "/logs?search=" + url.QueryEscape("!victoria!metrics@v1.151.0/app"))
	if got, want := p.text(".log"), strings.ReplaceAll(line, "\t", " "); got != want {
		t.Errorf("shown as %q, want %q", got, want)
	}
	if got := p.text(".module-dir"); got != folder {
		t.Errorf("shortened is %q", got)
	}
}
