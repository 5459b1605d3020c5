package control

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
)

// The delay between attempts to sign in: none for the first few, then doubling.
//
// One network (an IPv4 address, or a /64 of IPv6) gets 3 attempts on an account, 20 on all, and then one a minute: an attempt that
// would have to wait longer than throttlePatience is refused. On one account, all networks together get 3 attempts and then about two
// a second, however many they are: each waits for throttlePatience at most, and only when accountQueue wait already is the next
// refused. So few networks guess slowly and cannot keep the owner out who comes from a new one; it takes some hundred for that.
const (
	accountFree      = 3  // attempts without delay
	networkFree      = 20 // more, since an office or a proxy may stand behind one
	accountQueue     = 8
	throttleFirst    = time.Second
	throttleMost     = time.Minute
	throttlePatience = 4 * time.Second
	throttleForget   = 15 * time.Minute
	throttleSweep    = time.Minute // how often what is forgotten is cleared away
)

// These bound the memory: beyond, what is oldest is forgotten earlier.
const (
	throttleEntries  = 100_000
	throttleFamiliar = 10_000
)

// throttle slows down whoever guesses passwords, by account and by network. An attempt counts as a failure from its beginning, so
// that many at the same time gain nothing.
//
// A network from which somebody has signed in to an account is familiar with it. Its attempts on the account wait for no failures but
// its own on this account: otherwise, anybody could keep the owner out.
//
// The throttle forgets with the process, which an attacker cannot restart.
type throttle struct {
	mu       sync.Mutex
	attempts map[string]*attempts
	familiar map[string]time.Time // account and network: when they last succeeded
	swept    time.Time
}

// attempts are those that did not succeed, of whatever a limit is for.
type attempts struct {
	count   int
	last    time.Time
	next    time.Time // no attempt before
	waiting int       // attempts that wait now
	noted   time.Time // when a refusal was last recorded
}

// limit says how many attempts are too many.
type limit struct {
	key   string // of what they are counted for
	free  int    // attempts without delay
	most  time.Duration
	queue int // attempts that may wait at the same time, for throttlePatience at most; 0: those that would wait longer are refused
}

func newThrottle() *throttle {
	return &throttle{attempts: map[string]*attempts{}, familiar: map[string]time.Time{}}
}

var errTooManyAttempts error = gatehouse.Errorf(gatehouse.Unauthenticated, "too many failed attempts; wait a minute and try again")

// limits gives those that hold for an attempt. account is empty where nobody knows which is meant.
func (t *throttle) limits(account, addr string) []limit {
	network := clientaddr.Network(addr)
	ofNetwork := limit{key: "network " + network, free: networkFree, most: throttleMost}
	if account == "" {
		return []limit{ofNetwork}
	}
	ofPair := limit{key: pairKey(account, network), free: accountFree, most: throttleMost}
	if _, ok := t.familiar[ofPair.key]; ok {
		return []limit{ofPair}
	}
	ofAccount := limit{key: "account " + account, free: accountFree, most: throttlePatience, queue: accountQueue}
	return []limit{ofPair, ofNetwork, ofAccount}
}

func pairKey(account, network string) string { return "pair " + account + " " + network }

// wait counts an attempt and returns when it may be made, or errTooManyAttempts. note says that this refusal is to be recorded: a
// flood of them is only once a minute for each limit that refuses, since it could fill the disk.
func (t *throttle) wait(ctx context.Context, account, addr string) (note bool, err error) {
	turn := t.book(account, addr)
	if turn.refused {
		return turn.note, errTooManyAttempts
	}
	if turn.delay <= 0 {
		return false, nil
	}
	defer t.leave(turn)
	timer := time.NewTimer(turn.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// turn is when an attempt may be made.
type turn struct {
	delay         time.Duration
	refused, note bool
	waitsIn       []*attempts
}

// book gives the next turn and, unless it is refused, counts the attempt. One with a delay must leave.
func (t *throttle) book(account, addr string) turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now()
	t.sweep(at)
	var booked turn
	limits := t.limits(account, addr)
	for _, l := range limits {
		if a := t.attempts[l.key]; a != nil {
			booked.ask(a, l, at)
		}
	}
	if booked.refused {
		return booked
	}
	for _, l := range limits {
		a := t.attempts[l.key]
		if a == nil {
			a = &attempts{}
			makeRoom(t.attempts, throttleEntries, func(a *attempts) time.Time { return a.last })
			t.attempts[l.key] = a
		}
		a.count++
		a.last = at
		a.next = at.Add(booked.delay + l.pause(a.count))
		if booked.delay > 0 {
			a.waiting++
			booked.waitsIn = append(booked.waitsIn, a)
		}
	}
	return booked
}

// ask adds what one limit says.
func (t *turn) ask(a *attempts, l limit, at time.Time) {
	delay := a.next.Sub(at)
	full := delay > throttlePatience
	if l.queue > 0 {
		delay = min(delay, throttlePatience)
		full = delay > 0 && a.waiting >= l.queue
	}
	t.delay = max(t.delay, delay)
	if !full {
		return
	}
	t.refused = true
	if at.Sub(a.noted) >= time.Minute {
		a.noted, t.note = at, true
	}
}

func (t *throttle) leave(turn turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range turn.waitsIn {
		a.waiting--
	}
}

// succeeded takes back what the attempt counted, and makes the network familiar with the account. The failures of others stay: one
// good password must not pay for guessing more.
func (t *throttle) succeeded(account, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, pair := time.Now(), pairKey(account, clientaddr.Network(addr))
	if _, ok := t.familiar[pair]; ok {
		delete(t.attempts, pair)
	} else {
		for _, l := range t.limits(account, addr) {
			t.takeBack(l, at)
		}
		makeRoom(t.familiar, throttleFamiliar, func(last time.Time) time.Time { return last })
	}
	t.familiar[pair] = at
}

func (t *throttle) takeBack(l limit, at time.Time) {
	a := t.attempts[l.key]
	if a == nil {
		return
	}
	if a.count--; a.count <= 0 {
		delete(t.attempts, l.key)
		return
	}
	a.next = at.Add(l.pause(a.count))
}

// sweep drops old entries, so that the memory stays bounded by the attempts of the last minutes.
func (t *throttle) sweep(at time.Time) {
	if at.Sub(t.swept) < throttleSweep {
		return
	}
	t.swept = at
	for key, a := range t.attempts {
		if at.Sub(a.last) > throttleForget {
			delete(t.attempts, key)
		}
	}
}

// makeRoom drops the oldest of a few entries once there are too many. To look at all would cost more than the flood.
func makeRoom[V any](m map[string]V, most int, last func(V) time.Time) {
	if len(m) < most {
		return
	}
	var oldest string
	var since time.Time
	looked := 0
	for key, v := range m { // in random order
		if at := last(v); looked == 0 || at.Before(since) {
			oldest, since = key, at
		}
		if looked++; looked == 16 {
			break
		}
	}
	delete(m, oldest)
}

// pause is the time after the attempt with this number.
func (l limit) pause(count int) time.Duration {
	if count < l.free {
		return 0
	}
	return min(l.most, throttleFirst<<min(count-l.free, 16))
}
