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

func TestCreateMakesADeployment(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	v.get("/deployments").wantStatus(http.StatusOK).wantText(".blank", "No deployments yet")
	to := v.post("/deployments/create", url.Values{"name": {" prod "}}).wantStatus(http.StatusSeeOther).location()
	p := v.get(to).wantStatus(http.StatusOK)
	p.wantText("h1", "prod")
	p.wantText(".badge", "Provisioning")
	p.wantText(".facts", "Retention 30 days")
	p.wantText("main", "Send your first data")
	card := v.get("/deployments").wantStatus(http.StatusOK)
	card.wantText(".card h2", "prod")
	card.wantText(".card .chip", endpointURL)
	card.wantText(".card", "Access tokens 1")
	if got := card.attr(".card .chip", "data-copy-text"); got != endpointURL {
		t.Errorf("the chip copies %q", got)
	}
}

func TestCreateKeepsWrongInputAndSaysWhy(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	s.addDeployment("prod")
	f := func(name string, status int, message string) {
		t.Helper()
		for _, h := range []headers{nil, htmx} {
			p := v.post("/deployments/create", url.Values{"name": {name}}, h).wantStatus(status)
			p.wantText("#name-error", message)
			if got := p.attr("[name=name]", "value"); got != name {
				t.Errorf("the name became %q", got)
			}
			if got := p.attr("[name=name]", "aria-describedby"); got != "name-error" {
				t.Errorf("the field is described by %q", got)
			}
		}
	}
	f("", http.StatusUnprocessableEntity, "The name is empty")
	f("a\u202eb", http.StatusUnprocessableEntity, "invisible character")
	f(strings.Repeat("x", 101), http.StatusUnprocessableEntity, "101 characters")
	f("prod", http.StatusConflict, "exists already")
}

func TestCreateTakesTierSizeAndWindow(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	p := v.get("/deployments/create", htmx).wantStatus(http.StatusOK)
	p.wantText(".tiers", "s.starter.a 50k samples per second, 1M active series, reads 750k samples per second 50k/s 1M 750k/s")
	p.wantText(".tiers", "unlimited no limits no limit no limit no limit")
	if strings.Contains(p.text(".tiers"), "medium a") || p.attr(".tiers input[checked]", "value") != "unlimited" {
		t.Errorf("the tiers are %s", p.text(".tiers"))
	}
	form := url.Values{
		"name": {"prod"}, "type": {"single_node"}, "region": {"local"}, "tier": {"s.small.a"}, "retention": {"6"}, "retention_unit": {"m"}, "storage_size": {"200"},
		"deduplication": {"30"}, "deduplication_unit": {"s"}, "maintenance_window": {"Sat-Sun 3-4am"},
	}
	p = v.post("/deployments/create/code", form, htmx).wantStatus(http.StatusOK)
	p.wantText("#storage_size-hint", "Recommended for s.small.a and 6 months")
	p.wantText("#form-code", "gatehouse deployment create --tier=s.small.a --retention=6m --storage=200GB --deduplication=30s --maintenance-window='Sat-Sun 3-4am' prod")
	to := v.post("/deployments/create", form).wantStatus(http.StatusSeeOther).location()
	p = v.get(to)
	for _, want := range []string{"Tier s.small.a", "Retention 6 months", "Storage 200 GB", "Deduplication one sample per 30 s", "Maintenance window Sat-Sun 3-4am", "Region local"} {
		p.wantText(".facts", want)
	}
	if all, _ := s.control.Deployments(t.Context(), system); len(all) != 1 {
		t.Errorf("%d deployments", len(all))
	}
}

func TestCreateKeepsWrongSizesAndSaysWhy(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	f := func(field, value, message string) {
		t.Helper()
		form := url.Values{"name": {"prod"}, "type": {"single_node"}, "tier": {"s.micro.a"}, "retention": {"5"}, "retention_unit": {"m"}}
		form.Set(field, value)
		p := v.post("/deployments/create", form, htmx).wantStatus(http.StatusUnprocessableEntity)
		p.wantText("#"+field+"-error", message)
		if p.has("input[type=text][name="+field+"]") && p.attr("[name="+field+"]", "value") != value {
			t.Errorf("%s was not kept", field)
		}
		if field != "tier" && !p.has("[name=tier][value=s.micro.a][checked]") || !p.has("[name=retention_unit] [value=m][selected]") {
			t.Error("what else was chosen is gone")
		}
	}
	f("retention", "0", "out of range")
	f("retention", "-1", "not a whole number")
	f("storage_size", "9", "choose 10 GB")
	f("deduplication", "1h", "not a whole number")
	f("tier", "huge", "is unknown; choose one of")
	f("maintenance_window", "never", "is unknown; choose one of")
}

