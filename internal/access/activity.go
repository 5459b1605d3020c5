package access

import (
	"sync/atomic"
	"time"

	"gatehouse/internal/gatehouse"
)

// totals is what a deployment or a token has done since this process began, written without a lock. It is small, since a server
// may hold it for 100,000 tokens.
type totals struct {
	answered [countedKinds][statusClasses]atomic.Uint64
	refused  atomic.Pointer[refusals] // nil until the first
	in, out  atomic.Uint64            // bytes of bodies
}

type refusals [reasonCount]atomic.Uint32

const (
	countedKinds  = 3 // write, read, ui; what the endpoint answers about itself is left out
	statusClasses = 4 // 2xx to 5xx
)

// countedAs gives the place of a kind in totals.
func (k Kind) countedAs() (int, bool) {
	switch k {
	case Write:
		return 0, true
	case Read:
		return 1, true
	case UI:
		return 2, true
	}
	return 0, false
}

func (t *totals) add(o *outcome) {
	if o.refusal != nil {
		if t.refused.Load() == nil {
			t.refused.CompareAndSwap(nil, new(refusals))
		}
		t.refused.Load()[o.refusal.Reason.number()].Add(1)
	} else if kind, ok := o.route.Kind.countedAs(); ok && o.status >= 200 && o.status < 600 {
		t.answered[kind][o.status/100-2].Add(1)
	}
	if o.in > 0 {
		t.in.Add(uint64(o.in))
	}
	if o.out > 0 {
		t.out.Add(uint64(o.out))
	}
}

// refusedFor gives how many requests were refused for a reason.
func (t *totals) refusedFor(r Reason) uint64 {
	if all := t.refused.Load(); all != nil {
		return uint64(all[r.number()].Load())
	}
	return 0
}

// durations counts requests by how long they took, in Prometheus' cumulative buckets.
type durations struct {
	counts [len(durationBounds) + 1]atomic.Uint64 // not cumulative; the last is for what took longer
	micros atomic.Uint64
}

// durationBounds are upper bounds in seconds.
var durationBounds = [...]float64{0.005, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 120}

func (d *durations) add(took time.Duration) {
	i := 0
	for i < len(durationBounds) && took.Seconds() > durationBounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.micros.Add(uint64(took.Microseconds()))
}

// recentMinutes is how far back Table.Activity looks.
const recentMinutes = 10

// recent counts what happened in each of the last minutes of the clock.
type recent [recentMinutes]struct {
	minute   atomic.Uint32 // since 1970
	requests atomic.Uint32
	refusals atomic.Uint32
}

// add counts in the present minute, in the place of the one that has become too old. Two requests that meet at the turn of a minute
// may lose a count: these numbers are for people.
func (r *recent) add(now time.Time, refused bool) {
	minute := uint32(now.Unix() / 60)
	m := &r[minute%recentMinutes]
	if old := m.minute.Load(); old != minute && m.minute.CompareAndSwap(old, minute) {
		m.requests.Store(0)
		m.refusals.Store(0)
	}
	if refused {
		m.refusals.Add(1)
	} else {
		m.requests.Add(1)
	}
}

func (r *recent) sum(now time.Time) (requests, refusals int) {
	minute := uint32(now.Unix() / 60)
	for i := range r {
		if m := &r[i]; minute-m.minute.Load() < recentMinutes {
			requests += int(m.requests.Load())
			refusals += int(m.refusals.Load())
		}
	}
	return requests, refusals
}

// Activity tells what a token is doing and has done of late. One that was not used since this process began has done nothing.
func (t *Table) Activity(tokenID string) gatehouse.TokenActivity {
	a := gatehouse.TokenActivity{Period: recentMinutes * time.Minute}
	t.activeMu.Lock()
	g := t.active[tokenID]
	t.activeMu.Unlock()
	if g == nil {
		return a
	}
	l := g.live()
	a.Running, a.Waiting = int(l.gate.running.Load()), int(l.gate.waiting.Load())
	a.Requests, a.Refusals = l.recent.sum(time.Now())
	return a
}
