package control

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

// userStore keeps users and the one-time links with which they choose a password. It refuses, in the same transaction, what would
// leave no admin who can sign in. Changes that shut a user out end their sessions; a new password ends them and the link.
type userStore interface {
	CreateUser(ctx context.Context, u gatehouse.User, passwordHash string, onlyFirst bool, event gatehouse.AuditEvent) error
	Users(ctx context.Context) ([]gatehouse.User, error)
	HasUsers(ctx context.Context) (bool, error)
	// User finds a user by ID or email address; there is no hash where they have no password.
	User(ctx context.Context, idOrEmail string) (u gatehouse.User, passwordHash string, err error)
	SetPassword(ctx context.Context, userID, passwordHash string, event gatehouse.AuditEvent) error
	// ChangePassword does nothing and gives NotFound unless oldHash is still the user's. It lets one session go on.
	ChangePassword(ctx context.Context, userID, oldHash, newHash string, keep gatehouse.SecretHash, event gatehouse.AuditEvent) error
	SetRole(ctx context.Context, userID string, role gatehouse.Role, event gatehouse.AuditEvent) error
	DisableUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error
	EnableUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error
	DeleteUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error

	InviteUser(ctx context.Context, u gatehouse.User, link gatehouse.SecretHash, expiresAt time.Time, event gatehouse.AuditEvent) error
	MakeLink(ctx context.Context, userID string, link gatehouse.SecretHash, expiresAt time.Time, event gatehouse.AuditEvent) error
	LinkUser(ctx context.Context, link gatehouse.SecretHash, at time.Time) (gatehouse.User, error)
	UseLink(ctx context.Context, link gatehouse.SecretHash, userID, passwordHash string, at time.Time, event gatehouse.AuditEvent) error
}

// NewUser is the input from which a user is made.
type NewUser struct {
	Email    string
	Role     gatehouse.Role
	Password string
}

// CreateUser makes a user.
func (c *Control) CreateUser(ctx context.Context, actor gatehouse.Actor, n NewUser) (gatehouse.User, error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageUsers); err != nil {
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
	u, err := newUser(n.Email, n.Role)
	if err != nil {
		return gatehouse.User{}, err
	}
	hash, err := hashPassword(n.Password)
	if err != nil {
		return gatehouse.User{}, err
	}
	e := event(actor, gatehouse.UserCreated, u.ID, u.Email)
	e.Details = map[string]string{"role": string(u.Role)}
	return u, c.store.CreateUser(ctx, u, hash, onlyFirst, e)
}

func newUser(email string, role gatehouse.Role) (gatehouse.User, error) {
	email, err := gatehouse.ParseEmail(email)
	if err != nil {
		return gatehouse.User{}, err
	}
	if _, err := gatehouse.ParseRole(string(role)); err != nil {
		return gatehouse.User{}, err
	}
	return gatehouse.User{ID: uuid.NewString(), Email: email, Role: role, CreatedAt: now()}, nil
}

// HasUsers reports whether there is any user. Nobody needs a right to know: the console shows another page until there is one.
func (c *Control) HasUsers(ctx context.Context) (bool, error) { return c.store.HasUsers(ctx) }

// Users lists all users by email address.
func (c *Control) Users(ctx context.Context, actor gatehouse.Actor) ([]gatehouse.User, error) {
	if err := c.authorize(ctx, actor, gatehouse.ViewUsers); err != nil {
		return nil, err
	}
	return c.store.Users(ctx)
}

// User finds a user by ID or email address.
func (c *Control) User(ctx context.Context, actor gatehouse.Actor, idOrEmail string) (gatehouse.User, error) {
	if err := c.authorize(ctx, actor, gatehouse.ViewUsers); err != nil {
		return gatehouse.User{}, err
	}
	return c.findUser(ctx, idOrEmail)
}

// SetPassword gives a user a new password and ends all their sessions.
func (c *Control) SetPassword(ctx context.Context, actor gatehouse.Actor, idOrEmail, password string) error {
	u, err := c.userToManage(ctx, actor, idOrEmail)
	if err != nil {
		return err
	}
	if err := ownsPassword(u); err != nil {
		return err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	return c.store.SetPassword(ctx, u.ID, hash, event(actor, gatehouse.UserPasswordSet, u.ID, u.Email))
}

// SetRole gives a user another role. It holds from their next request on. The last admin keeps theirs.
func (c *Control) SetRole(ctx context.Context, actor gatehouse.Actor, idOrEmail string, role gatehouse.Role) error {
	u, err := c.userToManage(ctx, actor, idOrEmail)
	if err != nil {
		return err
	}
	if _, err := gatehouse.ParseRole(string(role)); err != nil {
		return err
	}
	if u.External {
		return gatehouse.Errorf(gatehouse.Conflict, "this user signs in through the identity provider, which decides the role; change it there")
	}
	return c.store.SetRole(ctx, u.ID, role, event(actor, gatehouse.UserRoleChanged, u.ID, u.Email))
}

// DisableUser shuts a user out, at once also where they are signed in. The last admin cannot be disabled.
func (c *Control) DisableUser(ctx context.Context, actor gatehouse.Actor, idOrEmail string) error {
	u, err := c.userToManage(ctx, actor, idOrEmail)
	if err != nil {
		return err
	}
	return c.store.DisableUser(ctx, u.ID, event(actor, gatehouse.UserDisabled, u.ID, u.Email))
}

// EnableUser lets a disabled user in again, with the password that they had.
func (c *Control) EnableUser(ctx context.Context, actor gatehouse.Actor, idOrEmail string) error {
	u, err := c.userToManage(ctx, actor, idOrEmail)
	if err != nil {
		return err
	}
	return c.store.EnableUser(ctx, u.ID, event(actor, gatehouse.UserEnabled, u.ID, u.Email))
}

// DeleteUser removes a user and ends their sessions. What they did keeps their name. The last admin cannot be deleted.
func (c *Control) DeleteUser(ctx context.Context, actor gatehouse.Actor, idOrEmail string) error {
	u, err := c.userToManage(ctx, actor, idOrEmail)
	if err != nil {
		return err
	}
	e := event(actor, gatehouse.UserDeleted, u.ID, u.Email)
	e.Details = map[string]string{"role": string(u.Role)}
	return c.store.DeleteUser(ctx, u.ID, e)
}

func (c *Control) userToManage(ctx context.Context, actor gatehouse.Actor, idOrEmail string) (gatehouse.User, error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageUsers); err != nil {
		return gatehouse.User{}, err
	}
	return c.findUser(ctx, idOrEmail)
}

func (c *Control) findUser(ctx context.Context, idOrEmail string) (gatehouse.User, error) {
	u, _, err := c.store.User(ctx, strings.ToLower(strings.TrimSpace(idOrEmail)))
	return u, err
}

// ownsPassword refuses users whose password is not Gatehouse's affair.
func ownsPassword(u gatehouse.User) error {
	if u.External {
		return gatehouse.Errorf(gatehouse.Conflict, "this user signs in through the identity provider, which keeps the password; change it there")
	}
	return nil
}
