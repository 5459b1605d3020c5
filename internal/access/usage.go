package access

import (
	"strings"
	"sync/atomic"
	"time"
	"unique"

	"gatehouse/internal/gatehouse"
)

// usage is when a token was last used and by whom.
type usage struct {
	at       atomic.Int64 // Unix microseconds
	by       atomic.Pointer[client]
	pending  atomic.Bool // in the table's list of uses
	reported atomic.Bool
}

type client struct {
	addr      string
	userAgent unique.Handle[string] // few programs use many tokens
}

// noteUse records that a request of g was let in. It takes a lock only when the token was not in the list yet, once a second.
func (t *Table) noteUse(g *Grant, at time.Time, addr, userAgent string) {
	u := &g.live().usage
	u.at.Store(at.UnixMicro())
	if by := u.by.Load(); by == nil || by.addr != addr || by.userAgent.Value() != userAgent {
		// A header's value shares memory with all of the request's headers, the secret among them.
		u.by.Store(&client{strings.Clone(addr), unique.Make(userAgent)})
	}
	if !u.pending.Load() && u.pending.CompareAndSwap(false, true) {
		t.usesMu.Lock()
		t.uses = append(t.uses, g)
		t.usesMu.Unlock()
	}
}

// DrainUses gives the tokens that were used since the last call, each once.
func (t *Table) DrainUses() []gatehouse.TokenUse {
	t.usesMu.Lock()
	grants := t.uses
	t.uses = nil
	t.usesMu.Unlock()
	uses := make([]gatehouse.TokenUse, 0, len(grants))
	for _, g := range grants {
		u := &g.live().usage
		u.pending.Store(false) // before reading: a use that comes in between is listed again
		by := u.by.Load()
		uses = append(uses, gatehouse.TokenUse{
			TokenID:      g.TokenID,
			DeploymentID: g.deployment.id,
			First:        !u.reported.Swap(true),
			Use:          gatehouse.Use{At: time.UnixMicro(u.at.Load()).UTC(), Addr: by.addr, UserAgent: by.userAgent.Value()},
		})
	}
	return uses
}
