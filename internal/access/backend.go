package access

import (
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// asideFor is how long a backend that failed gets no requests while there are others.
const asideFor = 3 * time.Second

// backend is one URL of a deployment's part.
type backend struct {
	scheme, host, base string
	running            atomic.Int64
	asideUntil         atomic.Int64 // Unix nanoseconds
}

// url makes the upstream URL for a decoded path.
func (b *backend) url(path, rawQuery string, forceQuery bool) *url.URL {
	u := &url.URL{Scheme: b.scheme, Host: b.host, RawQuery: rawQuery, ForceQuery: forceQuery}
	setPath(u, b.base+path)
	return u
}

// setAside keeps the backend out of use for a while. It reports whether it was in use before, so that an outage is logged once per
// while and not once per request.
func (b *backend) setAside() bool {
	now := time.Now()
	return b.asideUntil.Swap(now.Add(asideFor).UnixNano()) < now.UnixNano()
}

// pool is the backends of one part of a deployment.
type pool struct {
	authorization string // the deployment's own credential, or empty
	backends      []*backend
	turn          atomic.Uint32
}

// pick chooses the least busy backend that has not been tried yet, and of equals the next in turn. One that is set aside is chosen
// only when there is no other: trying it beats refusing. Nil: all have been tried.
func (p *pool) pick(tried []*backend) *backend {
	if len(p.backends) == 1 && len(tried) == 0 {
		return p.backends[0]
	}
	now := time.Now().UnixNano()
	start := int(p.turn.Add(1) % uint32(len(p.backends)))
	var best *backend
	var bestAside bool
	for i := range p.backends {
		b := p.backends[(start+i)%len(p.backends)]
		if slices.Contains(tried, b) {
			continue
		}
		aside := b.asideUntil.Load() > now
		if best == nil || bestAside && !aside || bestAside == aside && b.running.Load() < best.running.Load() {
			best, bestAside = b, aside
		}
	}
	return best
}
