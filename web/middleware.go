package web

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/a-h/templ"

	"gatehouse/internal/gatehouse"
)

// withRecovery turns a panic into an error page and a log line.
func withRecovery(c *console, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			c.fail(w, r, fmt.Errorf("panic: %v\n%s", v, debug.Stack()))
		}()
		next.ServeHTTP(w, r)
	})
}

// withSecurityHeaders lets pages load and do only what the console's own pages need. Scripts run only with the nonce of the answer,
// and only htmx, through its extension hx-csp, may turn text into markup (trusted types).
func withSecurityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce := rand.Text()
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "+
			"require-trusted-types-for 'script'; trusted-types htmx")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// Not no-referrer: with it browsers send "Origin: null" with forms, by which a console on plain http could not tell its
		// own forms from foreign ones. Secrets never stand in an address anyway.
		h.Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r.WithContext(templ.WithNonce(r.Context(), nonce)))
	})
}

// withCrossOriginProtection refuses what another site makes a signed-in browser do.
func withCrossOriginProtection(c *console, next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		c.fail(w, r, gatehouse.Errorf(gatehouse.Forbidden, "another site asked for this, so nothing was changed; use the console itself"))
	}))
	return protection.Handler(next)
}
