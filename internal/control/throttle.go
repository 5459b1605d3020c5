package control

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// The delay between attempts to sign in: none for the first few, then doubling. An attempt that would have to wait longer than
// throttlePatience is refused.
const (
	accountFree      = 3  // attempts without delay
	addressFree      = 20 // more, since an office or a proxy may stand behind one
	throttleFirst    = time.Second
	throttleMost     = time.Minute
	throttlePatience = 4 * time.Second
	throttleForget   = 15 * time.Minute
	throttleSweep    = time.Minute // how often what is forgotten is cleared away
)

// throttle slows down whoever guesses passwords, by account and by address. An attempt counts as a failure from its beginning, so
// that many at the same time gain nothing. The throttle forgets with the process, which an attacker cannot restart.
type throttle struct {
	mu       sync.Mutex
	attempts map[string]*attempts
	swept    time.Time
}

// attempts are those of one account or address that did not succeed.
type attempts struct {
	count int
	last  time.Time
	next  time.Time // no attempt before
	noted time.Time // when a refusal was last recorded
}

func newThrottle() *throttle { return &throttle{attempts: map[string]*attempts{}} }

var errTooManyAttempts error = gatehouse.Errorf(gatehouse.Unauthenticated, "too many failed attempts; wait a minute and try again")

// wait counts an attempt and returns when it may be made, or an error when that would take too long.
func (t *throttle) wait(ctx context.Context, account, addr string) error {
	delay := t.book(account, addr)
	if delay > throttlePatience {
		return errTooManyAttempts
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

// book says how long the next attempt has to wait and, unless that is too long, counts it.
func (t *throttle) book(account, addr string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := time.Now()
	t.sweep(at)
	var delay time.Duration
	for key := range keysOf(account, addr) {
		if a := t.attempts[key]; a != nil {
			delay = max(delay, a.next.Sub(at))
		}
	}
	if delay > throttlePatience {
		return delay
	}
	for key, free := range keysOf(account, addr) {
		a := t.attempts[key]
		if a == nil {
			a = &attempts{}
			t.attempts[key] = a
		}
		a.count++
		a.last = at
		a.next = at.Add(delay + pause(a.count, free))
	}
	return delay
}

// noteRefusal reports whether a refused attempt is to be recorded: unless one was in the last minute for each account and address
// that made it wait too long.
func (t *throttle) noteRefusal(account, addr string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at, fresh := time.Now(), false
	for key := range keysOf(account, addr) {
		if a := t.attempts[key]; a != nil && a.next.Sub(at) > throttlePatience && at.Sub(a.noted) >= time.Minute {
			a.noted, fresh = at, true
		}
	}
	return fresh
}

// succeeded clears the account, and takes back what the attempt counted against the address. The address keeps its failures: one
// good password must not pay for guessing others.
func (t *throttle) succeeded(account, addr string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.attempts, accountKey(account))
	key := addressKey(addr)
	if a := t.attempts[key]; a != nil {
		if a.count--; a.count <= 0 {
			delete(t.attempts, key)
		} else {
			a.next = time.Now().Add(pause(a.count, addressFree))
		}
	}
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

func accountKey(account string) string { return "account " + account }
func addressKey(addr string) string    { return "address " + addr }

// keysOf gives what an attempt counts against, each with its free attempts. Without an account, it is the address alone.
func keysOf(account, addr string) map[string]int {
	keys := map[string]int{addressKey(addr): addressFree}
	if account != "" {
		keys[accountKey(account)] = accountFree
	}
	return keys
}

// pause is the time after the attempt with this number.
func pause(count, free int) time.Duration {
	if count < free {
		return 0
	}
	return min(throttleMost, throttleFirst<<min(count-free, 16))
}
