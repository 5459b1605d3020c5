package control

import (
	"context"
	"crypto/rand"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// A session ends when it is idle or old.
const (
	SessionIdleTime = 24 * time.Hour
	SessionMaxAge   = 7 * 24 * time.Hour
)

// seenEvery is how often a session in use is noted as such: not on each request, which would write to the disk each time.
const seenEvery = time.Minute

// SignIn checks email and password and begins a session. It gives the session's ID, which only the cookie holds; the store knows
// its hash. Wrong email, wrong password and disabled user get the same answer after the same work; repeated failures slow down.
func (c *Control) SignIn(ctx context.Context, addr, email, password string) (sessionID string, u gatehouse.User, err error) {
	// What is typed as email is kept, in the throttle and in the audit log, only when it is one: people type passwords there.
	account, err := gatehouse.ParseEmail(email)
	if err != nil {
		account = ""
	}
	if err := c.throttle.wait(ctx, account, addr); err != nil {
		return "", gatehouse.User{}, err
	}
	u, hash, err := c.store.UserByEmail(ctx, account)
	if gatehouse.ErrorCode(err) == gatehouse.NotFound {
		hash = nobody
	} else if err != nil {
		return "", gatehouse.User{}, err
	}
	if !samePassword(password, hash) || u.ID == "" || u.Disabled {
		return "", gatehouse.User{}, c.refuseSignIn(ctx, addr, account, u)
	}
	sessionID = rand.Text() + rand.Text()
	e := event(personAt(u, addr), gatehouse.SignedIn, u.ID, u.Email)
	err = c.store.CreateSession(ctx, secret.Hash(sessionID), u.ID, hash, now(), e)
	if gatehouse.ErrorCode(err) == gatehouse.NotFound { // the password has just been changed, or the user disabled
		return "", gatehouse.User{}, c.refuseSignIn(ctx, addr, account, u)
	}
	if err != nil {
		return "", gatehouse.User{}, err
	}
	c.throttle.succeeded(account, addr)
	return sessionID, u, nil
}

// refuseSignIn records the attempt.
func (c *Control) refuseSignIn(ctx context.Context, addr, account string, u gatehouse.User) error {
	attempt := gatehouse.Actor{Kind: gatehouse.Person, Name: account, Addr: addr}
	if err := c.store.AddAudit(ctx, event(attempt, gatehouse.SignInFailed, u.ID, account)); err != nil {
		return err
	}
	return gatehouse.Errorf(gatehouse.Unauthenticated, "email or password is wrong; try again or ask an admin to set a new password")
}

// SessionActor gives the person to whom a session belongs.
func (c *Control) SessionActor(ctx context.Context, sessionID, addr string) (gatehouse.Actor, error) {
	at := now()
	createdAfter, seenAfter := at.Add(-SessionMaxAge), at.Add(-SessionIdleTime)
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

// SignOut ends a session.
func (c *Control) SignOut(ctx context.Context, actor gatehouse.Actor, sessionID string) error {
	err := c.store.EndSession(ctx, secret.Hash(sessionID), event(actor, gatehouse.SignedOut, actor.ID, actor.Name))
	if gatehouse.ErrorCode(err) == gatehouse.NotFound {
		return nil // it had ended already, which is what was asked for
	}
	return err
}

func personAt(u gatehouse.User, addr string) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.Person, ID: u.ID, Name: u.Email, Role: u.Role, Addr: addr}
}
