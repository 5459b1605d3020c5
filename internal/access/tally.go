package access

import (
	"bytes"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/samples"
)

const (
	// longestCopy is more than vmagent, Prometheus and their like send at once.
	longestCopy = 4 << 20
	// mostHeld bounds the memory of all copies together. While half of it is taken, none is begun.
	mostHeld = 8 << 20
	// shortCopy is left of the copy of a body that is longer than longestCopy, and stands for all of it. The same becomes of one that takes
	// longer than patient while it keeps others out.
	shortCopy = 256 << 10
	patient   = time.Second
	// mostQueued bounds the copies that wait to be counted.
	mostQueued = 256
	// restShare is how much longer the worker rests than it works, so that it takes a fiftieth of a CPU at most.
	restShare = 49
	// longestRest keeps a count that was itself interrupted, as by SIGSTOP, from putting off all others.
	longestRest = 30 * time.Second
	// leastRest and mostCopied bound how many bodies, and bytes of them, are copied in a second, since copies cost the requests something, too.
	leastRest  = 5 * time.Millisecond
	mostCopied = 16 << 20
	// fading is the weight of what was seen before in a token's samples per byte, with each body that is counted.
	fading = 0.9
)

// tally counts how many samples tokens write and read. A request's path must not parse bodies, so it copies one of each token at a time,
// and a worker beside it counts the samples in the copy. Those of the other bodies are estimated from their bytes.
type tally struct {
	queue   chan *bodyCopy
	held    atomic.Int64 // bytes of copies
	working atomic.Bool
	metrics *meters
	log     *slog.Logger
	faults  quiet

	// longestCopy and so on, but for tests.
	longest, short int
	most           int64
	patient        time.Duration
}

func newTally(m *meters, log *slog.Logger) *tally {
	return &tally{queue: make(chan *bodyCopy, mostQueued), metrics: m, log: log, longest: longestCopy, short: shortCopy, most: mostHeld, patient: patient}
}

// sampleCount is how many samples a token has written, or read, since this process began. It is small, since a server may hold it for
// 100,000 tokens.
type sampleCount struct {
	total   atomic.Uint64
	rest    atomic.Uint64 // bytes whose samples are in no total yet
	perByte atomic.Uint32 // what to expect in them: the bits of a float32, and isKnown
	busy    atomic.Bool   // there is a copy: one token must not keep those of others waiting
	weight  float32       // of perByte: the bytes that it was found in; belongs to the worker
}

// isKnown is the place of the sign, which samples per byte do not have.
const isKnown = 1 << 31

// begin reports whether a body may be copied now. The one that was told so must end the copy.
func (s *sampleCount) begin() bool { return !s.busy.Load() && s.busy.CompareAndSwap(false, true) }

// add adds what was found in the copy of a body. When the body is longer, the rest is taken to be alike.
func (s *sampleCount) add(found, copied, bytes int64) {
	before := s.weight * fading
	s.weight = before + float32(copied)
	perByte := (math.Float32frombits(s.perByte.Load()&^isKnown)*before + float32(found)) / s.weight
	s.perByte.Store(math.Float32bits(perByte) | isKnown)
	s.total.Add(uint64(math.Round(float64(found) * float64(bytes) / float64(copied))))
}

// sum gives the samples so far, and false while nothing is known about any.
func (s *sampleCount) sum() (uint64, bool) {
	if s == nil || s.perByte.Load()&isKnown == 0 {
		return 0, false
	}
	perByte := math.Float32frombits(s.perByte.Load() &^ isKnown)
	// What has been estimated stays so: a counter must not fall because of a better estimate.
	return s.total.Add(uint64(math.Round(float64(s.rest.Swap(0)) * float64(perByte)))), true
}

// samplesOf gives the place where the samples of a request are counted, or nil.
func samplesOf(a admission) *atomic.Pointer[sampleCount] {
	l := a.grant.live()
	switch {
	case !a.grant.isToken() || l == dead:
		return nil
	case a.route.Kind == Write:
		return &l.written
	case a.route.Kind == Read:
		return &l.read
	}
	return nil
}

// bodyCopy is a copy of the beginning of a body, or of all of it.
type bodyCopy struct {
	tally *tally
	count *sampleCount
	read  bool  // it is an answer
	bytes int64 // that the body has in all

	mu   sync.Mutex // between the request and late
	of   samples.Body
	late *time.Timer
	over bool // the request has ended
}

