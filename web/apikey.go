package web

import (
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

func (c *console) apiKeysPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	keys, err := c.Control.APIKeys(r.Context(), actor)
	if err != nil {
		return err
	}
	names, err := c.deploymentNames(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.APIKeysPage{Keys: keys, Names: names})
}

// deploymentNames gives the names of deployments by their ID.
func (c *console) deploymentNames(r *http.Request, actor gatehouse.Actor) (map[string]string, error) {
	all, err := c.Control.Deployments(r.Context(), actor)
	names := map[string]string{}
	for _, d := range all {
		names[d.ID] = d.Name
	}
	return names, err
}

func (c *console) newAPIKeyDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	form := views.NewAPIKeyDialog{Lifetime: "90d", Permissions: "r", Scope: views.AllDeployments}
	return c.showAPIKeyForm(w, r, actor, http.StatusOK, form)
}

// showAPIKeyForm completes the form with the deployments to choose from.
func (c *console) showAPIKeyForm(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, status int, form views.NewAPIKeyDialog) error {
	if err := may(actor, gatehouse.ManageAPIKeys); err != nil {
		return err
	}
	var err error
	if form.Deployments, err = c.Control.Deployments(r.Context(), actor); err != nil {
		return err
	}
	return c.show(w, r, status, form)
}

func (c *console) createAPIKey(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	form := views.NewAPIKeyDialog{
		Name:        strings.TrimSpace(r.PostFormValue("name")),
		Lifetime:    r.PostFormValue("expires"),
		Date:        r.PostFormValue("date"),
		Permissions: r.PostFormValue("permissions"),
		Scope:       r.PostFormValue("scope"),
		Chosen:      map[string]bool{},
	}
	for _, id := range r.PostForm["deployments"] {
		form.Chosen[id] = true
	}
	n, err := newAPIKey(form, r.PostForm["deployments"])
	var k gatehouse.APIKey
	if err == nil {
		k, _, err = c.Control.CreateAPIKey(r.Context(), actor, n)
	}
	switch {
	case isFormError(err):
		form.Error = views.FormErrorOf(err)
		if form.Lifetime == views.OnDate && form.Error.Field == "expires" {
			form.Error.Field = "date"
		}
		return c.showAPIKeyForm(w, r, actor, statusOf(err), form)
	case err != nil:
		return err
	case !isHTMX(r):
		return redirect(w, r, views.APIKeyCreatedURL(k.ID))
	}
	w.Header().Set("HX-Trigger", "changed")
	return c.showAPIKey(w, r, actor, k, true)
}

func newAPIKey(form views.NewAPIKeyDialog, deployments []string) (gatehouse.NewAPIKey, error) {
	n := gatehouse.NewAPIKey{Name: form.Name}
	var err error
	if n.ReadOnly, err = gatehouse.ParseKeyPermissions(form.Permissions); err != nil {
		return n, err
	}
	if n.ExpiresAt, err = expiry(form); err != nil {
		return n, err
	}
	switch form.Scope {
	case views.AllDeployments:
	case views.Selected:
		n.Deployments = append([]string{}, deployments...) // not nil, which would be all
	default:
		return n, gatehouse.InvalidField("scope", "say for which deployments the key is: all, or selected ones")
	}
	return n, nil
}

func expiry(form views.NewAPIKeyDialog) (time.Time, error) {
	lifetime := form.Lifetime
	if lifetime == views.OnDate {
		lifetime = form.Date
		if _, err := time.Parse(time.DateOnly, form.Date); err != nil {
			return time.Time{}, gatehouse.InvalidField("date", "the date is missing or not valid; choose the last day on which the key works")
		}
	}
	return gatehouse.ParseLifetime(lifetime, time.Now())
}

func (c *console) apiKeyDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	k, err := c.Control.APIKey(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	return c.showAPIKey(w, r, actor, k, r.FormValue("created") != "")
}

func (c *console) showAPIKey(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, k gatehouse.APIKey, created bool) error {
	names, err := c.deploymentNames(r, actor)
	if err != nil {
		return err
	}
	masked := maskedSecret(secret.APIKey, k.Mask)
	return c.show(w, r, http.StatusOK, views.APIKeyDialog{Key: k, Names: names, Created: created, Example: snippet.ListDeployments(c.origin(r), masked)})
}

// revealAPIKey answers the copy button of a key.
func (c *console) revealAPIKey(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	return c.revealKey(w, r, actor, "Key of ", func(value string) string { return value })
}

// revealAPIKeyExample answers the copy button of the example.
func (c *console) revealAPIKeyExample(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	return c.revealKey(w, r, actor, "Example for ", func(value string) string { return snippet.ListDeployments(c.origin(r), value) })
}

func (c *console) revealKey(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, label string, text func(value string) string) error {
	k, err := c.Control.APIKey(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	value, err := c.Control.RevealAPIKey(r.Context(), actor, k.ID)
	if err != nil {
		return err
	}
	return c.reveal(w, r, text(value.Reveal()), func(text string) views.Page { return views.SecretKeyPage{Label: label + k.Name, Text: text} })
}

func (c *console) revokeAPIKeyDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ManageAPIKeys); err != nil {
		return err
	}
	k, err := c.Control.APIKey(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.RevokeAPIKeyDialog{Key: k})
}

func (c *console) revokeAPIKey(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	k, err := c.Control.APIKey(r.Context(), actor, r.PathValue("key"))
	if err != nil {
		return err
	}
	err = c.Control.RevokeAPIKey(r.Context(), actor, k.ID)
	switch {
	case isFormError(err):
		return c.show(w, r, statusOf(err), views.RevokeAPIKeyDialog{Key: k, Error: views.FormErrorOf(err)})
	case err != nil:
		return err
	}
	return done(w, r, views.APIKeysURL)
}
