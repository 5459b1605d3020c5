package web

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openid"
	"gatehouse/views"
)

const (
	flowCookie = "gatehouse_sign_in"
	// flowTime is how long a person may take at the identity provider.
	flowTime = 10 * time.Minute
)

// beginOpenID sends the browser to the identity provider. What proves at the end that it is the same browser waits in a cookie.
func (c *console) beginOpenID(w http.ResponseWriter, r *http.Request) error {
	if c.OpenID == nil {
		return c.notFound(w, r)
	}
	target, flow, err := c.OpenID.Begin(r.Context())
	if err != nil {
		return c.signInRefused(w, r, err)
	}
	c.setFlowCookie(w, r, url.Values{
		"state": {flow.State}, "nonce": {flow.Nonce}, "verifier": {flow.Verifier}, "next": {safeNext(r.FormValue("next"))},
	}.Encode(), flowTime)
	return redirect(w, r, target)
}

// finishOpenID is where the identity provider sends the browser back to.
func (c *console) finishOpenID(w http.ResponseWriter, r *http.Request) error {
	if c.OpenID == nil {
		return c.notFound(w, r)
	}
	kept := flowOf(r)
	c.setFlowCookie(w, r, "", -time.Second)
	flow := openid.Flow{State: kept.Get("state"), Nonce: kept.Get("nonce"), Verifier: kept.Get("verifier")}
	if !flow.Began(r.FormValue("state")) {
		// Anybody can come here with anything, so that is not worth a line in the log.
		return c.showSignIn(w, r, gatehouse.Errorf(gatehouse.Unauthenticated, "the sign-in took too long or began in another browser; try again"))
	}
	identity, err := c.identityOf(r, flow)
	if err != nil {
		if recorded := c.Control.ExternalSignInFailed(r.Context(), c.client(r), identity, err); recorded != nil {
			return recorded
		}
		return c.signInRefused(w, r, err)
	}
	sessionID, _, err := c.Control.SignInExternal(r.Context(), c.client(r), identity)
	if err != nil {
		return c.signInRefused(w, r, err)
	}
	if err := c.sessions.begin(w, r, sessionID); err != nil {
		return err
	}
	return redirect(w, r, safeNext(kept.Get("next")))
}

// identityOf reads the answer of the identity provider. With an error it gives what is known of the person.
func (c *console) identityOf(r *http.Request, flow openid.Flow) (gatehouse.Identity, error) {
	if reason := r.FormValue("error"); reason != "" {
		const most = 100 // it is somebody's input
		return gatehouse.Identity{}, gatehouse.Errorf(gatehouse.Unauthenticated, "the identity provider did not sign you in; try again, or ask an admin").
			WithCause(fmt.Errorf("the provider answered: %.*q", most, reason))
	}
	return c.OpenID.Finish(r.Context(), flow, r.FormValue("code"))
}

// signInRefused logs why, with the cause, and shows it on the page where one signs in.
func (c *console) signInRefused(w http.ResponseWriter, r *http.Request, err error) error {
	if gatehouse.ErrorCode(err) == gatehouse.Internal {
		return err
	}
	c.Log.Warn("a sign-in through the identity provider failed", "error", err, "addr", clientaddr.Of(r, c.TrustedProxies))
	return c.showSignIn(w, r, err)
}

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request, err error) error {
	return c.show(w, r, statusOf(err), views.SignInPage{Next: views.DeploymentsURL, OpenID: c.openIDLabel(), Error: views.FormErrorOf(err)})
}

// openIDLabel is the name of the identity provider, or "" when there is none.
func (c *console) openIDLabel() string {
	if c.OpenID == nil {
		return ""
	}
	return c.OpenIDLabel
}

func flowOf(r *http.Request) url.Values {
	cookie, err := r.Cookie(flowCookie)
	if err != nil {
		return nil
	}
	values, _ := url.ParseQuery(cookie.Value) // a damaged cookie holds no state, which Finish refuses
	return values
}

// setFlowCookie keeps the flow for the pages of the sign-in only.
func (c *console) setFlowCookie(w http.ResponseWriter, r *http.Request, value string, maxAge time.Duration) {
	o := c.sessions.cookieOptions(r, maxAge)
	http.SetCookie(w, &http.Cookie{
		Name: flowCookie, Value: value, Path: views.OpenIDURL, MaxAge: o.MaxAge, HttpOnly: o.HttpOnly, Secure: o.Secure, SameSite: o.SameSite,
	})
}