// copyOf gives a place for the copy of the body whose samples are counted, or nil when there is none now.
func (t *tally) copyOf(x *exchange, r *http.Request) *bodyCopy {
	place := samplesOf(x.admission)
	if place == nil || len(t.queue) == cap(t.queue) || t.held.Load() > t.most/2 {
		return nil
	}
	count := orNew(place)
	if !count.begin() {
		return nil
	}
	c := &bodyCopy{tally: t, count: count, of: samples.Body{Path: strings.Clone(x.route.Path), Whole: true}, read: x.route.Kind == Read}
	c.mu.Lock()
	c.late = time.AfterFunc(t.patient, c.beLate)
	c.mu.Unlock()
	if !c.read {
		if samples.NeedsQuery(c.of.Path) {
			c.of.Query = strings.Clone(x.query)
		}
		c.of.Header = formatHeaders(r.Header)
		c.add(x.body.head)
		x.body.copy = c // the rest follows as it is read
	}
	return c
}

// note counts the samples of a request that has ended.
func (t *tally) note(x *exchange) {
	place, bytes := samplesOf(x.admission), x.body.taken.Load()
	if x.route.Kind == Read {
		bytes = x.written
	}
	c := x.copy
	c.end()
	switch {
	case place == nil:
	case x.refusal != nil || x.status/100 != 2 || bytes == 0: // nothing was stored or read
		c.drop()
	case c == nil:
		orNew(place).rest.Add(uint64(bytes))
	default:
		c.bytes, c.of.Whole = bytes, c.of.Whole && x.finished
		if c.read {
			c.of.Header = formatHeaders(x.Header())
		}
		t.enqueue(c)
	}
}

func (t *tally) enqueue(c *bodyCopy) {
	select {
	case t.queue <- c:
	default:
		c.count.rest.Add(uint64(c.bytes))
		c.drop()
	}
	if t.working.CompareAndSwap(false, true) {
		go t.work()
	}
}

// work counts until nothing is left, and rests in between.
func (t *tally) work() {
	for {
		select {
		case c := <-t.queue:
			began, copied := time.Now(), len(c.of.Bytes)
			t.evaluate(c)
			time.Sleep(min(max(restShare*time.Since(began), leastRest, time.Duration(copied)*time.Second/mostCopied), longestRest))
		default:
			t.working.Store(false)
			if len(t.queue) == 0 || !t.working.CompareAndSwap(false, true) {
				return // else something came just before, and nobody works on it
			}
		}
	}
}

func (t *tally) evaluate(c *bodyCopy) {
	defer c.drop()
	n, err := t.find(c)
	if err != nil || len(c.of.Bytes) == 0 {
		t.metrics.countFailed.Inc()
		c.count.rest.Add(uint64(c.bytes))
		return
	}
	t.metrics.counted.Inc()
	c.count.add(int64(n), int64(len(c.of.Bytes)), c.bytes)
}

// find counts the samples in a copy. Strangers choose what it holds, so a fault in the parsing must not end the server.
func (t *tally) find(c *bodyCopy) (n int, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			if n, ok := t.faults.next(); ok {
				t.log.Error("counting samples failed; please report this", "path", c.of.Path, "panic", fault, "stack", string(debug.Stack()), "not_logged_before", n)
			}
			err = errors.New("a fault")
		}
	}()
	if c.read {
		return samples.Read(c.of)
	}
	return samples.Written(c.of)
}

// formatHeaders are those that tell the format of a body. They are cloned, as a header's value shares memory with the secret.
func formatHeaders(h http.Header) http.Header {
	kept := http.Header{}
	for _, name := range []string{"Content-Type", "Content-Encoding"} {
		for _, v := range h[name] {
			kept.Add(name, strings.Clone(v))
		}
	}
	return kept
}

// add copies a piece, as far as there is room.
func (c *bodyCopy) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.of.Whole {
		return
	}
	n := min(len(p), c.tally.longest-len(c.of.Bytes))
	if c.tally.held.Add(int64(n)) > c.tally.most {
		c.tally.held.Add(-int64(n))
		n = 0
	}
	c.of.Bytes = append(c.of.Bytes, p[:n]...)
	if n < len(p) {
		c.shorten()
	}
}

// beLate shortens the copy of a request that takes long, as soon as it keeps copies of others out.
func (c *bodyCopy) beLate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.over:
	case len(c.of.Bytes) > c.tally.short && c.tally.held.Load() > c.tally.most/2:
		c.shorten()
	default:
		c.late.Reset(c.tally.patient)
	}
}

// shorten ends the copy, and gives back most of a long one.
func (c *bodyCopy) shorten() {
	c.of.Whole = false
	if kept := c.tally.short; len(c.of.Bytes) > kept {
		c.tally.held.Add(int64(kept - len(c.of.Bytes)))
		c.of.Bytes = bytes.Clone(c.of.Bytes[:kept])
	}
}

// end says that the request has ended: nothing changes the copy any more.
func (c *bodyCopy) end() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late.Stop()
	c.over = true
}

// drop gives back what a copy holds, if there is one.
func (c *bodyCopy) drop() {
	if c == nil {
		return
	}
	c.tally.held.Add(-int64(len(c.of.Bytes)))
	c.of.Bytes = nil
	c.count.busy.Store(false)
}
