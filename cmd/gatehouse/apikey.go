package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type apiKeyCommand struct {
	Create apiKeyCreate `cmd:"" help:"Create an API key for the management API and print it."`
	List   apiKeyList   `cmd:"" help:"List all API keys."`
	Reveal apiKeyReveal `cmd:"" help:"Print an API key."`
	Revoke apiKeyRevoke `cmd:"" help:"Delete an API key; it stops working at once."`
}

type apiKeyCreate struct {
	Name        string   `help:"Name, 1 to 100 characters." required:""`
	Permissions string   `help:"Permissions: r (read-only) or rw (read and write)." required:"" placeholder:"r|rw" enum:"r,rw"`
	Deployments []string `help:"Names or IDs of deployments that the key is for, or all, those of the future too." default:"all" placeholder:"all|NAME,…"`
	Expires     string   `help:"When it ends: days like 90d, a date like 2027-01-31, or never." default:"365d" placeholder:"90d|DATE|never"`
	JSON        bool     `help:"Print JSON." name:"json"`
}

func (k *apiKeyCreate) Run(ctx context.Context, c *commands, s *streams) error {
	readOnly, err := gatehouse.ParseKeyPermissions(k.Permissions)
	if err != nil {
		return err
	}
	expires, err := gatehouse.ParseLifetime(k.Expires, time.Now())
	if err != nil {
		return err
	}
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		deployments, err := deploymentIDs(ctx, ctl, actor, k.Deployments)
		if err != nil {
			return err
		}
		key, value, err := ctl.CreateAPIKey(ctx, actor, gatehouse.NewAPIKey{Name: k.Name, ReadOnly: readOnly, Deployments: deployments, ExpiresAt: expires})
		if err != nil {
			return err
		}
		if k.JSON {
			out := apiKeyOut(key)
			out.Secret = value.Reveal()
			return printJSON(s.out, out)
		}
		_, err = fmt.Fprintln(s.out, value.Reveal())
		return err
	})
}

// deploymentIDs finds deployments by name or ID; the one word "all" gives nil. A deployment that is called so is named by its ID.
func deploymentIDs(ctx context.Context, ctl *control.Control, actor gatehouse.Actor, given []string) ([]string, error) {
	if len(given) == 1 && given[0] == "all" {
		return nil, nil
	}
	ids := []string{}
	for _, one := range given {
		d, err := ctl.Deployment(ctx, actor, one)
		if err != nil {
			return nil, err
		}
		ids = append(ids, d.ID)
	}
	return ids, nil
}

type apiKeyList struct {
	JSON bool `help:"Print JSON." name:"json"`
}

func (k *apiKeyList) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		keys, err := ctl.APIKeys(ctx, actor)
		if err != nil {
			return err
		}
		if k.JSON {
			out := make([]apiKeyJSON, len(keys))
			for i, key := range keys {
				out[i] = apiKeyOut(key)
			}
			return printJSON(s.out, out)
		}
		rows := [][]string{{"NAME", "KEY", "PERMISSIONS", "DEPLOYMENTS", "EXPIRES", "CREATED", "CREATOR", "LAST USED", "ID"}}
		for _, key := range keys {
			deployments := "all"
			if key.Deployments != nil {
				deployments = strings.Join(key.Deployments, " ")
			}
			used := "never"
			if key.LastUse != nil {
				used = timeText(key.LastUse.At)
			}
			rows = append(rows, []string{key.Name, key.Mask + "••••", key.PermissionsLabel(), deployments, expiryText(key),
				timeText(key.CreatedAt), key.CreatedBy, used, key.ID})
		}
		return printTable(s.out, rows)
	})
}

func expiryText(k gatehouse.APIKey) string {
	switch {
	case k.ExpiresAt.IsZero():
		return "never"
	case k.Expired(time.Now()):
		return timeText(k.ExpiresAt) + " (expired)"
	}
	return timeText(k.ExpiresAt)
}

type apiKeyReveal struct {
	ID string `arg:"" help:"ID of the API key."`
}

func (k *apiKeyReveal) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		value, err := ctl.RevealAPIKey(ctx, actor, k.ID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, value.Reveal())
		return err
	})
}

type apiKeyRevoke struct {
	ID string `arg:"" help:"ID of the API key."`
}

func (k *apiKeyRevoke) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.RevokeAPIKey(ctx, actor, k.ID)
	})
}

// apiKeyJSON is an API key as --json prints it. The secret is there only when the key was just created.
type apiKeyJSON struct {
	ID          string     `json:"id"`
	Name        string     `json:"name"`
	Permissions string     `json:"permissions"`
	Deployments []string   `json:"deployments"` // null: all
	Key         string     `json:"key"`
	Secret      string     `json:"secret,omitempty"`
	CreatedAt   time.Time  `json:"created_at"`
	CreatedBy   string     `json:"created_by"`
	ExpiresAt   *time.Time `json:"expires_at"` // null: never
	Expired     bool       `json:"expired"`
	LastUsedAt  *time.Time `json:"last_used_at"`
}

func apiKeyOut(k gatehouse.APIKey) apiKeyJSON {
	out := apiKeyJSON{
		ID: k.ID, Name: k.Name, Permissions: "rw", Deployments: k.Deployments, Key: k.Mask,
		CreatedAt: k.CreatedAt, CreatedBy: k.CreatedBy, Expired: k.Expired(time.Now()),
	}
	if k.ReadOnly {
		out.Permissions = "r"
	}
	if !k.ExpiresAt.IsZero() {
		out.ExpiresAt = &k.ExpiresAt
	}
	if k.LastUse != nil {
		out.LastUsedAt = &k.LastUse.At
	}
	return out
}
