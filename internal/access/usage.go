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
	pending  atomic.Bool // in one of the table's lists of uses
	reported atomic.Bool // saved before
}

type client struct {
	addr      string
	userAgent unique.Handle[string] // few programs use many tokens
}

// noteUse records that a request of g was let in. It takes a lock only when the token was not in a list yet.
func (t *Table) noteUse(g *Grant, at time.Time, addr, userAgent string) {
	u := &g.live().usage
	u.at.Store(at.UnixMicro())
	if by := u.by.Load(); by == nil || by.addr != addr || by.userAgent.Value() != userAgent {
		// A header's value shares memory with all of the request's headers, the secret among them.
		u.by.Store(&client{strings.Clone(addr), unique.Make(userAgent)})
	}
	if !u.pending.Load() && u.pending.CompareAndSwap(false, true) {
		t.usesMu.Lock()
		defer t.usesMu.Unlock()
		t.list(g)
	}
}

// list enters g, which is pending, among the tokens whose use is to be saved. The caller holds usesMu.
func (t *Table) list(g *Grant) {
	if g.live().usage.reported.Load() {
		t.uses = append(t.uses, g)
	} else {
		t.firstUses = append(t.firstUses, g)
	}
}

// usesAtOnce bounds what SaveUses gives at a time: it may be all of 100,000 tokens.
const usesAtOnce = 10_000

// SaveUses gives save the tokens that were used since it gave them last, in pieces; unless all are asked for, only those that were
// used for the first time since this process began. What save fails for is given again by a later call.
func (t *Table) SaveUses(all bool, save func([]gatehouse.TokenUse) error) error {
	t.usesMu.Lock()
	grants := t.firstUses
	t.firstUses = nil
	if all {
		grants = append(grants, t.uses...)
		t.uses = nil
	}
	t.usesMu.Unlock()
	for len(grants) > 0 {
		piece := grants[:min(len(grants), usesAtOnce)]
		if err := save(lastUses(piece)); err != nil {
			t.usesMu.Lock()
			defer t.usesMu.Unlock()
			for i, g := range grants {
				if i >= len(piece) || g.live().usage.pending.CompareAndSwap(false, true) { // else used and listed meanwhile
					t.list(g)
				}
			}
			return err
		}
		for _, g := range piece {
			g.live().usage.reported.Store(true)
		}
		grants = grants[len(piece):]
	}
	return nil
}

func lastUses(grants []*Grant) []gatehouse.TokenUse {
	uses := make([]gatehouse.TokenUse, 0, len(grants))
	for _, g := range grants {
		u := &g.live().usage
		u.pending.Store(false) // before reading: a use that comes in between is listed again
		by := u.by.Load()
		uses = append(uses, gatehouse.TokenUse{
			TokenID:      g.TokenID,
			DeploymentID: g.deployment.id,
			First:        !u.reported.Load(),
			Use:          gatehouse.Use{At: time.UnixMicro(u.at.Load()).UTC(), Addr: by.addr, UserAgent: by.userAgent.Value()},
		})
	}
	return uses
}
