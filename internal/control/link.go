package control

import (
	"context"
	"crypto/rand"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// How long a one-time link works.
const (
	InvitationLifetime   = 7 * 24 * time.Hour
	PasswordLinkLifetime = 24 * time.Hour
)

// InviteUser makes a user who chooses a password with a one-time link. It gives the link's code, which nothing shows again: the
// store knows its hash.
func (c *Control) InviteUser(ctx context.Context, actor gatehouse.Actor, email string, role gatehouse.Role) (gatehouse.User, string, error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageUsers); err != nil {
		return gatehouse.User{}, "", err
	}
	u, err := newUser(email, role)
	if err != nil {
		return gatehouse.User{}, "", err
	}
	u.Invited = true
	code := newCode()
	e := event(actor, gatehouse.UserInvited, u.ID, u.Email)
	e.Details = map[string]string{"role": string(u.Role)}
	if err := c.store.InviteUser(ctx, u, secret.Hash(code), e.At.Add(InvitationLifetime), e); err != nil {
		return gatehouse.User{}, "", err
	}
	return u, code, nil
}

// PasswordLink makes a one-time link with which a user chooses a new password. A former link stops working; a former password
// works until then.
func (c *Control) PasswordLink(ctx context.Context, actor gatehouse.Actor, idOrEmail string) (code string, err error) {
	u, err := c.userToManage(ctx, actor, idOrEmail)
	if err != nil {
		return "", err
	}
	if err := ownsPassword(u); err != nil {
		return "", err
	}
	if u.Disabled {
		return "", gatehouse.Errorf(gatehouse.Conflict, "this user is disabled; enable them first")
	}
	lifetime := PasswordLinkLifetime
	if u.Invited {
		lifetime = InvitationLifetime
	}
	code = newCode()
	e := event(actor, gatehouse.UserLinkMade, u.ID, u.Email)
	if err := c.store.MakeLink(ctx, u.ID, secret.Hash(code), e.At.Add(lifetime), e); err != nil {
		return "", err
	}
	return code, nil
}

// LinkUser gives the user for whom a one-time link is. Whoever has the link needs no right. NotFound says that it does not work,
// or no longer.
func (c *Control) LinkUser(ctx context.Context, code string) (gatehouse.User, error) {
	return c.store.LinkUser(ctx, secret.Hash(code), now())
}

// AcceptLink sets the password that the user has chosen, ends all their sessions and uses the link up.
func (c *Control) AcceptLink(ctx context.Context, client gatehouse.Client, code, password string) (gatehouse.User, error) {
	u, err := c.LinkUser(ctx, code) // before the work of hashing
	if err != nil {
		return gatehouse.User{}, err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return gatehouse.User{}, err
	}
	e := event(personAt(u, client.Addr), gatehouse.UserPasswordSet, u.ID, u.Email)
	e.Details = map[string]string{"with": "one-time link"}
	if err := c.store.UseLink(ctx, secret.Hash(code), u.ID, hash, e.At, e); err != nil {
		return gatehouse.User{}, err
	}
	u.Invited = false
	return u, nil
}

// newCode draws 256 random bits.
func newCode() string { return rand.Text() + rand.Text() }
