package access

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

var errQueueTimeout = errors.New("waited in the queue for too long")

// gate limits how many requests run at a time. Those that find it full wait in line: first come, first served within a key, and
// the keys take turns, so that one busy token does not starve the others. The zero value is ready.
//
// While there is room a request takes no lock.
type gate struct {
	running atomic.Int64
	waiting atomic.Int64

	mu     sync.Mutex
	*queue // nil until somebody has to wait: 100,000 tokens have a gate each
}

type queue struct {
	lines map[*Grant]*line
	turns list.List // of *line; each has someone waiting
}

type line struct {
	key     *Grant
	waiters list.List // of *waiter
	turn    *list.Element
}

type waiter struct {
	limit int64
	ready chan struct{}
}

// enter waits until fewer than limit requests run, at most until the deadline. Whoever got nil must call leave.
func (g *gate) enter(ctx context.Context, limit int64, key *Grant, deadline time.Time) error {
	if g.waiting.Load() == 0 && g.take(limit) {
		return nil
	}
	return g.wait(ctx, limit, key, deadline)
}

func (g *gate) leave() {
	// Order matters: whoever begins to wait raises waiting before it looks at running, so one of the two sees the other.
	g.running.Add(-1)
	if g.waiting.Load() > 0 {
		g.mu.Lock()
		g.admit()
		g.mu.Unlock()
	}
}

func (g *gate) take(limit int64) bool {
	for {
		n := g.running.Load()
		if n >= limit {
			return false
		}
		if g.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (g *gate) wait(ctx context.Context, limit int64, key *Grant, deadline time.Time) error {
	w := &waiter{limit: limit, ready: make(chan struct{})}
	g.mu.Lock()
	l, place := g.join(key, w)
	g.waiting.Add(1)
	g.admit()
	g.mu.Unlock()

	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	err := errQueueTimeout
	select {
	case <-w.ready:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.ready: // admitted just now
		g.running.Add(-1)
		g.admit()
	default:
		g.drop(l, place)
	}
	return err
}

// admit lets in as many as there is room for. The caller holds mu.
func (g *gate) admit() {
	for g.turns.Len() > 0 {
		l := g.turns.Front().Value.(*line)
		first := l.waiters.Front()
		w := first.Value.(*waiter)
		if !g.take(w.limit) {
			return
		}
		g.turns.MoveToBack(l.turn)
		g.drop(l, first)
		close(w.ready)
	}
}

func (g *gate) join(key *Grant, w *waiter) (*line, *list.Element) {
	if g.queue == nil {
		g.queue = &queue{lines: map[*Grant]*line{}}
	}
	l := g.lines[key]
	if l == nil {
		l = &line{key: key}
		l.turn = g.turns.PushBack(l)
		g.lines[key] = l
	}
	return l, l.waiters.PushBack(w)
}

func (g *gate) drop(l *line, place *list.Element) {
	l.waiters.Remove(place)
	g.waiting.Add(-1)
	if l.waiters.Len() == 0 {
		g.turns.Remove(l.turn)
		delete(g.lines, l.key)
	}
}
