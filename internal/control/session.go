package control

import (
	"context"
	"crypto/rand"
	"sync"
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

// nobody gives a well-formed hash that no password fits, so that an unknown email address takes as long as a known one.
var nobody = sync.OnceValue(func() string {
	hash, err := hashPassword(rand.Text())
	if err != nil {
		panic(err) // the text is long enough
	}
	return hash
})

// SignIn checks email and password and begins a session. It gives the session's ID, which only the cookie holds; the store knows
// its hash. Wrong email, wrong password and disabled user get the same answer after the same work; repeated failures slow down.
func (c *Control) SignIn(ctx context.Context, addr, email, password string) (sessionID string, u gatehouse.User, err error) {
	account := email
	if normal, err := gatehouse.ParseEmail(email); err == nil {
		account = normal
	}
	if err := c.throttle.wait(ctx, account, addr); err != nil {
		return "", u, err
	}
	u, hash, err := c.Store.UserByEmail(ctx, account)
	if gatehouse.ErrorCode(err) == gatehouse.NotFound {
		hash = nobody()
	} else if err != nil {
		return "", u, err
	}
	if !samePassword(password, hash) || u.ID == "" || u.Disabled {
		c.throttle.failed(account, addr)
		return "", gatehouse.User{}, c.refuseSignIn(ctx, addr, account, u)
	}
	c.throttle.succeeded(account)
	sessionID = rand.Text() + rand.Text()
	e := event(personAt(u, addr), gatehouse.SignedIn, u.ID, u.Email)
	return sessionID, u, c.Store.CreateSession(ctx, secret.Hash(sessionID), u.ID, now(), e)
}

// refuseSignIn records the attempt. The text that was typed as email is kept only when it is one: people type passwords there.
func (c *Control) refuseSignIn(ctx context.Context, addr, account string, u gatehouse.User) error {
	name := ""
	if _, err := gatehouse.ParseEmail(account); err == nil {
		name = account
	}
	attempt := gatehouse.Actor{Kind: gatehouse.Person, Name: name, Addr: addr}
	if err := c.Store.AddAudit(ctx, event(attempt, gatehouse.SignInFailed, u.ID, name)); err != nil {
		return err
	}
	return gatehouse.Errorf(gatehouse.Unauthenticated, "email or password is wrong; try again or ask an admin to set a new password")
}

// SessionActor gives the person to whom a session belongs.
func (c *Control) SessionActor(ctx context.Context, sessionID, addr string) (gatehouse.Actor, error) {
	at := now()
	createdAfter, seenAfter := at.Add(-SessionMaxAge), at.Add(-SessionIdleTime)
	hash := secret.Hash(sessionID)
	u, seenAt, err := c.Store.Session(ctx, hash, createdAfter, seenAfter)
	if err != nil {
		return gatehouse.Actor{}, err
	}
	if at.Sub(seenAt) > seenEvery {
		if err := c.Store.TouchSession(ctx, hash, at, createdAfter, seenAfter); err != nil {
			return gatehouse.Actor{}, err
		}
	}
	return personAt(u, addr), nil
}

// SignOut ends a session.
func (c *Control) SignOut(ctx context.Context, actor gatehouse.Actor, sessionID string) error {
	err := c.Store.EndSession(ctx, secret.Hash(sessionID), event(actor, gatehouse.SignedOut, actor.ID, actor.Name))
	if gatehouse.ErrorCode(err) == gatehouse.NotFound {
		return nil // it had ended already, which is what was asked for
	}
	return err
}

func personAt(u gatehouse.User, addr string) gatehouse.Actor {
	return gatehouse.Actor{Kind: gatehouse.Person, ID: u.ID, Name: u.Email, Role: u.Role, Addr: addr}
}
