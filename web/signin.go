package web

import (
	"net/http"
	"net/url"
	"strings"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) signInPage(w http.ResponseWriter, r *http.Request) error {
	next := safeNext(r.FormValue("next"))
	if _, err := c.sessions.actor(r); err == nil {
		return redirect(w, r, next)
	}
	has, err := c.Control.HasUsers(r.Context())
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, views.SignInPage{Next: next, NoUsers: !has, OpenID: c.openIDLabel()})
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) error {
	email, next := strings.TrimSpace(r.PostFormValue("email")), safeNext(r.PostFormValue("next"))
	sessionID, _, err := c.Control.SignIn(r.Context(), gatehouse.Client{Addr: clientaddr.Of(r, c.TrustedProxies), UserAgent: r.UserAgent()}, email, r.PostFormValue("password"))
	if gatehouse.ErrorCode(err) == gatehouse.Unauthenticated {
		return c.show(w, r, http.StatusUnauthorized, views.SignInPage{Email: email, Next: next, OpenID: c.openIDLabel(), Error: views.FormErrorOf(err)})
	}
	if err != nil {
		return err
	}
	if err := c.sessions.begin(w, r, sessionID); err != nil {
		return err
	}
	return redirect(w, r, next)
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	session, err := c.sessions.Get(r, sessionCookie)
	if err != nil {
		return err
	}
	if err := c.Control.SignOut(r.Context(), actor, session.ID); err != nil {
		return err
	}
	if err := c.sessions.end(w, r, session); err != nil {
		return err
	}
	return redirect(w, r, views.SignInURL)
}

// safeNext lets next lead to pages of the console only. Browsers read "//host", "/\host" and "/<tab>/host" as other sites.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\t\r\n") {
		return views.DeploymentsURL
	}
	if u.Path == views.SignInURL || u.Path == views.HomeURL {
		return views.DeploymentsURL
	}
	return next
}

// setTheme keeps the viewer's choice of colours in a cookie, which the script theme.js writes too.
func (c *console) setTheme(w http.ResponseWriter, r *http.Request) error {
	cookie := &http.Cookie{Name: themeCookie, Path: "/", MaxAge: -1, SameSite: http.SameSiteLaxMode}
	if theme := parseTheme(r.PostFormValue("theme")); theme != views.System {
		cookie.Value, cookie.MaxAge = string(theme), 365*24*3600
	}
	http.SetCookie(w, cookie)
	return redirect(w, r, safeNext(r.PostFormValue("next")))
}

func themeOf(r *http.Request) views.Theme {
	cookie, err := r.Cookie(themeCookie)
	if err != nil {
		return views.System
	}
	return parseTheme(cookie.Value)
}

func parseTheme(s string) views.Theme {
	switch t := views.Theme(s); t {
	case views.Light, views.Dark:
		return t
	}
	return views.System
}
