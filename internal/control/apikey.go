package control

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// apiKeyStore keeps API keys.
type apiKeyStore interface {
	// CreateAPIKey refuses a key whose list names a deployment that does not exist.
	CreateAPIKey(ctx context.Context, k gatehouse.StoredAPIKey, event gatehouse.AuditEvent) error
	APIKeys(ctx context.Context) ([]gatehouse.APIKey, error)
	APIKey(ctx context.Context, id string) (gatehouse.APIKey, error)
	APIKeyByHash(ctx context.Context, hash gatehouse.SecretHash) (gatehouse.APIKey, error)
	RevealAPIKey(ctx context.Context, id string, event gatehouse.AuditEvent) (sealed []byte, err error)
	RevokeAPIKey(ctx context.Context, id string, event gatehouse.AuditEvent) error
	SaveAPIKeyUse(ctx context.Context, id string, use gatehouse.Use) error
}

// CreateAPIKey makes an API key. Its secret is returned here and by RevealAPIKey, nowhere else.
func (c *Control) CreateAPIKey(ctx context.Context, actor gatehouse.Actor, n gatehouse.NewAPIKey) (gatehouse.APIKey, secret.Secret, error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageAPIKeys); err != nil {
		return gatehouse.APIKey{}, secret.Secret{}, err
	}
	if err := n.Check(now()); err != nil {
		return gatehouse.APIKey{}, secret.Secret{}, err
	}
	value := secret.New(secret.APIKey)
	k := gatehouse.APIKey{
		ID: uuid.NewString(), Name: n.Name, ReadOnly: n.ReadOnly, Deployments: withoutDuplicates(n.Deployments),
		Mask: value.Mask(), CreatedAt: now(), CreatedBy: actor.Creator(), ExpiresAt: n.ExpiresAt.UTC().Truncate(time.Microsecond),
	}
	sealed, err := c.sealer.Seal(value, k.ID)
	if err != nil {
		return gatehouse.APIKey{}, secret.Secret{}, err
	}
	stored := gatehouse.StoredAPIKey{APIKey: k, Hash: value.Hash(), Sealed: sealed}
	if err := c.store.CreateAPIKey(ctx, stored, apiKeyEvent(actor, gatehouse.APIKeyCreated, k)); err != nil {
		return gatehouse.APIKey{}, secret.Secret{}, err
	}
	return k, value, nil
}

// withoutDuplicates keeps nil, which stands for all.
func withoutDuplicates(ids []string) []string {
	var unique []string
	for _, id := range ids {
		if !slices.Contains(unique, id) {
			unique = append(unique, id)
		}
	}
	return unique
}

// APIKeys lists all API keys without their secrets, the newest first.
func (c *Control) APIKeys(ctx context.Context, actor gatehouse.Actor) ([]gatehouse.APIKey, error) {
	if err := c.authorize(ctx, actor, gatehouse.ViewAPIKeys); err != nil {
		return nil, err
	}
	return c.store.APIKeys(ctx)
}

// APIKey finds an API key, without its secret.
func (c *Control) APIKey(ctx context.Context, actor gatehouse.Actor, id string) (gatehouse.APIKey, error) {
	if err := c.authorize(ctx, actor, gatehouse.ViewAPIKeys); err != nil {
		return gatehouse.APIKey{}, err
	}
	return c.store.APIKey(ctx, id)
}

// RevealAPIKey gives the secret of an API key. That is recorded.
func (c *Control) RevealAPIKey(ctx context.Context, actor gatehouse.Actor, id string) (secret.Secret, error) {
	if err := c.authorize(ctx, actor, gatehouse.ManageAPIKeys); err != nil {
		return secret.Secret{}, err
	}
	k, err := c.store.APIKey(ctx, id)
	if err != nil {
		return secret.Secret{}, err
	}
	sealed, err := c.store.RevealAPIKey(ctx, k.ID, apiKeyEvent(actor, gatehouse.APIKeyRevealed, k))
	if err != nil {
		return secret.Secret{}, err
	}
	return c.sealer.Open(sealed, k.ID)
}

// RevokeAPIKey deletes an API key. The next request with it fails.
func (c *Control) RevokeAPIKey(ctx context.Context, actor gatehouse.Actor, id string) error {
	if err := c.authorize(ctx, actor, gatehouse.ManageAPIKeys); err != nil {
		return err
	}
	k, err := c.store.APIKey(ctx, id)
	if err != nil {
		return err
	}
	return c.store.RevokeAPIKey(ctx, k.ID, apiKeyEvent(actor, gatehouse.APIKeyRevoked, k))
}

