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
	deploymentStore
	trashStore
	tokenStore
	ruleStore
	apiKeyStore
	userStore
	sessionStore
	auditStore
	importStore
	rekeyStore
	serverStore
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
	// Unstored tells the state of a deployment that could not be stored yet, as when the disk is full. Nil: all are stored.
	Unstored func(deploymentID string) (state gatehouse.State, ok bool)
	// DiskUsed tells how many bytes of the disk a managed deployment uses, if that is known. Nil: it never is.
	DiskUsed func(deploymentID string) (bytes uint64, known bool)
	// Engines run the programs of managed deployments. Nil: nobody does here.
	Engines engines
}

// Control is the control plane. It hides the store, so that nobody can go round the rules.
type Control struct {
	store     Store
	sealer    *secret.Sealer
	sync      func(context.Context) error
	live      bool
	unstored  func(string) (gatehouse.State, bool)
	diskUsed  func(string) (uint64, bool)
	engines   engines
	throttle  *throttle
	refusals  refusals // of API keys
	strangers strangers
	denials   denials
	settle    time.Duration // see settleTime
}

// New makes a Control.
func New(c Config) *Control {
	if c.Publish == nil {
		c.Publish = func(context.Context) error { return nil }
	}
	if c.Unstored == nil {
		c.Unstored = func(string) (gatehouse.State, bool) { return gatehouse.State{}, false }
	}
	if c.DiskUsed == nil {
		c.DiskUsed = func(string) (uint64, bool) { return 0, false }
	}
	return &Control{store: c.Store, sealer: c.Sealer, sync: c.Publish, live: c.Live, unstored: c.Unstored, diskUsed: c.DiskUsed, engines: c.Engines, throttle: newThrottle(), settle: settleTime}
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
