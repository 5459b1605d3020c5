package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/web"
)

func keepFor(d time.Duration) func(*web.Config) {
	return func(c *web.Config) { c.TrashRetention = d }
}

// discard deletes a deployment.
func (s *site) discard(d gatehouse.Deployment) {
	s.Helper()
	if err := s.control.DeleteDeployment(s.Context(), system, d.ID); err != nil {
		s.Fatal(err)
	}
}

func TestADeletedDeploymentIsRestoredFromTheTrash(t *testing.T) {
	s, v := newSiteWithAdmin(t, keepFor(7*24*time.Hour))
	d := s.addDeployment("prod")
	if v.get("/deployments").has("[href=/trash]") {
		t.Error("an empty trash is offered")
	}
	v.get("/deployments/"+d.ID+"/delete", htmx).wantText("dialog", "stay in the trash for 7 days")
	v.post("/deployments/"+d.ID+"/delete", url.Values{"confirm": {"prod"}}).wantStatus(http.StatusSeeOther)
	v.get("/deployments").wantText("main", "Trash 1 deployment that can be restored")
	v.get("/trash").wantStatus(http.StatusOK).wantText("tbody th", "prod")

	s.addDeployment("prod") // the name is in use now
	path := "/trash/" + d.ID + "/restore"
	v.get(path, htmx).wantText("dialog", "Its old access tokens stay revoked")
	v.post(path, url.Values{"name": {"prod"}}, htmx).wantStatus(http.StatusConflict).wantText("#name-error", "exists already")
	v.post(path, url.Values{"name": {""}}, htmx).wantStatus(http.StatusUnprocessableEntity).wantText("#name-error", "The name is empty")
	to := v.post(path, url.Values{"name": {"prod again"}}).wantStatus(http.StatusSeeOther).location()
	v.get(to).wantStatus(http.StatusOK).wantText("h1", "prod again")
	v.get("/trash").wantText("main", "The trash is empty")
	v.get(path).wantStatus(http.StatusNotFound).wantText("main", "not in the trash any more")
}

func TestFreeingDataNeedsTheName(t *testing.T) {
	s, v := newSiteWithAdmin(t, keepFor(12*time.Hour))
	d := s.addDeployment("prod")
	s.discard(d)
	v.get("/trash").wantText("main", "12 hours")
	path := "/trash/" + d.ID + "/free"
	v.get(path, htmx).wantText("dialog", "This cannot be undone")
	v.post(path, url.Values{"confirm": {"Prod"}}, htmx).wantStatus(http.StatusUnprocessableEntity).wantText("#confirm-error", "This is not the name")
	if n := s.auditCount(gatehouse.DataFreed); n != 0 {
		t.Fatalf("%d audit records", n)
	}
	v.post(path, url.Values{"confirm": {"prod"}}).wantStatus(http.StatusSeeOther)
	if n := s.auditCount(gatehouse.DataFreed); n != 1 {
		t.Errorf("%d audit records", n)
	}
	v.get("/trash").wantText("main", "The trash is empty")
}

func TestAServerThatKeepsNoTrashSaysSo(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	v.get("/deployments/"+d.ID+"/delete").wantText("main", "removed for good within a minute")
}

func TestStoppingAndStarting(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID
	v.get(path+"/stop", htmx).wantStatus(http.StatusOK).wantText("dialog", "are answered 503")
	to := v.post(path+"/stop", nil, htmx).wantStatus(http.StatusNoContent).header.Get("HX-Redirect")
	p := v.get(to).wantStatus(http.StatusOK)
	p.wantText(".stopped", "Stopped by "+adminEmail)
	p.wantText(".stopped", "answered 503 until it is started")
	p.wantText(".stopped button", "Start")
	if got := p.text(".menu"); !strings.Contains(got, "Start") || strings.Contains(got, "Stop") {
		t.Errorf("the menu of a stopped deployment offers %q", got)
	}
	v.get("/deployments").wantText(".card .stopped", "Stopped by "+adminEmail)

	s.addUser(viewerEmail, gatehouse.Viewer)
	seen := s.signedIn(viewerEmail).get(path)
	seen.wantText(".stopped", "Stopped by "+adminEmail)
	if seen.has(".stopped button") {
		t.Error("a viewer is offered to start it")
	}
	v.post(path+"/start", nil).wantStatus(http.StatusSeeOther)
	if p := v.get(path); p.has(".stopped") || !strings.Contains(p.text(".menu"), "Stop") {
		t.Error("the page still shows it stopped")
	}
}

func TestConnectedDeploymentsAreStoppedWhereTheyRun(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addCluster("fleet")
	if got := v.get("/deployments/" + d.ID).text(".menu"); strings.Contains(got, "Stop") {
		t.Errorf("the menu offers %q", got)
	}
	v.post("/deployments/"+d.ID+"/stop", nil).wantStatus(http.StatusUnprocessableEntity).wantText("[role=alert]", "where it runs")
}
