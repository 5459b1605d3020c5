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
	// mostKeySearches and mostSearches bound, for one key and for all, the requests that may read the whole audit log. Each keeps one of
	// the 8 connections on which the database is read, and the others are for everybody else.
	mostKeySearches, mostSearches = 3, 4
	// failureRate and failureBurst are how many wrong keys per second a network may try: an IPv4 address, or a /64 of IPv6.
	failureRate, failureBurst = 1, 30
	// mostRemembered bounds the memory that addresses and keys can take.
	mostRemembered = 10_000
)

// limits keep one key, and those who have none, from taking all there is.
type limits struct {
	rate     rate.Limit
	searches *semaphore.Weighted

	mu       sync.Mutex
	keys     map[string]*keyLimit              // by ID of the key
	failures map[string]*rate.Limiter          // by network of the client
	working  map[gatehouse.SecretHash]struct{} // keys that were right when last seen
}

type keyLimit struct {
	rate     *rate.Limiter
	running  *semaphore.Weighted
	searches *semaphore.Weighted
}

// newLimits takes requests per second and key. 0: no limit.
func newLimits(perSecond float64) *limits {
	l := &limits{
		rate: rate.Limit(perSecond), searches: semaphore.NewWeighted(mostSearches),
		keys: map[string]*keyLimit{}, failures: map[string]*rate.Limiter{}, working: map[gatehouse.SecretHash]struct{}{},
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
func (l *limits) enter(ctx context.Context, h http.Header, keyID string, searches bool) (release func(), err error) {
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
	places := []place{{k.running, mostRunning, "this API key has %d requests running, and they take long; wait until they are answered"}}
	if searches {
		places = append(places,
			place{k.searches, mostKeySearches, "this API key is reading the audit log %d times at once; wait until that is answered"},
			place{l.searches, mostSearches, "API keys are reading the audit log %d times at once; wait until that is answered"})
	}
	return occupy(ctx, h, places)
}

// place is one of so many, for a request that is being answered.
type place struct {
	all   *semaphore.Weighted
	most  int
	taken string // says, to whom it is refused, that all are
}

// occupy takes all places or none.
func occupy(ctx context.Context, h http.Header, places []place) (release func(), err error) {
	release = func() {}
	for _, p := range places {
		if err := p.all.Acquire(ctx, 1); err != nil {
			release()
			return nil, tooMany(h, time.Second, p.taken, p.most)
		}
		before := release
		release = func() { p.all.Release(1); before() }
	}
	return release, nil
}

func (l *limits) key(id string) *keyLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[id]
	if k == nil {
		k = &keyLimit{rate.NewLimiter(l.rate, l.burst()), semaphore.NewWeighted(mostRunning), semaphore.NewWeighted(mostKeySearches)}
		makeRoom(l.keys)
		l.keys[id] = k
	}
	return k
}

// mayTry refuses networks from which too many wrong keys have come. A key that was right a moment ago may go on: others behind the
// same address must not be able to shut it out.
func (l *limits) mayTry(h http.Header, network string, hash gatehouse.SecretHash) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.failures[network]
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
func (l *limits) failed(network string, hash gatehouse.SecretHash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.working, hash)
	f := l.failures[network]
	if f == nil {
		f = rate.NewLimiter(failureRate, failureBurst)
		makeRoom(l.failures)
		l.failures[network] = f
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