func TestCreateMakesAManagedCluster(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	form := url.Values{
		"name": {"fleet"}, "type": {"cluster"}, "tier": {"s.starter.a"}, "cluster_tier": {"cluster-medium"}, "retention": {"6"}, "retention_unit": {"m"}, "storage_size": {"20000"},
	}
	p := v.post("/deployments/create/code", form)
	p.wantText("#storage_size-hint", "Recommended for cluster-medium and 6 months")
	p.wantText("#form-code", `"type":"cluster"`)
	if tier := p.values("/deployments/create").Get("cluster_tier"); tier != "cluster-medium" {
		t.Errorf("the tier %s is chosen now", tier)
	}
	v.post("/deployments/create", form).wantStatus(http.StatusSeeOther)
	d, err := s.control.Deployment(t.Context(), system, "fleet")
	if err != nil || d.Type != gatehouse.Cluster || !d.Managed || d.Tier != "cluster-medium" || d.StorageGB != 20000 || d.Retention != (gatehouse.Retention{Value: 6, Unit: "m"}) {
		t.Errorf("it made %+v, %v", d, err)
	}
	form.Set("name", "other")
	form.Set("cluster_tier", "s.starter.a")
	v.post("/deployments/create", form, htmx).wantStatus(http.StatusUnprocessableEntity).wantText("#cluster_tier-error", "choose one of cluster-medium")
}

func TestWithoutTheProgramsOfAClusterCreateSaysWhatToDo(t *testing.T) {
	s, v := newSiteWithAdmin(t, func(c *web.Config) {
		c.EngineAvailable = func(t gatehouse.DeploymentType) error {
			if t == gatehouse.SingleNode {
				return nil
			}
			return gatehouse.Errorf(gatehouse.Unavailable, "there is no vmstorage in /opt; put it there")
		}
	})
	p := v.get("/deployments/create").wantStatus(http.StatusOK)
	p.wantText(".for-cluster [role=alert]", "There is no vmstorage in /opt; put it there.")
	if to := p.attr(".for-cluster a", "href"); to != "/deployments/connect?type=cluster" {
		t.Errorf("Connect existing leads to %s", to)
	}
	if kind := v.get("/deployments/connect?type=cluster").values("/deployments/connect").Get("type"); kind != "cluster" {
		t.Errorf("there the type %s is chosen", kind)
	}
	p = v.post("/deployments/create", url.Values{"name": {"fleet"}, "type": {"cluster"}}, htmx).wantStatus(http.StatusServiceUnavailable)
	p.wantText(".for-cluster [role=alert]", "There is no vmstorage in /opt")
	if all, _ := s.control.Deployments(t.Context(), system); len(all) != 0 {
		t.Errorf("%d deployments", len(all))
	}
	v.post("/deployments/create", url.Values{"name": {"one"}, "type": {"single_node"}}).wantStatus(http.StatusSeeOther)
}

func TestWithoutEngineCreateSaysWhatToDo(t *testing.T) {
	s, v := newSiteWithAdmin(t, func(c *web.Config) {
		c.EngineAvailable = func(gatehouse.DeploymentType) error {
			return gatehouse.Errorf(gatehouse.Unavailable, "the program victoria-metrics is missing; build it")
		}
	})
	p := v.get("/deployments").wantStatus(http.StatusOK)
	p.wantText("main", "The program victoria-metrics is missing; build it.")
	p.wantText("main .primary", "Connect existing")
	if strings.Contains(p.text("main button"), "Create") {
		t.Error("Create is offered")
	}
	p = v.post("/deployments/create", url.Values{"name": {"prod"}}).wantStatus(http.StatusServiceUnavailable)
	p.wantText("[role=alert]", "The program victoria-metrics is missing")
	if all, _ := s.control.Deployments(t.Context(), system); len(all) != 0 {
		t.Errorf("%d deployments", len(all))
	}
}

func TestConnectMakesAConnectedDeployment(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	single := url.Values{"name": {"one"}, "type": {"single_node"}, "url": {"http://10.0.0.5:8428/"}, "insert_url": {"left over"}}
	to := v.post("/deployments/connect", single).wantStatus(http.StatusSeeOther).location()
	v.get(to).wantText(".facts", "http://10.0.0.5:8428")

	cluster := url.Values{
		"name": {"many"}, "type": {"cluster"}, "insert_url": {"http://10.0.0.5:8480 http://10.0.0.6:8480"}, "select_url": {"http://10.0.0.7:8481"},
		"max_concurrent_requests": {"50"},
	}
	p := v.post("/deployments/connect", cluster, htmx).wantStatus(http.StatusNoContent)
	d, err := s.control.Deployment(t.Context(), system, "many")
	if err != nil || p.header.Get("HX-Redirect") != "/deployments/"+d.ID {
		t.Fatalf("led to %q: %v", p.header.Get("HX-Redirect"), err)
	}
	if len(d.InsertURLs) != 2 || len(d.SelectURLs) != 1 || d.MaxConcurrentRequests != 50 {
		t.Errorf("deployment %+v", d)
	}
}

