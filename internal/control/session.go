package control

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// sessionStore keeps sessions, by the hash of what the cookie holds.
type sessionStore interface {
	// CreateSession does nothing and gives NotFound unless passwordHash is the user's and the user is enabled.
	CreateSession(ctx context.Context, hash gatehouse.SecretHash, userID, passwordHash string, s gatehouse.Session, event gatehouse.AuditEvent) error
	// CreateExternalSession also makes u, or changes the user of this identity, where that is needed. See SignInExternal.
	CreateExternalSession(ctx context.Context, hash gatehouse.SecretHash, id gatehouse.Identity, u gatehouse.User, s gatehouse.Session) (gatehouse.User, error)
	Session(ctx context.Context, hash gatehouse.SecretHash, createdAfter, seenAfter time.Time) (u gatehouse.User, seenAt time.Time, err error)
	Sessions(ctx context.Context, userID string, current gatehouse.SecretHash, createdAfter, seenAfter time.Time) ([]gatehouse.Session, error)
	TouchSession(ctx context.Context, hash gatehouse.SecretHash, at, createdAfter, seenAfter time.Time) error
	EndSession(ctx context.Context, hash gatehouse.SecretHash, event gatehouse.AuditEvent) error
	EndSessionOf(ctx context.Context, userID, id string, event gatehouse.AuditEvent) error
	EndAllSessions(ctx context.Context, event gatehouse.AuditEvent) error
}

// A session ends when it is idle or old.
const (
	SessionIdleTime = 24 * time.Hour
	SessionMaxAge   = 7 * 24 * time.Hour
)

// seenEvery is how often a session in use is noted as such: not on each request, which would write to the disk each time.
const seenEvery = time.Minute

// newSession gives a session's ID for the cookie, and what the store keeps of the session.
func newSession(client gatehouse.Client) (sessionID string, s gatehouse.Session) {
	at := now()
	return newCode(), gatehouse.Session{ID: uuid.NewString(), CreatedAt: at, SeenAt: at, Addr: client.Addr, UserAgent: cutAgent(client.UserAgent)}
}

// cutAgent keeps what a client calls itself within 200 bytes of valid UTF-8.
func cutAgent(userAgent string) string {
	const most = 200
	return strings.ToValidUTF8(userAgent[:min(len(userAgent), most)], "")
}

// SessionActor gives the person to whom a session belongs, with the role that they have now.
func (c *Control) SessionActor(ctx context.Context, sessionID, addr string) (gatehouse.Actor, error) {
	at := now()
	createdAfter, seenAfter := sessionsAlive(at)
	hash := secret.Hash(sessionID)
	u, seenAt, err := c.store.Session(ctx, hash, createdAfter, seenAfter)
	if err != nil {
		return gatehouse.Actor{}, err
	}
	if at.Sub(seenAt) > seenEvery {
		// A failure is passed over: with a full disk, the console must still show what is there.
		_ = c.store.TouchSession(ctx, hash, at, createdAfter, seenAfter)
	}
	return personAt(u, addr), nil
}

func sessionsAlive(at time.Time) (createdAfter, seenAfter time.Time) {
	return at.Add(-SessionMaxAge), at.Add(-SessionIdleTime)
}

// SignOut ends a session.
func (c *Control) SignOut(ctx context.Context, actor gatehouse.Actor, sessionID string) error {
	err := c.store.EndSession(ctx, secret.Hash(sessionID), event(actor, gatehouse.SignedOut, actor.ID, actor.Name))
	if gatehouse.ErrorCode(err) == gatehouse.NotFound {
		return nil // it had ended already, which is what was asked for
	}
	return err
}

// Sessions lists where the actor is signed in, the last seen first. currentSessionID is what the cookie holds.
func (c *Control) Sessions(ctx context.Context, actor gatehouse.Actor, currentSessionID string) ([]gatehouse.Session, error) {
	if err := c.authorizeSelf(ctx, actor); err != nil {
		return nil, err
	}
	createdAfter, seenAfter := sessionsAlive(now())
	return c.store.Sessions(ctx, actor.ID, secret.Hash(currentSessionID), createdAfter, seenAfter)
}

// EndSession ends one of the actor's own sessions, by its ID in the list.
func (c *Control) EndSession(ctx context.Context, actor gatehouse.Actor, id string) error {
	if err := c.authorizeSelf(ctx, actor); err != nil {
		return err
	}
	e := event(actor, gatehouse.SessionEnded, actor.ID, actor.Name)
	e.Details = map[string]string{"session": id}
	return c.store.EndSessionOf(ctx, actor.ID, id, e)
}

func personAt(u gatehouse.User, addr string) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.Person, ID: u.ID, Name: u.Email, Role: u.Role, Addr: addr}
}
