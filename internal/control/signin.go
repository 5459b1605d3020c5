package control

import (
	"context"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// SignIn checks email and password and begins a session. It gives the session's ID, which only the cookie holds; the store knows
// its hash. Wrong email, wrong password, disabled user and one without a password get the same answer after the same work; repeated
// failures slow down.
func (c *Control) SignIn(ctx context.Context, client gatehouse.Client, email, password string) (sessionID string, u gatehouse.User, err error) {
	// What is typed as email is kept, in the throttle and in the audit log, only when it is one: people type passwords there.
	account, err := gatehouse.ParseEmail(email)
	if err != nil {
		account = ""
	}
	if err := c.slowDown(ctx, account, client.Addr); err != nil {
		return "", gatehouse.User{}, err
	}
	u, hash, err := c.store.User(ctx, account)
	if err != nil && gatehouse.ErrorCode(err) != gatehouse.NotFound {
		return "", gatehouse.User{}, err
	}
	if hash == "" {
		hash = nobody
	}
	same, err := checkPassword(password, hash)
	if err != nil {
		return "", gatehouse.User{}, err
	}
	if !same || u.ID == "" || u.Disabled {
		return "", gatehouse.User{}, c.refuseSignIn(ctx, client.Addr, account, u)
	}
	sessionID, session := newSession(client)
	err = c.store.CreateSession(ctx, secret.Hash(sessionID), u.ID, hash, session, event(personAt(u, client.Addr), gatehouse.SignedIn, u.ID, u.Email))
	if gatehouse.ErrorCode(err) == gatehouse.NotFound { // the password has just been changed, or the user disabled
		return "", gatehouse.User{}, c.refuseSignIn(ctx, client.Addr, account, u)
	}
	if err != nil {
		return "", gatehouse.User{}, err
	}
	c.throttle.succeeded(account, client.Addr)
	return sessionID, u, nil
}

// refuseSignIn records the attempt.
func (c *Control) refuseSignIn(ctx context.Context, addr, account string, u gatehouse.User) error {
	if err := c.recordFailure(ctx, addr, account, u.ID, ""); err != nil {
		return err
	}
	return gatehouse.Errorf(gatehouse.Unauthenticated, "email or password is wrong; try again or ask an admin to set a new password")
}

// slowDown makes whoever guesses passwords wait.
func (c *Control) slowDown(ctx context.Context, account, addr string) error {
	note, err := c.throttle.wait(ctx, account, addr)
	if !note {
		return err
	}
	if failure := c.recordFailure(ctx, addr, account, "", "throttled"); failure != nil {
		return failure
	}
	return err
}

// recordFailure records a failed proof of identity.
func (c *Control) recordFailure(ctx context.Context, addr, account, userID, reason string) error {
	attempt := gatehouse.Actor{Kind: gatehouse.Person, Name: account, Addr: addr}
	e := event(attempt, gatehouse.SignInFailed, userID, account)
	if reason != "" {
		e.Details = map[string]string{"reason": reason}
	}
	return c.recordStranger(ctx, e)
}

// SignInExternal begins a session for a person for whom the identity provider vouches. The first time it makes the user, or takes
// over an invited one with the same email address; later it brings email and role in line with the provider, whose word also makes
// the last admin an editor. Whoever calls it has checked that the provider says so, and that it has verified the email address:
// with another's address, one would take over their invitation.
func (c *Control) SignInExternal(ctx context.Context, client gatehouse.Client, id gatehouse.Identity) (sessionID string, u gatehouse.User, err error) {
	if id.Issuer == "" || id.Subject == "" {
		return "", gatehouse.User{}, gatehouse.Errorf(gatehouse.Unauthenticated,
			"the identity provider does not say who you are; ask an admin to check its settings")
	}
	fresh, err := newUser(id.Email, id.Role)
	if err != nil {
		return "", gatehouse.User{}, err
	}
	fresh.External, id.Email = true, fresh.Email
	sessionID, session := newSession(client)
	u, err = c.store.CreateExternalSession(ctx, secret.Hash(sessionID), id, fresh, session)
	switch gatehouse.ErrorCode(err) {
	case "":
		return sessionID, u, nil
	case gatehouse.Forbidden, gatehouse.Conflict:
		if failure := c.recordFailure(ctx, client.Addr, fresh.Email, u.ID, "refused after the identity provider had agreed"); failure != nil {
			return "", gatehouse.User{}, failure
		}
	}
	return "", gatehouse.User{}, err
}

// ChangePassword gives the actor, who proves to know the current one, a new password. It ends all their other sessions:
// keepSessionID is what the cookie holds. Wrong guesses slow down as at sign-in.
func (c *Control) ChangePassword(ctx context.Context, actor gatehouse.Actor, current, password, keepSessionID string) error {
	if err := c.authorizeSelf(ctx, actor); err != nil {
		return err
	}
	if err := gatehouse.CheckPassword(password); err != nil {
		return err
	}
	u, oldHash, err := c.store.User(ctx, actor.ID)
	if err != nil {
		return err
	}
	if err := ownsPassword(u); err != nil {
		return err
	}
	if err := c.slowDown(ctx, u.Email, actor.Addr); err != nil {
		return err
	}
	same, err := checkPassword(current, oldHash)
	if err != nil {
		return err
	}
	if !same {
		if err := c.recordFailure(ctx, actor.Addr, u.Email, u.ID, "wrong password when choosing a new one"); err != nil {
			return err
		}
		return gatehouse.InvalidField("current", "this is not your current password; try again or ask an admin for a link to choose a new one")
	}
	newHash, err := hashPassword(password)
	if err != nil {
		return err
	}
	e := event(actor, gatehouse.UserPasswordSet, u.ID, u.Email)
	e.Details = map[string]string{"with": "current password"}
	if err := c.store.ChangePassword(ctx, u.ID, oldHash, newHash, secret.Hash(keepSessionID), e); err != nil {
		return err
	}
	c.throttle.succeeded(u.Email, actor.Addr)
	return nil
}
