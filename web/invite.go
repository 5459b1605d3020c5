package web

import (
	"net/http"
	"time"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

const (
	inviteCookie = "gatehouse_invite"
	// inviteTime is how long the page of a one-time link may stay open.
	inviteTime = time.Hour
)

// invitePage is where one-time links lead. It moves the code from the address, which browsers keep and people share, into a cookie;
// then it shows the form. The link is used up by the form only: chats look at links by themselves.
func (c *console) invitePage(w http.ResponseWriter, r *http.Request) error {
	if code := r.FormValue("code"); code != "" {
		if _, err := c.Control.LinkUser(r.Context(), code); err != nil {
			return usedLink(err)
		}
		c.setInviteCookie(w, r, code, inviteTime)
		return redirect(w, r, views.InviteURL)
	}
	u, err := c.Control.LinkUser(r.Context(), inviteCode(r))
	if err != nil {
		return usedLink(err)
	}
	return c.show(w, r, http.StatusOK, views.InvitePage{Email: u.Email, New: u.Invited})
}

// acceptInvite sets the password and signs its user in.
func (c *console) acceptInvite(w http.ResponseWriter, r *http.Request) error {
	u, err := c.Control.LinkUser(r.Context(), inviteCode(r))
	if err != nil {
		return usedLink(err)
	}
	password := r.PostFormValue("password")
	if err = checkNewPassword(r); err == nil {
		_, err = c.Control.AcceptLink(r.Context(), c.client(r), inviteCode(r), password)
	}
	switch {
	case isFormError(err):
		return c.show(w, r, statusOf(err), views.InvitePage{Email: u.Email, New: u.Invited, Error: views.FormErrorOf(err)})
	case err != nil:
		return usedLink(err)
	}
	c.setInviteCookie(w, r, "", -time.Second)
	sessionID, _, err := c.Control.SignIn(r.Context(), c.client(r), u.Email, password)
	if gatehouse.ErrorCode(err) == gatehouse.Unauthenticated { // somebody has been guessing the password, which slows sign-in down
		return redirect(w, r, views.SignInURL)
	}
	if err != nil {
		return err
	}
	if err := c.sessions.begin(w, r, sessionID); err != nil {
		return err
	}
	return redirect(w, r, views.DeploymentsURL)
}

// checkNewPassword checks the two fields of a form in which a password is chosen.
func checkNewPassword(r *http.Request) error {
	password := r.PostFormValue("password")
	if err := gatehouse.CheckPassword(password); err != nil {
		return err
	}
	if password != r.PostFormValue("repeat") {
		return gatehouse.InvalidField("repeat", "the two passwords differ; type the same one twice")
	}
	return nil
}

// client is who makes the request.
func (c *console) client(r *http.Request) gatehouse.Client {
	return gatehouse.Client{Addr: clientaddr.Of(r, c.TrustedProxies), UserAgent: r.UserAgent()}
}

func inviteCode(r *http.Request) string {
	cookie, err := r.Cookie(inviteCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

func (c *console) setInviteCookie(w http.ResponseWriter, r *http.Request, code string, maxAge time.Duration) {
	o := c.sessions.cookieOptions(r, maxAge)
	http.SetCookie(w, &http.Cookie{
		Name: inviteCookie, Value: code, Path: views.InviteURL, MaxAge: o.MaxAge, HttpOnly: o.HttpOnly, Secure: o.Secure, SameSite: o.SameSite,
	})
}

// usedLink says what whoever follows a dead link has to do.
func usedLink(err error) error {
	if gatehouse.ErrorCode(err) != gatehouse.NotFound {
		return err
	}
	return gatehouse.Errorf(gatehouse.Forbidden, "this link does not work, or no longer: it works once and for a limited time; ask an admin for another").WithCause(err)
}
