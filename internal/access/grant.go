package access

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"gatehouse/internal/gatehouse"
)

// errRevoked is why a running request is cut off.
var errRevoked = errors.New("the access token was revoked")

// Grant is what the table holds of one access token. With a million tokens most are idle, so what only a token in use needs is
// made on its first request.
type Grant struct {
	TokenID    string
	Name       string
	scope      Scope
	deployment *deployment
	state      atomic.Pointer[live]
}

func newGrant(c *gatehouse.Credential, d *deployment) *Grant {
	access := c.Access
	switch access { // share one string instead of keeping a million
	case gatehouse.Read:
		access = gatehouse.Read
	case gatehouse.Write:
		access = gatehouse.Write
	case gatehouse.ReadWrite:
		access = gatehouse.ReadWrite
	}
	return &Grant{TokenID: c.TokenID, Name: c.Name, scope: Scope{access, c.Tenant}, deployment: d}
}

// live is the state of a token in use.
type live struct {
	gate  gate
	usage usage

	revoked atomic.Bool // set under mu

	mu      sync.Mutex
	running map[*exchange]struct{}
}

func (g *Grant) live() *live {
	if l := g.state.Load(); l != nil {
		return l
	}
	g.state.CompareAndSwap(nil, &live{running: map[*exchange]struct{}{}})
	return g.state.Load()
}

// dead stands for the state of every token that was revoked before its first request.
var dead = func() *live {
	l := new(live)
	l.revoked.Store(true)
	return l
}()

// begin enters x among the running requests, so that revoking the token cuts it off. A request that looked the token up just
// before it was revoked fails here.
func (l *live) begin(x *exchange) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked.Load() {
		return errRevoked
	}
	l.running[x] = struct{}{}
	return nil
}

func (l *live) end(x *exchange) {
	l.mu.Lock()
	delete(l.running, x)
	l.mu.Unlock()
}

// revoke cuts off the token's running requests and keeps new ones from beginning.
func (g *Grant) revoke() {
	if g.state.CompareAndSwap(nil, dead) {
		return
	}
	l := g.state.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.revoked.Store(true)
	for x := range l.running {
		x.cut(errRevoked)
	}
}

// wasCut reports whether ctx was ended by revoke.
func wasCut(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errRevoked) }
