package api

import (
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

type apiKey struct {
	ID          string     `json:"id" doc:"UUID of the API key." example:"b8b6f1b1-3a8f-4f0f-9d63-6b0d5a0a2c11"`
	Name        string     `json:"name" doc:"Name of the API key, unique." example:"terraform"`
	Value       string     `json:"value" doc:"The first four random characters of the secret; all of it where it was made or revealed." example:"9kQ2"`
	Permissions string     `json:"permissions" doc:"r only reads, rw also changes." enum:"r,rw" example:"rw"`
	Deployments []string   `json:"deployments" doc:"IDs of the only deployments that it may touch. null: all, those of the future too."`
	CreatedBy   string     `json:"created_by" doc:"Who made it." example:"ops@example.com"`
	CreatedAt   time.Time  `json:"created_at" doc:"When it was made." example:"2026-11-24T12:00:00Z"`
	ExpiresAt   *time.Time `json:"expires_at" doc:"When it stops working. null: never."`
	Expired     bool       `json:"expired" doc:"Whether it has stopped working."`
	LastUsed    *use       `json:"last_used" doc:"The last request that came with it, up to a minute late. null: there was none."`
}

func apiKeyOf(k gatehouse.APIKey, value string) apiKey {
	out := apiKey{
		ID: k.ID, Name: k.Name, Value: value, Permissions: "rw", Deployments: k.Deployments, CreatedBy: k.CreatedBy, CreatedAt: k.CreatedAt,
		Expired: k.Expired(time.Now()), LastUsed: useOf(k.LastUse),
	}
	if k.ReadOnly {
		out.Permissions = "r"
	}
	if !k.ExpiresAt.IsZero() {
		out.ExpiresAt = &k.ExpiresAt
	}
	return out
}

func (a *api) listAPIKeys(c call[none]) ([]apiKey, error) {
	all, err := a.Control.APIKeys(c.ctx, c.actor)
	keys := make([]apiKey, 0, len(all))
	for _, k := range all {
		keys = append(keys, apiKeyOf(k, k.Mask))
	}
	return keys, err
}

type newAPIKey struct {
	Name        string   `json:"name" doc:"Name of the API key, 1 to 100 characters, unique." required:"true" example:"terraform"`
	Permissions string   `json:"permissions" doc:"r only reads, rw also changes." required:"true" enum:"r,rw" example:"rw"`
	Deployments []string `json:"deployments" doc:"IDs of the only deployments that it may touch, at least one. Left out: all, those of the future too."`
	Expires     string   `json:"expires" doc:"How long it works: days like 90d, the last day like 2027-01-31 (UTC), or never." required:"true" example:"90d"`
}

func (a *api) createAPIKey(c call[newAPIKey]) (apiKey, error) {
	readOnly, err := gatehouse.ParseKeyPermissions(c.in.Permissions)
	if err != nil {
		return apiKey{}, err
	}
	expires, err := gatehouse.ParseLifetime(c.in.Expires, time.Now())
	if err != nil {
		return apiKey{}, err
	}
	for i, id := range c.in.Deployments {
		c.in.Deployments[i] = strings.ToLower(id)
	}
	k, value, err := a.Control.CreateAPIKey(c.ctx, c.actor, gatehouse.NewAPIKey{
		Name: c.in.Name, ReadOnly: readOnly, Deployments: c.in.Deployments, ExpiresAt: expires,
	})
	if err != nil {
		return apiKey{}, err
	}
	return apiKeyOf(k, value.Reveal()), nil
}

func (a *api) getAPIKey(c call[none]) (apiKey, error) {
	k, err := a.Control.APIKey(c.ctx, c.actor, strings.ToLower(c.path("key")))
	if err != nil {
		return apiKey{}, err
	}
	return apiKeyOf(k, k.Mask), nil
}

func (a *api) revealAPIKey(c call[none]) (apiKey, error) {
	k, err := a.Control.APIKey(c.ctx, c.actor, strings.ToLower(c.path("key")))
	if err != nil {
		return apiKey{}, err
	}
	value, err := a.Control.RevealAPIKey(c.ctx, c.actor, k.ID)
	if err != nil {
		return apiKey{}, err
	}
	return apiKeyOf(k, value.Reveal()), nil
}

func (a *api) revokeAPIKey(c call[none]) (none, error) {
	return none{}, a.Control.RevokeAPIKey(c.ctx, c.actor, strings.ToLower(c.path("key")))
}

type identity struct {
	ID          string   `json:"id" doc:"UUID of the API key." example:"b8b6f1b1-3a8f-4f0f-9d63-6b0d5a0a2c11"`
	Name        string   `json:"name" doc:"Name of the API key." example:"terraform"`
	Permissions string   `json:"permissions" doc:"r only reads, rw also changes." enum:"r,rw" example:"rw"`
	Deployments []string `json:"deployments" doc:"IDs of the only deployments that it may touch. null: all, those of the future too."`
	Address     string   `json:"address" doc:"From where the request came, as Gatehouse sees it." example:"10.0.0.7"`
}

func (a *api) whoami(c call[none]) (identity, error) {
	permissions := "rw"
	if c.actor.ReadOnly {
		permissions = "r"
	}
	return identity{ID: c.actor.ID, Name: c.actor.Name, Permissions: permissions, Deployments: c.actor.Deployments, Address: c.actor.Addr}, nil
}
