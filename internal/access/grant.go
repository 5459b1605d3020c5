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
	gate   gate
	usage  usage
	totals totals
	recent recent
	// The samples that it has written and read; nil until the first.
	written, read atomic.Pointer[sampleCount]

	revoked atomic.Bool // set under mu
	listed  atomic.Bool // the table has entered it among the tokens in use

	mu      sync.Mutex
	running *exchange // the first of a list
	begun   int64     // its length
}

func (g *Grant) live() *live { return orNew(&g.state) }

// dead stands for the state of every token that was revoked before its first request.
var dead = func() *live {
	l := new(live)
	l.revoked.Store(true)
	return l
}()

// mostWaiting is how many requests of a token may wait besides those that run. Each holds a connection and the head of its body, so
// a client that sends ever more must not be let to.
const mostWaiting = 1000

var errTooMany = errors.New("too many requests of the token wait")

// begin enters x among the running requests, so that revoking the token cuts it off. A request that looked the token up just
// before it was revoked fails here, and one that would be more than most.
func (l *live) begin(x *exchange, most int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.revoked.Load() {
		return errRevoked
	}
	if l.begun >= most {
		return errTooMany
	}
	l.begun++
	if x.next = l.running; x.next != nil {
		x.next.previous = x
	}
	l.running = x
	return nil
}

func (l *live) end(x *exchange) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun--
	if x.next != nil {
		x.next.previous = x.previous
	}
	if x.previous != nil {
		x.previous.next = x.next
	} else {
		l.running = x.next
	}
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
	for x := l.running; x != nil; x = x.next {
		x.cut(errRevoked)
	}
}

// wasCut reports whether ctx was ended by revoke.
func wasCut(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errRevoked) }
