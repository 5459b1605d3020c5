// Package control holds the rules: who may do what, what is valid, what is recorded. It is the only place that changes anything.
// The console, the API and the command line call the same methods, so they cannot disagree.
//
// Each method takes the actor first and checks the actor's right in its first lines. The store writes a change and its audit
// record in one transaction; then the access table learns of it, before the method returns.
package control

import (
	"context"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// Store is what control needs of the database. Methods that change something write the events in the same transaction.
type Store interface {
	CreateDeployment(ctx context.Context, d gatehouse.Deployment, token gatehouse.StoredToken, events ...gatehouse.AuditEvent) error
	Deployments(ctx context.Context) ([]gatehouse.Deployment, error)
	FindDeployment(ctx context.Context, idOrName string) (gatehouse.Deployment, error)
	EverHadDeployment(ctx context.Context) (bool, error)
	DeleteDeployment(ctx context.Context, id string, event gatehouse.AuditEvent) error

	CreateToken(ctx context.Context, t gatehouse.StoredToken, event gatehouse.AuditEvent) error
	Token(ctx context.Context, id string) (gatehouse.Token, error)
	Tokens(ctx context.Context, q gatehouse.TokenQuery) (tokens []gatehouse.Token, total int, err error)
	RevealToken(ctx context.Context, id string, event gatehouse.AuditEvent) (sealed []byte, err error)
	RevokeToken(ctx context.Context, id string, event gatehouse.AuditEvent) error

	CreateUser(ctx context.Context, u gatehouse.User, passwordHash string, onlyFirst bool, event gatehouse.AuditEvent) error
	Users(ctx context.Context) ([]gatehouse.User, error)
	HasUsers(ctx context.Context) (bool, error)
	UserByEmail(ctx context.Context, email string) (u gatehouse.User, passwordHash string, err error)
	SetPassword(ctx context.Context, userID, passwordHash string, event gatehouse.AuditEvent) error
	DisableUser(ctx context.Context, userID string, event gatehouse.AuditEvent) error

	CreateSession(ctx context.Context, hash gatehouse.SecretHash, userID, passwordHash string, at time.Time, event gatehouse.AuditEvent) error
	Session(ctx context.Context, hash gatehouse.SecretHash, createdAfter, seenAfter time.Time) (u gatehouse.User, seenAt time.Time, err error)
	TouchSession(ctx context.Context, hash gatehouse.SecretHash, at, createdAfter, seenAfter time.Time) error
	EndSession(ctx context.Context, hash gatehouse.SecretHash, event gatehouse.AuditEvent) error
	EndAllSessions(ctx context.Context, event gatehouse.AuditEvent) error

	AddAudit(ctx context.Context, event gatehouse.AuditEvent) error
	BackupTo(ctx context.Context, path string, event gatehouse.AuditEvent) error
}

// Config is what a Control is made of.
type Config struct {
	Store  Store
	Sealer *secret.Sealer
	// Publish brings the access table of this process up to date with the store. Nil where there is none: on the command line,
	// whose changes a running server notices by itself.
	Publish func(context.Context) error
	// Live says that a server is running on the data directory, so that the stored states are true.
	Live bool
}

// Control is the control plane. It hides the store, so that nobody can go round the rules.
type Control struct {
	store    Store
	sealer   *secret.Sealer
	sync     func(context.Context) error
	live     bool
	throttle *throttle
}

// New makes a Control.
func New(c Config) *Control {
	if c.Publish == nil {
		c.Publish = func(context.Context) error { return nil }
	}
	return &Control{store: c.Store, sealer: c.Sealer, sync: c.Publish, live: c.Live, throttle: newThrottle()}
}

// authorize is the first line of every method.
func authorize(actor gatehouse.Actor, right gatehouse.Right) error {
	if actor.Can(right) {
		return nil
	}
	if actor.Role == "" {
		return gatehouse.Errorf(gatehouse.Unauthenticated, "sign in first")
	}
	return gatehouse.Errorf(gatehouse.Forbidden, "your role %q may not %s; ask an admin", actor.Role, right)
}

// publish puts a stored change in force. A failure does not undo the change: the follower tries again by itself.
func (c *Control) publish(ctx context.Context) error {
	// The change is stored, whether or not the client is still there to hear of it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := c.sync(ctx); err != nil {
		return gatehouse.Errorf(gatehouse.Unavailable, "the change is stored but not yet in force; Gatehouse keeps trying, look again in a moment").WithCause(err)
	}
	return nil
}

// now is the present in the precision of the store, so that what is returned equals what is read back.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func event(actor gatehouse.Actor, action gatehouse.Action, id, name string) gatehouse.AuditEvent {
	return gatehouse.AuditEvent{At: now(), Actor: actor, Action: action, ObjectID: id, ObjectName: name}
}
