package control

import (
	"context"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

// NewUser is the input from which a user is made.
type NewUser struct {
	Email    string
	Role     gatehouse.Role
	Password string
}

// CreateUser makes a user.
func (c *Control) CreateUser(ctx context.Context, actor gatehouse.Actor, n NewUser) (gatehouse.User, error) {
	if err := authorize(actor, gatehouse.ManageUsers); err != nil {
		return gatehouse.User{}, err
	}
	return c.addUser(ctx, actor, n, false)
}

// CreateFirstAdmin makes the first user, an admin. It needs no right, and refuses as soon as there is any user; whoever calls it
// must have proven otherwise that they own the server.
func (c *Control) CreateFirstAdmin(ctx context.Context, addr, email, password string) (gatehouse.User, error) {
	actor := gatehouse.Actor{Kind: gatehouse.System, Name: "first start", Role: gatehouse.Admin, Addr: addr}
	return c.addUser(ctx, actor, NewUser{Email: email, Role: gatehouse.Admin, Password: password}, true)
}

func (c *Control) addUser(ctx context.Context, actor gatehouse.Actor, n NewUser, onlyFirst bool) (gatehouse.User, error) {
	email, err := gatehouse.ParseEmail(n.Email)
	if err != nil {
		return gatehouse.User{}, err
	}
	if _, err := gatehouse.ParseRole(string(n.Role)); err != nil {
		return gatehouse.User{}, err
	}
	hash, err := hashPassword(n.Password)
	if err != nil {
		return gatehouse.User{}, err
	}
	u := gatehouse.User{ID: uuid.NewString(), Email: email, Role: n.Role, CreatedAt: now()}
	e := event(actor, gatehouse.UserCreated, u.ID, u.Email)
	e.Details = map[string]string{"role": string(u.Role)}
	return u, c.store.CreateUser(ctx, u, hash, onlyFirst, e)
}

// HasUsers reports whether there is any user. Nobody needs a right to know: the console shows another page until there is one.
func (c *Control) HasUsers(ctx context.Context) (bool, error) { return c.store.HasUsers(ctx) }

// Users lists all users by email address.
func (c *Control) Users(ctx context.Context, actor gatehouse.Actor) ([]gatehouse.User, error) {
	if err := authorize(actor, gatehouse.ManageUsers); err != nil {
		return nil, err
	}
	return c.store.Users(ctx)
}

// SetPassword gives a user a new password and ends all their sessions.
func (c *Control) SetPassword(ctx context.Context, actor gatehouse.Actor, email, password string) error {
	u, err := c.userToManage(ctx, actor, email)
	if err != nil {
		return err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	return c.store.SetPassword(ctx, u.ID, hash, event(actor, gatehouse.UserPasswordSet, u.ID, u.Email))
}

// DisableUser shuts a user out, at once also where they are signed in. The last admin cannot be disabled.
func (c *Control) DisableUser(ctx context.Context, actor gatehouse.Actor, email string) error {
	u, err := c.userToManage(ctx, actor, email)
	if err != nil {
		return err
	}
	return c.store.DisableUser(ctx, u.ID, event(actor, gatehouse.UserDisabled, u.ID, u.Email))
}

func (c *Control) userToManage(ctx context.Context, actor gatehouse.Actor, email string) (gatehouse.User, error) {
	if err := authorize(actor, gatehouse.ManageUsers); err != nil {
		return gatehouse.User{}, err
	}
	email, err := gatehouse.ParseEmail(email)
	if err != nil {
		return gatehouse.User{}, err
	}
	u, _, err := c.store.UserByEmail(ctx, email)
	return u, err
}
