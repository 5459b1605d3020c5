package api

import (
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type user struct {
	ID         string     `json:"id" doc:"UUID of the user." example:"3f0f8c11-8a5c-4b68-a3ad-24cf9d3fd4b2"`
	Email      string     `json:"email" doc:"Email address, in lower case." example:"ada@example.com"`
	Role       string     `json:"role" doc:"What they may do." enum:"admin,editor,viewer" example:"editor"`
	Disabled   bool       `json:"disabled" doc:"Whether they are shut out."`
	Invited    bool       `json:"invited" doc:"Whether they have yet to choose a password."`
	External   bool       `json:"external" doc:"Whether they sign in through the identity provider, which decides the role."`
	CreatedAt  time.Time  `json:"created_at" doc:"When they were made." example:"2026-11-24T12:00:00Z"`
	LastSignIn *time.Time `json:"last_sign_in_at" doc:"When they last signed in. null: never."`
}

func userOf(u gatehouse.User) user {
	out := user{
		ID: u.ID, Email: u.Email, Role: string(u.Role), Disabled: u.Disabled, Invited: u.Invited, External: u.External, CreatedAt: u.CreatedAt,
	}
	if !u.LastSignIn.IsZero() {
		out.LastSignIn = &u.LastSignIn
	}
	return out
}

func (a *api) listUsers(c call[none]) ([]user, error) {
	all, err := a.Control.Users(c.ctx, c.actor)
	users := make([]user, 0, len(all))
	for _, u := range all {
		users = append(users, userOf(u))
	}
	return users, err
}

type newUser struct {
	Email string `json:"email" doc:"Email address of the user, unique." required:"true" example:"ada@example.com"`
	Role  string `json:"role" doc:"What they may do." required:"true" enum:"admin,editor,viewer" example:"editor"`
}

// oneTimeLink leads to a page on which a user chooses a password. It is a secret until it is used.
type oneTimeLink struct {
	Link      string    `json:"link" doc:"The one-time link at which the user chooses a password. It is shown here only." example:"https://gatehouse.example.com/invite?code=…"`
	ExpiresAt time.Time `json:"link_expires_at" doc:"When the link stops working." example:"2026-12-01T12:00:00Z"`
}

func (a *api) linkOf(code string, lifetime time.Duration) oneTimeLink {
	return oneTimeLink{a.InviteURL(code), time.Now().UTC().Add(lifetime).Truncate(time.Second)}
}

type invitedUser struct {
	user
	oneTimeLink
}

func (a *api) inviteUser(c call[newUser]) (invitedUser, error) {
	u, code, err := a.Control.InviteUser(c.ctx, c.actor, c.in.Email, gatehouse.Role(c.in.Role))
	if err != nil {
		return invitedUser{}, err
	}
	return invitedUser{userOf(u), a.linkOf(code, control.InvitationLifetime)}, nil
}

func (a *api) getUser(c call[none]) (user, error) {
	u, err := a.Control.User(c.ctx, c.actor, c.path("user"))
	if err != nil {
		return user{}, err
	}
	return userOf(u), nil
}

type newRole struct {
	Role string `json:"role" doc:"What the user may do from now on." required:"true" enum:"admin,editor,viewer" example:"viewer"`
}

func (a *api) setRole(c call[newRole]) (none, error) {
	return none{}, a.Control.SetRole(c.ctx, c.actor, c.path("user"), gatehouse.Role(c.in.Role))
}

func (a *api) disableUser(c call[none]) (none, error) {
	return none{}, a.Control.DisableUser(c.ctx, c.actor, c.path("user"))
}

func (a *api) enableUser(c call[none]) (none, error) {
	return none{}, a.Control.EnableUser(c.ctx, c.actor, c.path("user"))
}

func (a *api) deleteUser(c call[none]) (none, error) {
	return none{}, a.Control.DeleteUser(c.ctx, c.actor, c.path("user"))
}

func (a *api) passwordLink(c call[none]) (oneTimeLink, error) {
	u, err := a.Control.User(c.ctx, c.actor, c.path("user"))
	if err != nil {
		return oneTimeLink{}, err
	}
	code, err := a.Control.PasswordLink(c.ctx, c.actor, u.ID)
	if err != nil {
		return oneTimeLink{}, err
	}
	lifetime := control.PasswordLinkLifetime
	if u.Invited {
		lifetime = control.InvitationLifetime
	}
	return a.linkOf(code, lifetime), nil
}
