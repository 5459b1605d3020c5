package web

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/gorilla/sessions"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

const (
	sessionCookie = "gatehouse_session"
	setupCookie   = "gatehouse_setup"
	themeCookie   = "gatehouse_theme"
)

// actorKey is where a session holds the person it belongs to.
const actorKey = "actor"

// sessionStore keeps gorilla sessions in the rows of control, so that sign-out and disabling a user end them. The cookie holds
// nothing but the ID.
type sessionStore struct {
	control *control.Control
	proxies []netip.Prefix
	secure  bool
}

// Get gives the session of the request, and looks it up only once for each.
func (s *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New looks the session up. Without a valid one it gives a new session that belongs to nobody, with the reason.
func (s *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	session.Options = s.cookieOptions(r, control.SessionMaxAge)
	cookie, err := r.Cookie(name)
	if err != nil {
		return session, gatehouse.Errorf(gatehouse.Unauthenticated, "sign in first")
	}
	actor, err := s.control.SessionActor(r.Context(), cookie.Value, clientaddr.Of(r, s.proxies))
	if err != nil {
		return session, err
	}
	session.ID, session.IsNew = cookie.Value, false
	session.Values[actorKey] = actor
	return session, nil
}

// Save sends the cookie.
func (s *sessionStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	http.SetCookie(w, sessions.NewCookie(session.Name(), session.ID, session.Options))
	return nil
}

// actor gives the person who is signed in.
func (s *sessionStore) actor(r *http.Request) (gatehouse.Actor, error) {
	session, err := s.Get(r, sessionCookie)
	if err != nil {
		return gatehouse.Actor{}, err
	}
	return session.Values[actorKey].(gatehouse.Actor), nil
}

// alive looks again whether the session of a long request goes on.
func (s *sessionStore) alive(r *http.Request) bool {
	session, err := s.Get(r, sessionCookie)
	if err == nil {
		_, err = s.control.SessionActor(r.Context(), session.ID, clientaddr.Of(r, s.proxies))
	}
	return gatehouse.ErrorCode(err) != gatehouse.Unauthenticated
}

// begin makes the browser carry the session that control has begun, and ends the one that it carried.
func (s *sessionStore) begin(w http.ResponseWriter, r *http.Request, sessionID string) error {
	session, err := s.Get(r, sessionCookie)
	if err == nil && session.ID != sessionID {
		if err := s.control.SignOut(r.Context(), session.Values[actorKey].(gatehouse.Actor), session.ID); err != nil {
			return err
		}
	}
	session.ID = sessionID
	return session.Save(r, w)
}

// end makes the browser forget the session.
func (s *sessionStore) end(w http.ResponseWriter, r *http.Request, session *sessions.Session) error {
	session.ID = ""
	session.Options.MaxAge = -1
	return session.Save(r, w)
}

// cookieOptions are those of every cookie that proves something. Lax, not Strict: a link from a chat or a ticket must find its
// reader signed in; what changes something is a POST, and withCrossOriginProtection guards those.
func (s *sessionStore) cookieOptions(r *http.Request, maxAge time.Duration) *sessions.Options {
	return &sessions.Options{
		Path:     "/",
		MaxAge:   int(maxAge / time.Second),
		HttpOnly: true,
		Secure:   s.isSecure(r),
		SameSite: http.SameSiteLaxMode,
	}
}

// isSecure reports whether the browser reaches the console by https, as far as that is known.
func (s *sessionStore) isSecure(r *http.Request) bool {
	return s.secure || r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}
