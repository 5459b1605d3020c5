package web

import (
	"net/http"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

func (c *console) createDeploymentDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := views.CreateDeploymentDialog{Form: views.SettingsFormOf(gatehouse.Settings{}), Type: gatehouse.SingleNode, NoEngine: c.noEngine()}
	return c.showCreate(w, r, http.StatusOK, form)
}

// showCreate completes the form with the code that does the same.
func (c *console) showCreate(w http.ResponseWriter, r *http.Request, status int, form views.CreateDeploymentDialog) error {
	n, _ := newManaged(form) // what is wrong stands beside its field
	form.Code = snippet.CreateDeployment(c.origin(r), n)
	return c.show(w, r, status, form)
}

// createDeploymentCode shows the form again, with the code for what is entered.
func (c *console) createDeploymentCode(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := c.createForm(r)
	form.Open = true
	return c.showCreate(w, r, http.StatusOK, form)
}

func (c *console) createForm(r *http.Request) views.CreateDeploymentDialog {
	form := views.CreateDeploymentDialog{
		Form: settingsForm(r), Type: gatehouse.DeploymentType(r.PostFormValue("type")), Region: r.PostFormValue("region"), NoEngine: c.noEngine(),
	}
	if form.Type == "" {
		form.Type = gatehouse.SingleNode
	}
	return form
}

func (c *console) createDeployment(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := c.createForm(r)
	if form.NoEngine != "" {
		return c.showCreate(w, r, http.StatusServiceUnavailable, form)
	}
	n, err := newManaged(form)
	var d gatehouse.Deployment
	if err == nil {
		d, err = c.Control.CreateDeployment(r.Context(), actor, n)
	}
	if isMade(d, err) {
		return redirect(w, r, views.DeploymentURL(d.ID))
	}
	if isFormError(err) {
		form.Error = views.FormErrorOf(err)
		return c.showCreate(w, r, statusOf(err), form)
	}
	return err
}

// newManaged reads the form. Of a cluster, which Gatehouse does not run, all else is left out: it is not shown.
func newManaged(form views.CreateDeploymentDialog) (gatehouse.NewDeployment, error) {
	n := gatehouse.NewDeployment{Name: form.Form.Name, Type: form.Type}
	if form.Type != gatehouse.SingleNode {
		return n, nil
	}
	s, err := parseSettings(form.Form)
	n.Tier, n.Retention, n.StorageGB, n.Deduplication, n.MaintenanceWindow = s.Tier, s.Retention, s.StorageGB, s.Deduplication, s.MaintenanceWindow
	n.Region = form.Region
	return n, err
}
