package access

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"gatehouse/internal/clientaddr"
)

const (
	refusalWindow = 10 * time.Second
	freeRefusals  = 20   // per client address and window: more than a person or a restarting agent needs
	mostDelayed   = 100  // answers held back at a time, so that holding them back costs us little
	slowdownSlots = 4096 // client addresses share them when there are more
)

// slowdown makes clients wait that come with one wrong credential after the other. Who has more than 20 refused within 10 s gets
// the further refusals of that window late; every other answer, also to the same address, goes out at once. It is not what keeps
// guessers out, 190 random bits are: it keeps floods and broken clients from costing much.
//
// Its memory does not grow with the number of addresses: they are counted in slots picked by a keyed hash. Two that share a slot
// may be delayed for each other's refusals, but only refusals ever are.
type slowdown struct {
	delay  time.Duration
	delays *metrics.Counter
	seed   maphash.Seed

	mu      sync.Mutex
	delayed int
	slots   [slowdownSlots]struct {
		since    time.Time
		refusals int
	}
}

func newSlowdown(delay time.Duration, delays *metrics.Counter) *slowdown {
	return &slowdown{delay: delay, delays: delays, seed: maphash.MakeSeed()}
}

// wait counts a refusal and returns when it may be answered. It reports false when too many wait already: then the answer goes
// out at once, and the caller should close the connection, so that the next try costs the client a new one.
func (s *slowdown) wait(ctx context.Context, addr string) bool {
	late, room := s.count(addr)
	if !late || !room {
		return room
	}
	s.delays.Inc()
	timer := time.NewTimer(s.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.delayed--
	s.mu.Unlock()
	return true
}

// count says whether this refusal is to come late, and whether there is room to make it wait; if both, it has taken its place.
func (s *slowdown) count(addr string) (late, room bool) {
	i := maphash.String(s.seed, clientaddr.Network(addr)) % slowdownSlots
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.slots[i]
	if now := time.Now(); now.Sub(slot.since) >= refusalWindow {
		slot.since, slot.refusals = now, 0
	}
	if slot.refusals++; slot.refusals <= freeRefusals {
		return false, true
	}
	if s.delayed >= mostDelayed {
		return true, false
	}
	s.delayed++
	return true, true
}
