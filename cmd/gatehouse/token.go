package main

import (
	"context"
	"fmt"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type tokenCommand struct {
	Create tokenCreate `cmd:"" help:"Create an access token and print its secret."`
	List   tokenList   `cmd:"" help:"List the access tokens of a deployment."`
	Reveal tokenReveal `cmd:"" help:"Print the secret of an access token."`
	Revoke tokenRevoke `cmd:"" help:"Delete an access token; it stops working at once."`
}

type tokenCreate struct {
	Deployment string `help:"Name or ID of the deployment." required:"" placeholder:"NAME|ID"`
	Name       string `help:"Name, 1 to 100 characters." required:""`
	Access     string `help:"Access level: r (read), w (write) or rw (both)." required:"" enum:"r,w,rw" placeholder:"r|w|rw"`
	Tenant     string `help:"Tenant of a cluster: accountID or accountID:projectID. Default: any tenant."`
	JSON       bool   `help:"Print JSON." name:"json"`
}

func (k *tokenCreate) Run(ctx context.Context, c *commands, s *streams) error {
	n := gatehouse.NewToken{DeploymentID: k.Deployment, Name: k.Name, Access: gatehouse.Access(k.Access)}
	if k.Tenant != "" {
		tenant, err := gatehouse.ParseTenant(k.Tenant)
		if err != nil {
			return err
		}
		n.Tenant = &tenant
	}
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		t, value, err := ctl.CreateToken(ctx, actor, n)
		if err != nil {
			return err
		}
		if k.JSON {
			out := tokenOut(t)
			out.Secret = value.Reveal()
			return printJSON(s.out, out)
		}
		_, err = fmt.Fprintln(s.out, value.Reveal())
		return err
	})
}

type tokenList struct {
	Deployment string `help:"Name or ID of the deployment." required:"" placeholder:"NAME|ID"`
	JSON       bool   `help:"Print JSON." name:"json"`
}

func (k *tokenList) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		d, err := ctl.Deployment(ctx, actor, k.Deployment)
		if err != nil {
			return err
		}
		tokens, _, err := ctl.Tokens(ctx, actor, gatehouse.TokenQuery{DeploymentID: d.ID})
		if err != nil {
			return err
		}
		if k.JSON {
			out := make([]tokenJSON, len(tokens))
			for i, t := range tokens {
				out[i] = tokenOut(t)
			}
			return printJSON(s.out, out)
		}
		rows := [][]string{{"NAME", "KEY", "ACCESS", "TENANT", "CREATED", "CREATOR", "LAST USED", "ID"}}
		for _, t := range tokens {
			rows = append(rows, []string{t.Name, t.Mask + "••••", t.Access.Label(), tenantText(t.Tenant), timeText(t.CreatedAt), t.CreatedBy, lastUsed(t), t.ID})
		}
		return printTable(s.out, rows)
	})
}

func tenantText(t *gatehouse.Tenant) string {
	if t == nil {
		return "any"
	}
	return t.String()
}

func lastUsed(t gatehouse.Token) string {
	if t.LastUse == nil {
		return "never"
	}
	return timeText(t.LastUse.At)
}

type tokenReveal struct {
	ID string `arg:"" help:"ID of the token."`
}

func (k *tokenReveal) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		value, err := ctl.RevealToken(ctx, actor, k.ID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, value.Reveal())
		return err
	})
}

type tokenRevoke struct {
	ID string `arg:"" help:"ID of the token."`
}

func (k *tokenRevoke) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.RevokeToken(ctx, actor, k.ID)
	})
}

// tokenJSON is a token as --json prints it. The secret is there only when the token was just created.
type tokenJSON struct {
	ID           string     `json:"id"`
	DeploymentID string     `json:"deployment_id"`
	Name         string     `json:"name"`
	Access       string     `json:"access"`
	Tenant       string     `json:"tenant,omitempty"`
	Key          string     `json:"key"`
	Secret       string     `json:"secret,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	CreatedBy    string     `json:"created_by"`
	LastUsedAt   *time.Time `json:"last_used_at"`
	LastUsedFrom string     `json:"last_used_from,omitempty"`
	LastUsedBy   string     `json:"last_used_user_agent,omitempty"`
}

func tokenOut(t gatehouse.Token) tokenJSON {
	out := tokenJSON{
		ID: t.ID, DeploymentID: t.DeploymentID, Name: t.Name, Access: string(t.Access), Key: t.Mask,
		CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy,
	}
	if t.Tenant != nil {
		out.Tenant = t.Tenant.String()
	}
	if t.LastUse != nil {
		out.LastUsedAt, out.LastUsedFrom, out.LastUsedBy = &t.LastUse.At, t.LastUse.Addr, t.LastUse.UserAgent
	}
	return out
}
