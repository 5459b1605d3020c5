package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

// handler answers a request, or gives an error for which nothing has been written yet.
type handler func(w http.ResponseWriter, r *http.Request) error

// userHandler is a handler for somebody who is signed in.
type userHandler func(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error

// mostForm bounds the size of a form, in bytes.
const mostForm = 64 << 10

// anyone makes an http.Handler of h: it reads the form first and writes the error page afterwards.
func (c *console) anyone(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Pages show who may do what at this moment; none is for a cache.
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		err := r.ParseForm()
		if err != nil {
			err = gatehouse.Errorf(gatehouse.Invalid, "the form could not be read; go back and try again").WithCause(err)
		} else {
			err = h(w, r)
		}
		if err != nil {
			c.fail(w, r, err)
		}
	})
}

// user is anyone for those who are signed in. Others are led to sign in.
func (c *console) user(h userHandler) http.Handler {
	return c.anyone(func(w http.ResponseWriter, r *http.Request) error {
		actor, err := c.sessions.actor(r)
		if err != nil {
			return err
		}
		return h(w, r, actor)
	})
}

// show writes a page, or the fragment of it for htmx.
func (c *console) show(w http.ResponseWriter, r *http.Request, status int, p views.Page) error {
	var body bytes.Buffer // so that a page that fails half-way does not go out
	var err error
	if isHTMX(r) {
		err = views.RenderFragment(r.Context(), &body, p)
	} else {
		err = views.RenderPage(r.Context(), &body, c.frame(r), p)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "HX-Request")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // the client has gone: nobody is left to tell
	return nil
}

func (c *console) frame(r *http.Request) views.Frame {
	f := views.Frame{Theme: themeOf(r), Version: c.Version, Path: views.HomeURL, Place: r.URL.Path}
	if r.Method == http.MethodGet {
		f.Path = r.URL.RequestURI()
	}
	if actor, err := c.sessions.actor(r); err == nil {
		f.User = &actor
	}
	return f
}

// statuses maps every code of an error to the HTTP status and the heading of its page.
var statuses = map[gatehouse.Code]struct {
	status  int
	heading string
}{
	gatehouse.Invalid:         {http.StatusUnprocessableEntity, "Not valid"},
	gatehouse.NotFound:        {http.StatusNotFound, "Not found"},
	gatehouse.Conflict:        {http.StatusConflict, "Not possible now"},
	gatehouse.Unauthenticated: {http.StatusUnauthorized, "Sign in first"},
	gatehouse.Forbidden:       {http.StatusForbidden, "Not allowed"},
	gatehouse.Unavailable:     {http.StatusServiceUnavailable, "Not available now"},
	gatehouse.Internal:        {http.StatusInternalServerError, "Something went wrong"},
}

func statusOf(err error) int { return statuses[gatehouse.ErrorCode(err)].status }

// fail is the one place that answers with an error. The user sees the message, the log sees everything.
func (c *console) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // the client has gone
	}
	s := statuses[gatehouse.ErrorCode(err)]
	if s.status >= 500 {
		c.Log.Error("the console could not answer", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	message := gatehouse.ErrorMessage(err)
	switch {
	case !wantsPage(r):
		http.Error(w, message, s.status)
	case s.status == http.StatusUnauthorized:
		sendToSignIn(w, r)
	default:
		c.showError(w, r, s.status, s.heading, message)
	}
}

func (c *console) showError(w http.ResponseWriter, r *http.Request, status int, heading, message string) {
	_, actorErr := c.sessions.actor(r)
	page := views.NewErrorPage(heading, message, actorErr == nil)
	var err error
	if isHTMX(r) && r.Header.Get("HX-Target") != "main#main" {
		// What the viewer was doing stays as it is, with the error above.
		w.Header().Set("HX-Retarget", "#overlay")
		w.Header().Set("HX-Reswap", "innerHTML")
		err = c.show(w, r, status, views.ErrorDialog{ErrorPage: page})
	} else {
		err = c.show(w, r, status, page)
	}
	if err != nil {
		c.Log.Error("the error page could not be rendered", "path", r.URL.Path, "error", err)
		http.Error(w, message, status)
	}
}

// sendToSignIn leads to the sign-in page, and from there back.
func sendToSignIn(w http.ResponseWriter, r *http.Request) {
	if isHTMX(r) {
		next := ""
		if page, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
			next = page.RequestURI()
		}
		w.Header().Set("HX-Redirect", views.SignInThenURL(next))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	next := ""
	if r.Method == http.MethodGet {
		next = r.URL.RequestURI()
	}
	http.Redirect(w, r, views.SignInThenURL(next), http.StatusSeeOther)
}

// redirect leads to another page of the console, after a form was accepted.
func redirect(w http.ResponseWriter, r *http.Request, url string) error {
	if isHTMX(r) {
		w.Header().Set("HX-Redirect", url)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, url, http.StatusSeeOther)
	return nil
}

// isHTMX reports whether htmx asks, which wants a fragment.
func isHTMX(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// wantsPage tells browsers that show a page from scripts that want the bare text, data or a stream of events.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	for _, script := range []string{"text/plain", "text/event-stream", "application/json"} {
		if strings.HasPrefix(accept, script) {
			return false
		}
	}
	return true
}

// isFormError reports whether err belongs into the form that caused it. Other errors take a page of their own.
func isFormError(err error) bool {
	switch gatehouse.ErrorCode(err) {
	case gatehouse.Invalid, gatehouse.Conflict, gatehouse.Unavailable:
		return true
	}
	return false
}
