package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// settingsOf gives the settings of a deployment, as they are stored.
func (s *site) settingsOf(id string) gatehouse.Settings {
	s.Helper()
	d, err := s.control.Deployment(s.Context(), system, id)
	if err != nil {
		s.Fatal(err)
	}
	return d.Settings()
}

// values gives what a form of the page would send.
func (p page) values(action string) url.Values {
	p.t.Helper()
	form := url.Values{}
	inside := "form[action=" + action + "] "
	for _, n := range find(p.doc, inside+"input") {
		name, _ := attribute(n, "name")
		value, _ := attribute(n, "value")
		_, checked := attribute(n, "checked")
		if kind, _ := attribute(n, "type"); kind != "radio" || checked {
			form.Set(name, value)
		}
	}
	for _, n := range find(p.doc, inside+"select") {
		name, _ := attribute(n, "name")
		for _, o := range find(n, "option[selected]") {
			value, _ := attribute(o, "value")
			form.Set(name, value)
		}
	}
	return form
}

func TestSettingsArePreviewedBeforeTheyAreSaved(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/settings"
	form := v.get(path).wantStatus(http.StatusOK).values(path + "/preview")
	v.post(path+"/preview", form).wantStatus(http.StatusOK).wantText(".preview", "Nothing: these are the present settings.")

	form.Set("name", "production")
	form.Set("tier", "s.starter.a")
	form.Set("retention", "7")
	form.Set("storage_size", "40")
	form.Set("flags", "-search.maxQueryDuration=20s")
	p := v.post(path+"/preview", form).wantStatus(http.StatusOK)
	p.wantText(".preview", "Name before: prod after: production")
	p.wantText(".preview", "Tier before: unlimited after: s.starter.a")
	p.wantText(".preview", "Storage before: as much as the disk has after: 40 GB")
	p.wantText(".preview", "VictoriaMetrics restarts, for the new tier, retention and flags.")
	p.wantText(".preview", "Data older than 7 days is removed for good.")
	if got := s.settingsOf(d.ID); got.Name != "prod" {
		t.Errorf("the preview has changed the settings: %+v", got)
	}
	to := v.post(path, p.values(path)).wantStatus(http.StatusSeeOther).location()
	v.get(to).wantText("[role=status]", "The settings are saved.")
	want := gatehouse.Settings{Name: "production", Tier: "s.starter.a", Retention: gatehouse.Retention{Value: 7, Unit: "d"}, StorageGB: 40}
	if got := s.settingsOf(d.ID); got.Name != want.Name || got.Tier != want.Tier || got.Retention != want.Retention || got.StorageGB != 40 ||
		strings.Join(got.Flags.Single, " ") != "-search.maxQueryDuration=20s" {
		t.Errorf("settings %+v", got)
	}
}

func TestEachProgramOfAClusterHasItsFlags(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d, err := s.control.CreateDeployment(t.Context(), system, gatehouse.NewDeployment{Name: "fleet", Type: gatehouse.Cluster})
	if err != nil {
		t.Fatal(err)
	}
	path := "/deployments/" + d.ID + "/settings"
	preview := path + "/preview"
	form := v.get(path).values(preview)
	if form.Get("tier") != "cluster-unlimited" {
		t.Errorf("the tier %q is chosen", form.Get("tier"))
	}
	form.Set("insert_flags", "-search.maxQueryDuration=20s")
	v.post(preview, form).wantStatus(http.StatusUnprocessableEntity).wantText("#insert_flags-error", "give it to vmselect")

	form.Set("insert_flags", "-maxLabelNameLen=99")
	form.Set("select_flags", "-search.maxQueryDuration=20s\n-search.disableCache")
	p := v.post(preview, form).wantStatus(http.StatusOK)
	p.wantText(".changes", "vmselect -search.maxQueryDuration=20s -search.disableCache vminsert -maxLabelNameLen=99")
	p.wantText(".preview", "VictoriaMetrics restarts, for the new flags")
	v.post(path, p.values(path)).wantStatus(http.StatusSeeOther)
	flags := s.settingsOf(d.ID).Flags
	if len(flags.Select) != 2 || len(flags.Insert) != 1 || flags.Storage != nil || flags.Single != nil {
		t.Errorf("saved are %+v", flags)
	}
	text := v.get(path).text("[name=select_flags]")
	if !strings.Contains(text, "-search.maxQueryDuration=20s -search.disableCache") {
		t.Errorf("the form begins with %q", text)
	}
}

