package web

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) trashPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	all, err := c.Control.Trash(r.Context(), actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.TrashPage{Deleted: all, Kept: c.TrashRetention})
}

// deleted finds the deployment in the trash that the URL names.
func (c *console) deleted(r *http.Request, actor gatehouse.Actor) (gatehouse.DeletedDeployment, error) {
	all, err := c.Control.Trash(r.Context(), actor)
	if err != nil {
		return gatehouse.DeletedDeployment{}, err
	}
	i := slices.IndexFunc(all, func(d gatehouse.DeletedDeployment) bool { return d.Deployment.ID == r.PathValue("deleted") })
	if i < 0 {
		return gatehouse.DeletedDeployment{}, gatehouse.Errorf(gatehouse.NotFound, "this deployment is not in the trash any more; it was restored or its data was freed")
	}
	return all[i], nil
}

func (c *console) restoreDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deleted(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.RestoreDialog{Deleted: d, Name: d.Deployment.Name})
}

func (c *console) restore(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	deleted, err := c.deleted(r, actor)
	if err != nil {
		return err
	}
	dialog := views.RestoreDialog{Deleted: deleted, Name: strings.TrimSpace(r.PostFormValue("name"))}
	err = gatehouse.CheckName(dialog.Name)
	if err == nil {
		_, err = c.Control.RestoreDeployment(r.Context(), actor, deleted.Deployment.ID, dialog.Name)
	}
	switch {
	case err == nil:
		return redirect(w, r, views.DeploymentURL(deleted.Deployment.ID))
	case isFormError(err):
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	}
	return err
}

func (c *console) freeDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deleted(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.FreeDialog{Deleted: d})
}

func (c *console) free(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	deleted, err := c.deleted(r, actor)
	if err != nil {
		return err
	}
	dialog := views.FreeDialog{Deleted: deleted, Typed: strings.TrimSpace(r.PostFormValue("confirm"))}
	if err = checkTyped(dialog.Typed, deleted.Deployment.Name); err == nil {
		err = c.Control.FreeDeployment(r.Context(), actor, deleted.Deployment.ID)
	}
	switch {
	case err == nil:
		return redirect(w, r, views.TrashURL)
	case isFormError(err):
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	}
	return err
}

// checkTyped makes sure that somebody means the deployment.
func checkTyped(typed, name string) error {
	if typed != name {
		return gatehouse.InvalidField("confirm", "this is not the name of the deployment; type %s", name)
	}
	return nil
}
