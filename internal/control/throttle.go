package control

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// The delay after failed sign-ins: none for the first few, then doubling. An attempt that would have to wait longer than
// throttlePatience is refused, so that parallel attempts gain nothing.
const (
	throttleFree     = 3 // failures without delay
	throttleFirst    = time.Second
	throttleMost     = time.Minute
	throttlePatience = 4 * time.Second
	throttleForget   = 15 * time.Minute
)

// throttle slows down whoever guesses passwords, by account and by address. It forgets with the process, which an attacker cannot
// restart.
type throttle struct {
	mu       sync.Mutex
	failures map[string]*failures
}

type failures struct {
	count int
	last  time.Time
	next  time.Time // no attempt before
}

func newThrottle() *throttle { return &throttle{failures: map[string]*failures{}} }

// wait returns when an attempt is allowed, or an error when that would take too long.
func (t *throttle) wait(ctx context.Context, account, addr string) error {
	delay := t.delay(keysOf(account, addr))
	if delay > throttlePatience {
		return gatehouse.Errorf(gatehouse.Unauthenticated, "too many failed attempts; wait a minute and try again")
	}
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delay books the next attempt for the keys and says how long to wait for it. Booking makes parallel attempts queue.
func (t *throttle) delay(keys []string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now()
	var longest time.Duration
	for _, key := range keys {
		if f := t.failures[key]; f != nil {
			longest = max(longest, f.next.Sub(at))
		}
	}
	if longest > throttlePatience {
		return longest
	}
	for _, key := range keys {
		if f := t.failures[key]; f != nil && f.count >= throttleFree {
			f.next = at.Add(longest + pause(f.count))
		}
	}
	return longest
}

// failed counts a failure against the account and the address.
func (t *throttle) failed(account, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now()
	t.forget(at)
	for _, key := range keysOf(account, addr) {
		f := t.failures[key]
		if f == nil {
			f = &failures{}
			t.failures[key] = f
		}
		f.count++
		f.last = at
		f.next = at.Add(pause(f.count))
	}
}

// succeeded clears the account. The address stays: one good password must not pay for guessing others.
func (t *throttle) succeeded(account string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.failures, keysOf(account, "")[0])
}

// forget drops old entries, so that the memory stays bounded by the attempts of the last minutes.
func (t *throttle) forget(at time.Time) {
	for key, f := range t.failures {
		if at.Sub(f.last) > throttleForget {
			delete(t.failures, key)
		}
	}
}

func keysOf(account, addr string) []string { return []string{"account " + account, "address " + addr} }

func pause(count int) time.Duration {
	if count < throttleFree {
		return 0
	}
	return min(throttleMost, throttleFirst<<min(count-throttleFree, 16))
}
