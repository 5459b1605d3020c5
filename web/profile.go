package web

import (
	"net/http"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) profilePage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	return c.showProfile(w, r, actor, http.StatusOK, views.ProfilePage{Changed: r.FormValue("changed") != ""})
}

func (c *console) showProfile(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, status int, page views.ProfilePage) error {
	var err error
	if page.Sessions, err = c.ownSessions(r, actor); err != nil {
		return err
	}
	page.Actor = actor
	return c.show(w, r, status, page)
}

func (c *console) ownSessions(r *http.Request, actor gatehouse.Actor) ([]gatehouse.Session, error) {
	session, err := c.sessions.Get(r, sessionCookie)
	if err != nil {
		return nil, err
	}
	return c.Control.Sessions(r.Context(), actor, session.ID)
}

func (c *console) changePassword(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	session, err := c.sessions.Get(r, sessionCookie)
	if err != nil {
		return err
	}
	if err = checkNewPassword(r); err == nil {
		err = c.Control.ChangePassword(r.Context(), actor, r.PostFormValue("current"), r.PostFormValue("password"), session.ID)
	}
	switch {
	case err == nil:
		return redirect(w, r, views.PasswordChangedURL)
	case isFormError(err):
		return c.showProfile(w, r, actor, statusOf(err), views.ProfilePage{Error: views.FormErrorOf(err)})
	case gatehouse.ErrorCode(err) == gatehouse.Unauthenticated: // too many wrong guesses; the session goes on
		return c.showProfile(w, r, actor, http.StatusTooManyRequests, views.ProfilePage{Error: views.FormErrorOf(err)})
	}
	return err
}

func (c *console) endSession(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	err := c.Control.EndSession(r.Context(), actor, r.PathValue("session"))
	if err != nil && gatehouse.ErrorCode(err) != gatehouse.NotFound { // it has ended already, which is what was asked for
		return err
	}
	return redirect(w, r, views.ProfileURL)
}

func (c *console) endOtherSessions(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	sessions, err := c.ownSessions(r, actor)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		if s.Current {
			continue
		}
		if err := c.Control.EndSession(r.Context(), actor, s.ID); err != nil && gatehouse.ErrorCode(err) != gatehouse.NotFound {
			return err
		}
	}
	return redirect(w, r, views.ProfileURL)
}
