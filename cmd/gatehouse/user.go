package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

type userCommand struct {
	Create      userCreate      `cmd:"" help:"Create a user; the password is read from standard input."`
	Invite      userInvite      `cmd:"" help:"Create a user and print a one-time link with which they choose their password."`
	List        userList        `cmd:"" help:"List all users."`
	Role        userRole        `cmd:"" help:"Give a user another role."`
	SetPassword userSetPassword `cmd:"" help:"Set a user's password, read from standard input, and end their sessions."`
	ResetLink   userResetLink   `cmd:"" help:"Print a one-time link with which a user chooses a new password."`
	Disable     userDisable     `cmd:"" help:"Shut a user out and end their sessions."`
	Enable      userEnable      `cmd:"" help:"Let a disabled user in again."`
	Delete      userDelete      `cmd:"" help:"Delete a user and end their sessions."`
}

type userCreate struct {
	Email string `help:"Email address." required:""`
	Role  string `help:"Role: admin, editor or viewer." required:"" enum:"admin,editor,viewer" placeholder:"ROLE"`
	JSON  bool   `help:"Print JSON." name:"json"`
}

func (k *userCreate) Run(ctx context.Context, c *commands, s *streams) error {
	password, err := s.readPassword()
	if err != nil {
		return err
	}
	return c.withNewData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		u, err := ctl.CreateUser(ctx, actor, control.NewUser{Email: k.Email, Role: gatehouse.Role(k.Role), Password: password})
		if err != nil {
			return err
		}
		return s.printUser(ctx, ctl, actor, userOut(u), k.JSON, u.ID)
	})
}

// printUser prints a user who was just made, and then warns when there is no admin: a one-time link is shown whatever comes after it.
func (s *streams) printUser(ctx context.Context, ctl *control.Control, actor gatehouse.Actor, out userJSON, asJSON bool, line string) error {
	var err error
	if asJSON {
		err = printJSON(s.out, out)
	} else {
		_, err = fmt.Fprintln(s.out, line)
	}
	if err != nil {
		return err
	}
	return s.warnWithoutAdmin(ctx, ctl, actor)
}

// warnWithoutAdmin tells how to get an admin: the link for the first one works only until there is a user of any role.
func (s *streams) warnWithoutAdmin(ctx context.Context, ctl *control.Control, actor gatehouse.Actor) error {
	users, err := ctl.Users(ctx, actor)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(users, func(u gatehouse.User) bool { return u.Role == gatehouse.Admin }) {
		fmt.Fprintln(s.err, "There is no admin, and the link in the server's log for making the first one does not work any more. Make one with: gatehouse user create --email ADDRESS --role admin")
	}
	return nil
}

// readPassword asks a person without showing what is typed, or reads one line from a pipe. Passwords are never arguments: every
// user of the machine sees those.
func (s *streams) readPassword() (string, error) {
	line, err := s.readLine()
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", gatehouse.InvalidField("password", "the password is missing; give it as one line on standard input")
	}
	return line, nil
}

func (s *streams) readLine() (string, error) {
	if f, ok := s.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(s.err, "Password: ")
		typed, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(s.err)
		return string(typed), err
	}
	return bufio.NewReader(io.LimitReader(s.in, 64<<10)).ReadString('\n')
}

type userList struct {
	JSON bool `help:"Print JSON." name:"json"`
}

func (k *userList) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		users, err := ctl.Users(ctx, actor)
		if err != nil {
			return err
		}
		if k.JSON {
			out := make([]userJSON, len(users))
			for i, u := range users {
				out[i] = userOut(u)
			}
			return printJSON(s.out, out)
		}
		rows := [][]string{{"EMAIL", "ROLE", "STATE", "CREATED", "LAST SIGN-IN", "ID"}}
		for _, u := range users {
			rows = append(rows, []string{u.Email, string(u.Role), userState(u), timeText(u.CreatedAt), lastSignIn(u), u.ID})
		}
		return printTable(s.out, rows)
	})
}

func userState(u gatehouse.User) string {
	switch {
	case u.Disabled:
		return "disabled"
	case u.Invited:
		return "invited"
	}
	return "active"
}

func lastSignIn(u gatehouse.User) string {
	if u.LastSignIn.IsZero() {
		return "never"
	}
	return timeText(u.LastSignIn)
}

type userSetPassword struct {
	Email string `arg:"" help:"Email address."`
}

func (k *userSetPassword) Run(ctx context.Context, c *commands, s *streams) error {
	password, err := s.readPassword()
	if err != nil {
		return err
	}
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.SetPassword(ctx, actor, k.Email, password)
	})
}

type userDisable struct {
	Email string `arg:"" help:"Email address."`
}

func (k *userDisable) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.DisableUser(ctx, actor, k.Email)
	})
}

type userEnable struct {
	Email string `arg:"" help:"Email address."`
}

func (k *userEnable) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.EnableUser(ctx, actor, k.Email)
	})
}

type userDelete struct {
	Email string `arg:"" help:"Email address."`
}

func (k *userDelete) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.DeleteUser(ctx, actor, k.Email)
	})
}

type userRole struct {
	Email string `arg:"" help:"Email address."`
	Role  string `arg:"" help:"Role: admin, editor or viewer." enum:"admin,editor,viewer"`
}

func (k *userRole) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.SetRole(ctx, actor, k.Email, gatehouse.Role(k.Role))
	})
}

// consoleFlag says where one-time links lead.
type consoleFlag struct {
	ConsoleURL string `help:"URL of the console as browsers see it. Default: that of the running server." placeholder:"URL" name:"console-url"`
}

func (k consoleFlag) link(c *commands, code string) string {
	return strings.TrimRight(cmp.Or(k.ConsoleURL, c.consoleAddress(), "http://127.0.0.1:8420"), "/") + views.InviteCodeURL(code)
}

type userInvite struct {
	consoleFlag
	Email string `help:"Email address." required:""`
	Role  string `help:"Role: admin, editor or viewer." required:"" enum:"admin,editor,viewer" placeholder:"ROLE"`
	JSON  bool   `help:"Print JSON." name:"json"`
}

func (k *userInvite) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withNewData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		u, code, err := ctl.InviteUser(ctx, actor, k.Email, gatehouse.Role(k.Role))
		if err != nil {
			return err
		}
		out := userOut(u)
		out.Link = k.link(c, code)
		return s.printUser(ctx, ctl, actor, out, k.JSON, out.Link)
	})
}

type userResetLink struct {
	consoleFlag
	Email string `arg:"" help:"Email address."`
}

func (k *userResetLink) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		code, err := ctl.PasswordLink(ctx, actor, k.Email)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, k.link(c, code))
		return err
	})
}

// userJSON is a user as --json prints it. The one-time link is there only when it was just made.
type userJSON struct {
	ID         string     `json:"id"`
	Email      string     `json:"email"`
	Role       string     `json:"role"`
	Disabled   bool       `json:"disabled"`
	Invited    bool       `json:"invited"`
	External   bool       `json:"external"`
	CreatedAt  time.Time  `json:"created_at"`
	LastSignIn *time.Time `json:"last_sign_in_at"`
	Link       string     `json:"link,omitempty"`
}

func userOut(u gatehouse.User) userJSON {
	out := userJSON{ID: u.ID, Email: u.Email, Role: string(u.Role), Disabled: u.Disabled, Invited: u.Invited, External: u.External, CreatedAt: u.CreatedAt}
	if !u.LastSignIn.IsZero() {
		out.LastSignIn = &u.LastSignIn
	}
	return out
}
