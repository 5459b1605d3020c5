package web

import (
	"net/http"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) usersPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	all, err := c.Control.Users(r.Context(), actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.UsersPage{Users: all, Viewer: actor.ID})
}

func (c *console) inviteUserDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	if err := may(actor, gatehouse.ManageUsers); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.InviteUserDialog{Role: string(gatehouse.Viewer)})
}

func (c *console) inviteUser(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	form := views.InviteUserDialog{Email: strings.TrimSpace(r.PostFormValue("email")), Role: r.PostFormValue("role")}
	u, code, err := c.Control.InviteUser(r.Context(), actor, form.Email, gatehouse.Role(form.Role))
	switch {
	case isFormError(err):
		form.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), form)
	case err != nil:
		return err
	}
	return c.showLink(w, r, u, code)
}

// showLink shows a one-time link, which no address leads to: it is the answer to the form that made it.
func (c *console) showLink(w http.ResponseWriter, r *http.Request, u gatehouse.User, code string) error {
	w.Header().Set("HX-Trigger", "changed")
	return c.show(w, r, http.StatusOK, views.UserLinkDialog{User: u, URL: c.origin(r) + views.InviteCodeURL(code)})
}

// userDialog asks about the action that the URL names.
func (c *console) userDialog(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.userQuestion(r, actor)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, dialog)
}

func (c *console) userQuestion(r *http.Request, actor gatehouse.Actor) (views.UserDialog, error) {
	if err := may(actor, gatehouse.ManageUsers); err != nil {
		return views.UserDialog{}, err
	}
	dialog := views.UserDialog{Action: views.UserAction(r.PathValue("action"))}
	switch dialog.Action {
	case views.ChangeRole, views.PasswordLink, views.DisableUser, views.EnableUser, views.DeleteUser:
	default:
		return dialog, noSuchPage()
	}
	var err error
	dialog.User, err = c.Control.User(r.Context(), actor, r.PathValue("user"))
	dialog.Role = string(dialog.User.Role)
	return dialog, err
}

// changeUser does what userDialog asked about.
func (c *console) changeUser(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	dialog, err := c.userQuestion(r, actor)
	if err != nil {
		return err
	}
	id, code := dialog.User.ID, ""
	switch dialog.Action {
	case views.ChangeRole:
		dialog.Role = r.PostFormValue("role")
		err = c.Control.SetRole(r.Context(), actor, id, gatehouse.Role(dialog.Role))
	case views.PasswordLink:
		code, err = c.Control.PasswordLink(r.Context(), actor, id)
	case views.DisableUser:
		err = c.Control.DisableUser(r.Context(), actor, id)
	case views.EnableUser:
		err = c.Control.EnableUser(r.Context(), actor, id)
	case views.DeleteUser:
		err = c.Control.DeleteUser(r.Context(), actor, id)
	}
	switch {
	case isFormError(err):
		dialog.Error = views.FormErrorOf(err)
		return c.show(w, r, statusOf(err), dialog)
	case err != nil:
		return err
	case code != "":
		return c.showLink(w, r, dialog.User, code)
	}
	return done(w, r, views.UsersURL)
}

// done closes the dialog of what was done. Without JavaScript it leads to the page that the dialog belongs to.
func done(w http.ResponseWriter, r *http.Request, back string) error {
	if !isHTMX(r) {
		return redirect(w, r, back)
	}
	w.Header().Set("HX-Trigger", "changed, dialog:done")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// origin is this console's own address: the one that the operator gave, or else the one at which the browser that asks reaches it.
func (c *console) origin(r *http.Request) string {
	if c.ConsoleURL != "" {
		return c.ConsoleURL
	}
	if c.sessions.isSecure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
