package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

func (c *console) settingsPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.changeable(r, actor)
	if err != nil {
		return err
	}
	page := views.SettingsPage{Deployment: d, Form: views.SettingsFormOf(d.Settings()), Base: fingerprint(d.Settings()), Saved: r.FormValue("saved") != ""}
	return c.showSettings(w, r, actor, http.StatusOK, page)
}

// changeable finds the deployment that the URL names, for those who may change it.
func (c *console) changeable(r *http.Request, actor gatehouse.Actor) (gatehouse.Deployment, error) {
	if err := mayChangeDeployments(actor); err != nil {
		return gatehouse.Deployment{}, err
	}
	return c.deployment(r, actor)
}

// showSettings completes the page with the code that does the same.
func (c *console) showSettings(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, status int, page views.SettingsPage) error {
	s, _ := settingsFor(page.Deployment, page.Form) // what is wrong stands beside its field
	page.Code = snippet.UpdateDeployment(c.origin(r), page.Deployment, s)
	page.Sees = views.SeesOf(actor)
	return c.show(w, r, status, page)
}

// settingsCode shows the form again, with the code for what is entered.
func (c *console) settingsCode(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.changeable(r, actor)
	if err != nil {
		return err
	}
	return c.showSettings(w, r, actor, http.StatusOK, views.SettingsPage{Deployment: d, Form: settingsForm(r), Base: r.PostFormValue("base"), Open: true})
}

// previewSettings tells what saving would change. Nothing is changed yet.
func (c *console) previewSettings(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.changeable(r, actor)
	if err != nil {
		return err
	}
	page := views.SettingsPage{Deployment: d, Form: settingsForm(r), Base: r.PostFormValue("base")}
	s, err := settingsFor(d, page.Form)
	if err == nil {
		err = checkSettings(d, s)
	}
	if err != nil {
		page.Error = views.FormErrorOf(err)
		return c.showSettings(w, r, actor, statusOf(err), page)
	}
	page.After, page.Base = &s, fingerprint(d.Settings())
	return c.showSettings(w, r, actor, http.StatusOK, page)
}

func (c *console) saveSettings(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.changeable(r, actor)
	if err != nil {
		return err
	}
	page := views.SettingsPage{Deployment: d, Form: settingsForm(r), Base: r.PostFormValue("base")}
	s, err := settingsFor(d, page.Form)
	if err == nil {
		_, err = c.Control.ChangeDeployment(r.Context(), actor, d.ID, func(now *gatehouse.Settings) error {
			if page.Base != fingerprint(*now) {
				// What somebody else has changed since the preview would be undone unseen.
				return gatehouse.Errorf(gatehouse.Conflict, "the settings were changed by somebody else in the meantime; preview your changes again")
			}
			*now = s
			return nil
		})
	}
	switch {
	case err == nil:
		return redirect(w, r, views.SettingsSavedURL(d.ID))
	case isFormError(err):
		page.Error = views.FormErrorOf(err)
		return c.showSettings(w, r, actor, statusOf(err), page)
	}
	return err
}

// checkSettings refuses what control would refuse, as far as that is known without trying.
func checkSettings(d gatehouse.Deployment, s gatehouse.Settings) error {
	if d.Connected() {
		return gatehouse.CheckName(s.Name)
	}
	if err := s.Check(d.Type); err != nil {
		return err
	}
	return s.GrowsFrom(d.Settings())
}

// fingerprint stands for settings in a form.
func fingerprint(s gatehouse.Settings) string {
	text, _ := json.Marshal(s) // strings and numbers can always be written
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

func settingsForm(r *http.Request) views.SettingsForm {
	value := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	return views.SettingsForm{
		Name: value("name"), Tier: value("tier"), Retention: value("retention"), RetentionUnit: value("retention_unit"), StorageGB: value("storage_size"),
		Deduplication: value("deduplication"), DeduplicationUnit: value("deduplication_unit"), MaintenanceWindow: value("maintenance_window"),
		Flags: flagsForm(value),
	}
}

func flagsForm(value func(string) string) map[gatehouse.Program]string {
	flags := map[gatehouse.Program]string{}
	for _, p := range gatehouse.Programs {
		flags[p] = value(p.FlagsField())
	}
	return flags
}

// settingsFor reads the form for a deployment. What the form does not show stays as it is.
func settingsFor(d gatehouse.Deployment, f views.SettingsForm) (gatehouse.Settings, error) {
	old := d.Settings()
	if d.Connected() {
		old.Name = f.Name
		return old, nil
	}
	s, err := parseSettings(f)
	if s.Tier == gatehouse.UnlimitedFor(d.Type).Name && old.Tier == "" {
		s.Tier = "" // the form has one row for both
	}
	if s.Deduplication.Duration() == old.Deduplication.Duration() {
		s.Deduplication = old.Deduplication
	}
	entered := s.Flags
	s.Flags = old.Flags
	for _, p := range d.Type.Programs() {
		s.Flags.Set(p, entered.Of(p))
	}
	return s, err
}

// parseSettings reads the form. The first number that is none makes the error.
func parseSettings(f views.SettingsForm) (gatehouse.Settings, error) {
	var wrong error
	number := func(field, text, message string, bits int) uint64 {
		if text == "" {
			return 0
		}
		n, err := strconv.ParseUint(text, 10, bits)
		if err != nil && wrong == nil {
			wrong = gatehouse.InvalidField(field, "%s", message)
		}
		return n
	}
	s := gatehouse.Settings{Name: f.Name, Tier: f.Tier, MaintenanceWindow: f.MaintenanceWindow}
	for p, text := range f.Flags {
		if flags := strings.Fields(text); len(flags) > 0 {
			s.Flags.Set(p, flags)
		}
	}
	if n := number("retention", f.Retention, "the retention is not a whole number; write days or months, such as 30", 32); f.Retention != "" {
		s.Retention = gatehouse.Retention{Value: uint32(n), Unit: f.RetentionUnit}
	}
	s.StorageGB = number("storage_size", f.StorageGB, "the storage is not a whole number; write GB, such as 20, or leave it empty", 64)
	if n := number("deduplication", f.Deduplication, "the interval of deduplication is not a whole number; write seconds or milliseconds, such as 30, or leave it empty", 32); n > 0 {
		s.Deduplication = gatehouse.Deduplication{Value: uint32(n), Unit: f.DeduplicationUnit}
	}
	return s, wrong
}
