package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type userCommand struct {
	Create      userCreate      `cmd:"" help:"Create a user; the password is read from standard input."`
	List        userList        `cmd:"" help:"List all users."`
	SetPassword userSetPassword `cmd:"" help:"Set a user's password, read from standard input, and end their sessions."`
	Disable     userDisable     `cmd:"" help:"Shut a user out and end their sessions."`
}

type userCreate struct {
	Email string `help:"Email address." required:""`
	Role  string `help:"Role: admin, editor or viewer." required:""`
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
		if k.JSON {
			return printJSON(s.out, userOut(u))
		}
		_, err = fmt.Fprintln(s.out, u.ID)
		return err
	})
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
		rows := [][]string{{"EMAIL", "ROLE", "STATE", "CREATED", "ID"}}
		for _, u := range users {
			state := "active"
			if u.Disabled {
				state = "disabled"
			}
			rows = append(rows, []string{u.Email, string(u.Role), state, timeText(u.CreatedAt), u.ID})
		}
		return printTable(s.out, rows)
	})
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

type userJSON struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Role      string    `json:"role"`
	Disabled  bool      `json:"disabled"`
	CreatedAt time.Time `json:"created_at"`
}

func userOut(u gatehouse.User) userJSON {
	return userJSON{ID: u.ID, Email: u.Email, Role: string(u.Role), Disabled: u.Disabled, CreatedAt: u.CreatedAt}
}