func TestConnectKeepsWrongInputAndSaysWhy(t *testing.T) {
	_, v := newSiteWithAdmin(t)
	f := func(form url.Values, field, message string) {
		t.Helper()
		p := v.post("/deployments/connect", form, htmx).wantStatus(http.StatusUnprocessableEntity)
		p.wantText("#"+field+"-error", message)
		for name, values := range form {
			if p.has("input[type=text][name="+name+"]") && p.attr("[name="+name+"]", "value") != values[0] {
				t.Errorf("%s was not kept", name)
			}
		}
		if chosen := "[name=type][value=" + form.Get("type") + "][checked]"; form.Get("type") == "cluster" && !p.has(chosen) {
			t.Error("the type was not kept")
		}
	}
	with := func(key, value string) url.Values {
		form := url.Values{"name": {"many"}, "type": {"cluster"}, "insert_url": {"http://a:1"}, "select_url": {"http://b:1"}}
		form.Set(key, value)
		return form
	}
	f(with("insert_url", ""), "insert_url", "The URL of vminsert is missing")
	f(with("select_url", "ftp://x"), "select_url", "not a full http or https URL")
	f(with("insert_url", "http://user:pass@a:1"), "insert_url", "user name or password")
	f(with("max_concurrent_requests", "many"), "max_concurrent_requests", "not a number")
	f(with("max_concurrent_requests", "0"), "max_concurrent_requests", "not a number")
	f(with("max_concurrent_requests", "99999999"), "max_concurrent_requests", "out of range")
	f(with("type", "single_node"), "url", "missing")
	f(with("type", "other"), "type", "unknown")
}

func TestStatesAreExplained(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	f := func(state gatehouse.State, badge, text string) {
		t.Helper()
		state.At = time.Now()
		if err := s.store.SetState(t.Context(), d.ID, state); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/deployments", "/deployments/" + d.ID, "/deployments/" + d.ID + "/tokens"} {
			p := v.get(path, htmxMain).wantStatus(http.StatusOK)
			p.wantText(".badge", badge)
			p.wantText("main", text)
			if p.has("html[lang]") {
				t.Errorf("%s: htmx gets the whole page", path)
			}
		}
	}
	f(gatehouse.State{Status: gatehouse.Running, Version: "v1.151.0"}, "Running", "v1.151.0")
	f(gatehouse.State{Status: gatehouse.Failed, Detail: "the port is taken; free it"}, "Error", "The port is taken; free it.")
	f(gatehouse.State{Status: gatehouse.Failed, Detail: "vmselect does not answer"}, "Error", "vmselect does not answer.")
	f(gatehouse.State{Status: gatehouse.Stopped, Detail: "what was true before it was started"}, "Stopped", "VictoriaMetrics is starting.")
}

func TestDeletingADeploymentNeedsItsName(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/delete"
	p := v.get(path, htmx).wantStatus(http.StatusOK)
	p.wantText("dialog", "its access token stops working at once")
	p.wantText("dialog", "VictoriaMetrics is stopped")
	v.post(path, url.Values{"confirm": {"Prod"}}, htmx).wantStatus(http.StatusUnprocessableEntity).wantText("#confirm-error", "This is not the name")
	v.get("/deployments/" + d.ID).wantStatus(http.StatusOK)

	if to := v.post(path, url.Values{"confirm": {"prod"}}).wantStatus(http.StatusSeeOther).location(); to != "/deployments" {
		t.Errorf("led to %s", to)
	}
	v.get("/deployments/" + d.ID).wantStatus(http.StatusNotFound)
	if n := s.auditCount(gatehouse.DeploymentDeleted); n != 1 {
		t.Errorf("%d audit records", n)
	}
}

func TestConnectKeepsSecretsToItself(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	form := url.Values{
		"name": {"guarded"}, "type": {"single_node"}, "url": {"http://10.0.0.5:8428\nhttp://10.0.0.6:8428"},
		"upstream_username": {"gate"}, "upstream_password": {"hunter2-password"}, "upstream_key": {"hunter2-key"},
	}
	for _, h := range []headers{nil, htmx} {
		p := v.post("/deployments/connect", form, h).wantStatus(http.StatusUnprocessableEntity)
		p.wantText("#upstream_cert-error", "needs its private key")
		if strings.Contains(p.body, "hunter2") {
			t.Error("the form sends secrets back")
		}
		if got := p.attr("[name=upstream_username]", "value"); got != "gate" {
			t.Errorf("the user name became %q", got)
		}
		if !p.has("details[open] [name=upstream_cert]") {
			t.Error("the error stands in a part of the form that is closed")
		}
	}
	form.Del("upstream_key")
	to := v.post("/deployments/connect", form).wantStatus(http.StatusSeeOther).location()
	p := v.get(to).wantStatus(http.StatusOK)
	p.wantText(".facts", "http://10.0.0.5:8428")
	p.wantText(".facts", "http://10.0.0.6:8428")
	p.wantText(".facts", "with credentials")
	if strings.Contains(p.body, "hunter2") {
		t.Error("the page shows the password")
	}
	d := s.addDeployment("managed")
	if p := v.get("/deployments/" + d.ID); strings.Contains(p.body, "with credentials") {
		t.Error("a managed deployment claims to have credentials")
	}
}
