package web

import (
	"crypto/rand"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

// Setup is the one-time link by which whoever can read the server's log makes the first admin. It works as long as there is no
// user.
type Setup struct{ code string }

// NewSetup draws a new link.
func NewSetup() *Setup { return &Setup{code: rand.Text()} }

// Path is the path and query of the link, for the log.
func (s *Setup) Path() string { return views.SetupURL + "?code=" + s.code }

func (s *Setup) opens(code string) bool {
	return s != nil && subtle.ConstantTimeCompare([]byte(code), []byte(s.code)) == 1
}

// setupTime is how long the page of the link may stay open.
const setupTime = time.Hour

// setupPage moves the code from the address, which browsers keep and people share, into a cookie; then it shows the form.
func (c *console) setupPage(w http.ResponseWriter, r *http.Request) error {
	if done, err := c.setupDone(w, r); done || err != nil {
		return err
	}
	if code := r.FormValue("code"); code != "" {
		if !c.Setup.opens(code) {
			return wrongLink()
		}
		c.setSetupCookie(w, r, code, setupTime)
		return redirect(w, r, views.SetupURL)
	}
	if !c.maySetUp(r) {
		return wrongLink()
	}
	return c.show(w, r, http.StatusOK, views.SetupPage{})
}

// setUp makes the first admin and signs them in.
func (c *console) setUp(w http.ResponseWriter, r *http.Request) error {
	if done, err := c.setupDone(w, r); done || err != nil {
		return err
	}
	if !c.maySetUp(r) {
		return wrongLink()
	}
	email, password := strings.TrimSpace(r.PostFormValue("email")), r.PostFormValue("password")
	err := gatehouse.CheckPassword(password)
	if err == nil && password != r.PostFormValue("repeat") {
		err = gatehouse.InvalidField("repeat", "the two passwords differ; type the same one twice")
	}
	if err == nil {
		_, err = c.Control.CreateFirstAdmin(r.Context(), clientaddr.Of(r, c.TrustedProxies), email, password)
	}
	if err != nil {
		if isFormError(err) {
			return c.show(w, r, statusOf(err), views.SetupPage{Email: email, Error: views.FormErrorOf(err)})
		}
		return err
	}
	c.setSetupCookie(w, r, "", -time.Second)
	return c.signIn(w, r)
}

// setupDone leads to sign-in as soon as there is a user.
func (c *console) setupDone(w http.ResponseWriter, r *http.Request) (bool, error) {
	has, err := c.Control.HasUsers(r.Context())
	if err != nil || !has {
		return false, err
	}
	return true, redirect(w, r, views.SignInURL)
}

func (c *console) maySetUp(r *http.Request) bool {
	cookie, err := r.Cookie(setupCookie)
	return err == nil && c.Setup.opens(cookie.Value)
}

func (c *console) setSetupCookie(w http.ResponseWriter, r *http.Request, code string, maxAge time.Duration) {
	o := c.sessions.cookieOptions(r, maxAge)
	http.SetCookie(w, &http.Cookie{
		Name: setupCookie, Value: code, Path: views.SetupURL, MaxAge: o.MaxAge, HttpOnly: o.HttpOnly, Secure: o.Secure, SameSite: o.SameSite,
	})
}

func wrongLink() error {
	return gatehouse.Errorf(gatehouse.Forbidden, "this link is not valid; open the newest one from the server's log, which changes with each start")
}