func TestARenamedDeploymentDoesNotRestart(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/settings"
	form := v.get(path).values(path + "/preview")
	form.Set("name", "production")
	p := v.post(path+"/preview", form).wantStatus(http.StatusOK)
	p.wantText(".preview", "nothing restarts")
	if got := p.text(".changes dt"); got != "Name" {
		t.Errorf("it lists %q", got)
	}
}

func TestWrongSettingsStandBesideTheirField(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	s.addDeployment("taken")
	path := "/deployments/" + d.ID + "/settings"
	base := v.get(path).values(path + "/preview")
	f := func(step, field, value, message string) {
		t.Helper()
		form := url.Values{}
		for name, values := range base {
			form[name] = values
		}
		form.Set(field, value)
		p := v.post(path+step, form)
		p.wantText("#"+field+"-error", message)
		if kept := p.text("textarea[name="+field+"]") + p.attrOr("input[type=text][name="+field+"]", "value"); field != "tier" && kept != value {
			t.Errorf("%s became %q", field, kept)
		}
		if p.has(".preview") {
			t.Errorf("%s: there is a preview of what is not valid", field)
		}
	}
	f("/preview", "name", "", "The name is empty")
	f("/preview", "tier", "huge", "unknown; choose one of s.starter.a")
	f("/preview", "retention", "0", "out of range")
	f("/preview", "retention", "a week", "not a whole number")
	f("/preview", "storage_size", "3", "choose 10 GB")
	f("/preview", "storage_size", "much", "not a whole number")
	f("/preview", "deduplication", "999999", "out of range")
	f("/preview", "flags", "-httpListenAddr=:80", "cannot be set here")
	f("/preview", "flags", "-retentionPeriod=1d", "change the retention of the deployment instead")
	f("", "name", "taken", "exists already")
	s.used.Store(25 << 30)
	f("", "storage_size", "20", "uses 26 GB already; choose more, or shorten the retention first")
	if got := s.settingsOf(d.ID); got.Name != "prod" || got.Flags.Single != nil {
		t.Errorf("settings %+v", got)
	}
}

// attrOr is attr, or nothing.
func (p page) attrOr(selector, name string) string {
	if !p.has(selector) {
		return ""
	}
	return p.attr(selector, name)
}

func TestSettingsThatSomebodyElseChangedAreNotUndone(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/settings"
	form := v.get(path).values(path + "/preview")
	form.Set("retention", "60")
	preview := v.post(path+"/preview", form).wantStatus(http.StatusOK)
	other := s.settingsOf(d.ID)
	other.StorageGB = 50
	if _, err := s.control.UpdateDeployment(t.Context(), system, d.ID, other); err != nil {
		t.Fatal(err)
	}
	p := v.post(path, preview.values(path)).wantStatus(http.StatusConflict)
	p.wantText("[role=alert]", "changed by somebody else")
	if got := s.settingsOf(d.ID); got.StorageGB != 50 || got.Retention.Value != 30 {
		t.Errorf("settings %+v", got)
	}
}

func TestOfAConnectedDeploymentOnlyTheNameIsChanged(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addCluster("fleet")
	path := "/deployments/" + d.ID + "/settings"
	p := v.get(path).wantStatus(http.StatusOK)
	if p.has("[name=tier]") || p.has("[name=flags]") {
		t.Error("the form offers settings that Gatehouse does not keep")
	}
	form := p.values(path + "/preview")
	form.Set("name", "armada")
	p = v.post(path+"/preview", form).wantStatus(http.StatusOK)
	p.wantText(".preview", "Gatehouse changes nothing in VictoriaMetrics itself.")
	v.post(path, p.values(path)).wantStatus(http.StatusSeeOther)
	if got := s.settingsOf(d.ID); got.Name != "armada" {
		t.Errorf("settings %+v", got)
	}
}

func TestSettingsPrintThemselves(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/settings"
	form := v.get(path).values(path + "/preview")
	form.Set("tier", "s.micro.a")
	form.Set("retention", "3")
	form.Set("retention_unit", "m")
	p := v.post(path+"/code", form, htmxMain).wantStatus(http.StatusOK)
	p.wantText("#form-code", `"tier":22,"retention":3,"retention_unit":"m"`)
	p.wantText("#form-code", "gatehouse deployment set --tier=s.micro.a --retention=3m "+d.ID)
	p.wantText("#storage_size-hint", "Recommended for s.micro.a and 3 months: 703 GB")
	if got := s.settingsOf(d.ID); got.Tier != "" {
		t.Errorf("settings %+v", got)
	}
}