func apiKeyEvent(actor gatehouse.Actor, action gatehouse.Action, k gatehouse.APIKey) gatehouse.AuditEvent {
	e := event(actor, action, k.ID, k.Name)
	e.Details = map[string]string{"permissions": "rw", "deployments": "all", "expires": "never", "key": k.Mask}
	if k.ReadOnly {
		e.Details["permissions"] = "r"
	}
	if k.Deployments != nil {
		e.Details["deployments"] = strings.Join(k.Deployments, " ")
	}
	if !k.ExpiresAt.IsZero() {
		e.Details["expires"] = k.ExpiresAt.Format(time.RFC3339)
	}
	return e
}

// keyUseEvery is how often the use of a key is noted: not on each request, which would write to the disk each time.
const keyUseEvery = time.Minute

// KeyActor gives the holder of the API key that came with a request. Of what it refuses, it tells no more than the sender knows.
func (c *Control) KeyActor(ctx context.Context, value string, client gatehouse.Client) (gatehouse.Actor, error) {
	k, reason, err := c.workingKey(ctx, value)
	if err != nil {
		if reason != "" {
			err = c.refuseKey(ctx, client, k, reason, err)
		}
		return gatehouse.Actor{}, err
	}
	if at := now(); k.LastUse == nil || at.Sub(k.LastUse.At) > keyUseEvery {
		// A failure is passed over: with a full disk, the key must still show what is there.
		_ = c.store.SaveAPIKeyUse(ctx, k.ID, gatehouse.Use{At: at, Addr: client.Addr, UserAgent: cutAgent(client.UserAgent)})
	}
	return k.Actor(client.Addr), nil
}

// KeyActorAgain is KeyActor for a request that was let in with the key already, and has taken its time since. It notes no use, and
// records no refusal.
func (c *Control) KeyActorAgain(ctx context.Context, value, addr string) (gatehouse.Actor, error) {
	k, _, err := c.workingKey(ctx, value)
	if err != nil {
		return gatehouse.Actor{}, err
	}
	return k.Actor(addr), nil
}

// workingKey finds the key with the value. What is wrong with one that does not work is told to the sender by err, and to the audit
// log by reason; where there is no reason, there is nothing to record.
func (c *Control) workingKey(ctx context.Context, value string) (k gatehouse.APIKey, reason string, err error) {
	refuse := func(reason, message string) (gatehouse.APIKey, string, error) {
		return k, reason, gatehouse.Errorf(gatehouse.Unauthenticated, "%s", message)
	}
	kind, _ := secret.KindOf(value)
	switch {
	case value == "":
		return refuse("", "the API key is missing; send it in the header X-VM-Cloud-Access")
	case kind == secret.AccessToken:
		return refuse("an access token",
			"this is an access token (vmat_), which is for data; the management API takes an API key (vmak_), which an admin can make")
	case kind != secret.APIKey || !secret.Valid(value):
		return refuse("not well-formed", "the API key is mistyped or cut off; copy all of it, from vmak_ on")
	}
	k, err = c.store.APIKeyByHash(ctx, secret.Hash(value))
	switch {
	case gatehouse.ErrorCode(err) == gatehouse.NotFound:
		return refuse("unknown or revoked", "the API key is unknown or revoked; ask an admin for another one")
	case err != nil:
		return k, "", err
	case k.Expired(time.Now()):
		return refuse("expired", "the API key has expired on "+k.ExpiresAt.Format(time.DateOnly)+"; ask an admin for another one")
	}
	return k, "", nil
}

// refuseKey records the attempt, unless the network has made another one just before: anybody can send wrong keys.
func (c *Control) refuseKey(ctx context.Context, client gatehouse.Client, k gatehouse.APIKey, reason string, refused error) error {
	if c.refusals.first(clientaddr.Network(client.Addr)) {
		e := event(gatehouse.Actor{Kind: gatehouse.KeyHolder, ID: k.ID, Name: k.Name, Addr: client.Addr}, gatehouse.APIKeyRefused, k.ID, k.Name)
		e.Details = map[string]string{"reason": reason}
		if err := c.recordStranger(ctx, e); err != nil {
			return err
		}
	}
	return refused
}

// refusalsRemembered bounds the memory that many networks can take.
const refusalsRemembered = 1000

// refusals knows when a refusal from a network was last recorded. The zero value is ready.
type refusals struct {
	mu       sync.Mutex
	recorded map[string]time.Time // within the last minute, or forgotten soon
}

// first reports whether a refusal is the first one of its network for a minute, as far as that is remembered.
func (r *refusals) first(network string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := time.Now()
	if r.recorded == nil {
		r.recorded = map[string]time.Time{}
	}
	if last, ok := r.recorded[network]; ok && at.Sub(last) < time.Minute {
		return false
	}
	if len(r.recorded) >= refusalsRemembered {
		maps.DeleteFunc(r.recorded, func(_ string, last time.Time) bool { return at.Sub(last) >= time.Minute })
	}
	if len(r.recorded) < refusalsRemembered {
		r.recorded[network] = at
	}
	return true
}
