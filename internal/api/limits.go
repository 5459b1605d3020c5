package api

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"gatehouse/internal/gatehouse"
)

const (
	// mostWait is how long a request waits for its turn. VictoriaMetrics Cloud's client and Terraform provider never try again, so a
	// burst is spread, and only a script that does not stop is refused.
	mostWait = 5 * time.Second
	// mostRunning bounds the requests of one key that are answered at the same time. Terraform sends 10.
	mostRunning = 16
	// failureRate and failureBurst are how many wrong keys per second an address may try.
	failureRate, failureBurst = 1, 30
	// mostRemembered bounds the memory that addresses and keys can take.
	mostRemembered = 10_000
)

// limits keep one key, and those who have none, from taking all there is.
type limits struct {
	rate rate.Limit

	mu       sync.Mutex
	keys     map[string]*keyLimit              // by ID of the key
	failures map[string]*rate.Limiter          // by client address
	working  map[gatehouse.SecretHash]struct{} // keys that were right when last seen
}

type keyLimit struct {
	rate    *rate.Limiter
	running *semaphore.Weighted
}

// newLimits takes requests per second and key. 0: no limit.
func newLimits(perSecond float64) *limits {
	l := &limits{
		rate: rate.Limit(perSecond), keys: map[string]*keyLimit{}, failures: map[string]*rate.Limiter{}, working: map[gatehouse.SecretHash]struct{}{},
	}
	if perSecond == 0 {
		l.rate = rate.Inf
	}
	return l
}

// burst is how many requests may come at once before the rate holds them back.
func (l *limits) burst() int {
	if l.rate == rate.Inf {
		return 1 // not looked at
	}
	return max(1, int(2*l.rate))
}

// enter waits for the turn of a request with the key. release must be called when it is answered.
func (l *limits) enter(ctx context.Context, h http.Header, keyID string) (release func(), err error) {
	k := l.key(keyID)
	turn := k.rate.Reserve()
	wait := turn.Delay()
	if !turn.OK() || wait > mostWait {
		turn.Cancel()
		return nil, tooMany(h, wait-mostWait, "this API key makes more than %g requests per second; let it make fewer", float64(l.rate))
	}
	select {
	case <-time.After(wait):
	case <-ctx.Done():
		turn.Cancel()
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	if err := k.running.Acquire(ctx, 1); err != nil {
		return nil, tooMany(h, time.Second, "this API key has %d requests running, and they take long; wait until they are answered", mostRunning)
	}
	return func() { k.running.Release(1) }, nil
}

func (l *limits) key(id string) *keyLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[id]
	if k == nil {
		k = &keyLimit{rate.NewLimiter(l.rate, l.burst()), semaphore.NewWeighted(mostRunning)}
		makeRoom(l.keys)
		l.keys[id] = k
	}
	return k
}

// mayTry refuses addresses from which too many wrong keys have come. A key that was right a moment ago may go on: others behind the
// same address must not be able to shut it out.
func (l *limits) mayTry(h http.Header, addr string, hash gatehouse.SecretHash) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.failures[addr]
	if _, right := l.working[hash]; right || f == nil || f.Tokens() >= 1 {
		return nil
	}
	return tooMany(h, time.Second, "too many requests with wrong API keys come from your address; wait, and use a key that works")
}

// known notes that a key is right.
func (l *limits) known(hash gatehouse.SecretHash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	makeRoom(l.working)
	l.working[hash] = struct{}{}
}

// failed notes a wrong key.
func (l *limits) failed(addr string, hash gatehouse.SecretHash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.working, hash)
	f := l.failures[addr]
	if f == nil {
		f = rate.NewLimiter(failureRate, failureBurst)
		makeRoom(l.failures)
		l.failures[addr] = f
	}
	f.Allow()
}

// makeRoom forgets all once there is too much: what is in use comes again with the next request.
func makeRoom[K comparable, V any](m map[K]V) {
	if len(m) >= mostRemembered {
		clear(m)
	}
}

func tooMany(h http.Header, wait time.Duration, format string, args ...any) error {
	h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
	return refusal{http.StatusTooManyRequests, gatehouse.Errorf(gatehouse.Unavailable, format, args...).Message}
}
