package access

import (
	"log/slog"
	"sync"
	"sync/atomic"

	"gatehouse/internal/gatehouse"
)

// Table is the access table: who may do what, in memory, looked up by the hash of the secret. Requests read it without a lock.
//
// A change clones one of 65,536 small shards, picked by the first two bytes of the hash, so it costs the same with a million
// tokens as with ten, and a look-up that misses costs the same as one that hits.
type Table struct {
	log    *slog.Logger
	meters *meters
	shards [1 << 16]atomic.Pointer[[]entry]
	count  atomic.Int64

	mu          sync.Mutex // held by changes
	deployments map[string]*deployment

	activeMu sync.Mutex
	active   map[string]*Grant // tokens in use, by token ID

	usesMu    sync.Mutex
	firstUses []*Grant // used and never saved
	uses      []*Grant // used since they were saved

	graveyard graveyard
}

type entry struct {
	hash  gatehouse.SecretHash
	grant *Grant
}

// NewTable makes an empty table, which lets nobody in.
func NewTable(log *slog.Logger) *Table {
	t := &Table{log: log, deployments: map[string]*deployment{}, active: map[string]*Grant{}}
	t.meters = newMeters(t)
	return t
}

// Len is the number of tokens.
func (t *Table) Len() int { return int(t.count.Load()) }

func (t *Table) shard(hash gatehouse.SecretHash) *atomic.Pointer[[]entry] {
	return &t.shards[int(hash[0])<<8|int(hash[1])]
}

// lookup gives nil for a hash that stands for nothing. Comparing needs no constant time: a hash tells nothing about its secret.
func (t *Table) lookup(hash gatehouse.SecretHash) *Grant {
	entries := t.shard(hash).Load()
	if entries == nil {
		return nil
	}
	for i := range *entries {
		if e := &(*entries)[i]; e.hash == hash {
			return e.grant
		}
	}
	return nil
}

// Apply makes one change of the store. When it returns, the change is in force: a revoked token fails on the next request, and its
// running ones have been cut off. Changes may come twice and in any order.
func (t *Table) Apply(c gatehouse.Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case c.Deployment != nil:
		d := t.deployment(c.Deployment.ID)
		known := *c.Deployment
		d.known = &known
		d.configure()
	case c.Token != nil:
		t.add(c.Token)
	case c.GoneToken != nil:
		t.remove(*c.GoneToken)
	case c.GoneDeployment != "":
		t.removeDeployment(c.GoneDeployment)
	case c.Broken != nil:
		t.log.Error("left a broken row out of the access table", "error", c.Broken)
	}
}

// SetEngine says where a managed deployment answers; nil says that it does not run.
func (t *Table) SetEngine(deploymentID string, e *Engine) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.deployments[deploymentID]
	if e == nil && (d == nil || d.engine == nil) {
		return // a connected deployment has none, and that of a deleted one has stopped
	}
	d = t.deployment(deploymentID)
	d.engine = e
	d.configure()
}

func (t *Table) deployment(id string) *deployment {
	d := t.deployments[id]
	if d == nil {
		d = &deployment{id: id}
		t.deployments[id] = d
	}
	return d
}

func (t *Table) add(c *gatehouse.Credential) {
	if old := t.lookup(c.Hash); old != nil {
		if old.TokenID == c.TokenID && old.deployment.id == c.DeploymentID {
			return // tokens are immutable
		}
		t.remove(c.Hash)
	}
	d := t.deployment(c.DeploymentID)
	shard := t.shard(c.Hash)
	var entries []entry
	if old := shard.Load(); old != nil {
		entries = *old
	}
	grown := make([]entry, len(entries), len(entries)+1)
	copy(grown, entries)
	grown = append(grown, entry{c.Hash, newGrant(c, d)})
	shard.Store(&grown)
	t.count.Add(1)
}

func (t *Table) remove(hash gatehouse.SecretHash) {
	g := t.lookup(hash)
	if g == nil {
		return
	}
	shard := t.shard(hash)
	entries := *shard.Load()
	shrunk := make([]entry, 0, len(entries)-1)
	for _, e := range entries {
		if e.hash != hash {
			shrunk = append(shrunk, e)
		}
	}
	shard.Store(&shrunk)
	t.count.Add(-1)
	t.graveyard.bury(hash)
	g.revoke()
	t.activeMu.Lock()
	delete(t.active, g.TokenID)
	t.activeMu.Unlock()
}

// enlist enters a token among those in use, once. One that was revoked meanwhile would stay there forever.
func (t *Table) enlist(g *Grant, l *live) {
	if l.listed.Load() {
		return
	}
	t.activeMu.Lock()
	defer t.activeMu.Unlock()
	l.listed.Store(true)
	if !l.revoked.Load() {
		t.active[g.TokenID] = g
	}
}

func (t *Table) removeDeployment(id string) {
	d := t.deployments[id]
	if d == nil {
		return
	}
	// Looking at all tokens takes milliseconds, and happens rarely; a list for each deployment would cost a fifth of the table's memory.
	for i := range t.shards {
		if entries := t.shards[i].Load(); entries != nil {
			for _, e := range *entries {
				if e.grant.deployment == d {
					t.remove(e.hash)
				}
			}
		}
	}
	delete(t.deployments, id)
}

func (t *Table) wasRevoked(hash gatehouse.SecretHash) bool { return t.graveyard.holds(hash) }

// graveyard remembers the last tokens that were revoked, so that the log can say so when one is tried again.
type graveyard struct {
	mu     sync.Mutex
	buried map[gatehouse.SecretHash]struct{}
	order  []gatehouse.SecretHash
	next   int
}

const mostBuried = 10_000

func (y *graveyard) bury(hash gatehouse.SecretHash) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.buried == nil {
		y.buried = map[gatehouse.SecretHash]struct{}{}
	}
	if len(y.order) < mostBuried {
		y.order = append(y.order, hash)
	} else {
		delete(y.buried, y.order[y.next])
		y.order[y.next] = hash
		y.next = (y.next + 1) % mostBuried
	}
	y.buried[hash] = struct{}{}
}

func (y *graveyard) holds(hash gatehouse.SecretHash) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	_, ok := y.buried[hash]
	return ok
}
