package web

import (
	"net/http"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) stopDeploymentDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.stopping(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, dialog)
}

func (c *console) stopDeployment(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.stopping(r, actor)
	if err != nil {
		return err
	}
	err = c.Control.StopDeployment(r.Context(), actor, dialog.Deployment.ID)
	switch {
	case err == nil:
		return redirect(w, r, views.DeploymentURL(dialog.Deployment.ID))
	case isFormError(err):
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	}
	return err
}

// stopping is the dialog before a deployment is stopped.
func (c *console) stopping(r *http.Request, actor gatehouse.Actor) (views.StopDeploymentDialog, error) {
	d, err := c.changeable(r, actor)
	if err != nil {
		return views.StopDeploymentDialog{}, err
	}
	last, _, err := c.Control.Tokens(r.Context(), actor, gatehouse.TokenQuery{DeploymentID: d.ID, Sort: gatehouse.SortByLastUsed, Descending: true, Limit: 1})
	dialog := views.StopDeploymentDialog{Deployment: d}
	if len(last) > 0 {
		dialog.LastUse = last[0].LastUse
	}
	return dialog, err
}

func (c *console) startDeployment(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.changeable(r, actor)
	if err != nil {
		return err
	}
	if err := c.Control.StartDeployment(r.Context(), actor, d.ID); err != nil {
		return err
	}
	return redirect(w, r, views.DeploymentURL(d.ID))
}
