package access

import (
	"sync/atomic"
	"time"

	"gatehouse/internal/gatehouse"
)

// totals is what a deployment or a token has done since this process began, written without a lock. It is small, since a server
// may hold it for 100,000 tokens.
type totals struct {
	answered [countedKinds]atomic.Pointer[byStatus] // nil until the first, as most tokens write or read only
	refused  atomic.Pointer[refusals]               // nil until the first
	in, out  atomic.Uint64                          // bytes of bodies
	micros   atomic.Uint64                          // that the answered ones took
}

type byStatus [statusClasses]atomic.Uint64

type refusals [reasonCount]atomic.Uint32

// orNew gives what p points to, which it makes if there is nothing yet.
func orNew[T any](p *atomic.Pointer[T]) *T {
	if p.Load() == nil {
		p.CompareAndSwap(nil, new(T))
	}
	return p.Load()
}

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
		orNew(&t.refused)[o.refusal.Reason.number()].Add(1)
	} else if kind, ok := o.route.Kind.countedAs(); ok && o.status >= 200 && o.status < 600 {
		orNew(&t.answered[kind])[o.status/100-2].Add(1)
		t.micros.Add(uint64(o.took.Microseconds()))
	}
	if o.in > 0 {
		t.in.Add(uint64(o.in))
	}
	if o.out > 0 {
		t.out.Add(uint64(o.out))
	}
}

// answeredWith gives how many requests of a kind, by its place, were answered with a class of statuses.
func (t *totals) answeredWith(kind, class int) uint64 {
	if all := t.answered[kind].Load(); all != nil {
		return all[class].Load()
	}
	return 0
}

// allAnswered gives how many requests were answered.
func (t *totals) allAnswered() (n uint64) {
	for kind := range countedKinds {
		for class := range statusClasses {
			n += t.answeredWith(kind, class)
		}
	}
	return n
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

// recent counts what happened in each of the last minutes of the clock. A number holds the minute since 1970 modulo 2^16, and 24 bits
// each of requests and refusals in it.
type recent [recentMinutes]atomic.Uint64

const (
	oneRequest = 1
	oneRefusal = 1 << 24
	oneMinute  = 1 << 48
)

// add counts in the present minute, in the place of the one that has become too old.
func (r *recent) add(now time.Time, refused bool) {
	minute := uint64(now.Unix() / 60)
	n := &r[minute%recentMinutes]
	one := uint64(oneRequest)
	if refused {
		one = oneRefusal
	}
	for {
		old := n.Load()
		grown := old + one
		if old/oneMinute != minute%(1<<16) {
			grown = minute%(1<<16)*oneMinute + one
		}
		if n.CompareAndSwap(old, grown) {
			return
		}
	}
}

func (r *recent) sum(now time.Time) (requests, refusals int) {
	minute := now.Unix() / 60
	for i := range r {
		n := r[i].Load()
		if uint16(minute)-uint16(n/oneMinute) < recentMinutes {
			requests += int(n % oneRefusal)
			refusals += int(n % oneMinute / oneRefusal)
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
