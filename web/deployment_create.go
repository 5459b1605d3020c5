package web

import (
	"net/http"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
	"gatehouse/views"
)

func (c *console) createDeploymentDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	return c.showCreate(w, r, http.StatusOK, views.CreateDeploymentDialog{Form: views.SettingsFormOf(gatehouse.Settings{}), Type: gatehouse.SingleNode})
}

// showCreate completes the form with what cannot run here, and with the code that does the same.
func (c *console) showCreate(w http.ResponseWriter, r *http.Request, status int, form views.CreateDeploymentDialog) error {
	form.NoEngine, form.NoCluster = c.noEngine(gatehouse.SingleNode), c.noEngine(gatehouse.Cluster)
	n, _ := newManaged(form) // what is wrong stands beside its field
	form.Code = snippet.CreateDeployment(c.origin(r), n)
	return c.show(w, r, status, form)
}

// createDeploymentCode shows the form again, with the code for what is entered.
func (c *console) createDeploymentCode(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := createForm(r)
	form.Open = true
	return c.showCreate(w, r, http.StatusOK, form)
}

func createForm(r *http.Request) views.CreateDeploymentDialog {
	form := views.CreateDeploymentDialog{Form: settingsForm(r), Type: gatehouse.DeploymentType(r.PostFormValue("type")), Region: r.PostFormValue("region")}
	switch form.Type {
	case "":
		form.Type = gatehouse.SingleNode
	case gatehouse.Cluster:
		form.Form.Tier = strings.TrimSpace(r.PostFormValue(views.ClusterTierField))
	}
	return form
}

func (c *console) createDeployment(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := mayChangeDeployments(actor); err != nil {
		return err
	}
	form := createForm(r)
	if why := c.noEngine(form.Type); why != "" {
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

func newManaged(form views.CreateDeploymentDialog) (gatehouse.NewDeployment, error) {
	s, err := parseSettings(form.Form)
	return gatehouse.NewDeployment{
		Name: form.Form.Name, Type: form.Type, Region: form.Region, Tier: s.Tier, Retention: s.Retention, StorageGB: s.StorageGB,
		Deduplication: s.Deduplication, MaintenanceWindow: s.MaintenanceWindow,
	}, err
}
