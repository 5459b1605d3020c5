package access

import (
	"fmt"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meters are the metrics of the access endpoint. None has a label that a token or a secret could fill.
type meters struct {
	set *metrics.Set

	requests   map[Kind]*[6]*metrics.Counter // by the first digit of the status
	read       [6]*metrics.Counter           // the same of Readers, who have no token
	evaluated  [6]*metrics.Counter           // the same of Evaluators
	refusals   map[Reason]*metrics.Counter
	flaws      map[flaw]*metrics.Counter
	retries    *metrics.Counter
	setAside   *metrics.Counter
	brokenOff  *metrics.Counter
	clientGone *metrics.Counter
	cutOff     *metrics.Counter
	delayed    *metrics.Counter

	counted, countFailed *metrics.Counter // bodies whose samples were counted, or could not be
}

func newMeters(t *Table) *meters {
	set := metrics.NewSet()
	m := &meters{
		set:        set,
		requests:   map[Kind]*[6]*metrics.Counter{},
		refusals:   map[Reason]*metrics.Counter{},
		flaws:      map[flaw]*metrics.Counter{},
		retries:    set.NewCounter("gatehouse_access_backend_retries_total"),
		setAside:   set.NewCounter("gatehouse_access_backend_failures_total"),
		brokenOff:  set.NewCounter("gatehouse_access_answers_broken_off_total"),
		clientGone: set.NewCounter("gatehouse_access_clients_gone_total"),
		cutOff:     set.NewCounter("gatehouse_access_requests_cut_off_total"),
		delayed:    set.NewCounter("gatehouse_access_refusals_delayed_total"),

		counted:     set.NewCounter(`gatehouse_access_bodies_counted_total{result="ok"}`),
		countFailed: set.NewCounter(`gatehouse_access_bodies_counted_total{result="failed"}`),
	}
	for _, kind := range kinds {
		m.requests[kind] = &[6]*metrics.Counter{}
		for class := 1; class <= 5; class++ {
			m.requests[kind][class] = set.NewCounter(fmt.Sprintf(`gatehouse_access_requests_total{kind=%q,status="%dxx"}`, kind, class))
		}
	}
	for class := 1; class <= 5; class++ {
		m.read[class] = set.NewCounter(fmt.Sprintf(`gatehouse_explore_requests_total{status="%dxx"}`, class))
		m.evaluated[class] = set.NewCounter(fmt.Sprintf(`gatehouse_rules_requests_total{status="%dxx"}`, class))
	}
	for reason := range responses {
		m.refusals[reason] = set.NewCounter(fmt.Sprintf(`gatehouse_access_refusals_total{reason=%q}`, reason))
	}
	for _, f := range []flaw{malformed, apiKey, revoked, unheard} {
		m.flaws[f] = set.NewCounter(fmt.Sprintf(`gatehouse_access_bad_credentials_total{flaw=%q}`, f))
	}
	set.NewGauge("gatehouse_access_tokens", func() float64 { return float64(t.Len()) })
	return m
}

// answered counts a request that was let in and got an answer.
func (m *meters) answered(a admission, status int) {
	class := status / 100
	switch {
	case class < 1 || class > 5:
	case a.grant.isToken():
		m.requests[a.route.Kind][class].Inc()
	case a.grant.isEvaluator():
		m.evaluated[class].Inc()
	default:
		m.read[class].Inc()
	}
}

// quiet thins out a log that strangers could flood.
type quiet struct {
	mu     sync.Mutex
	window time.Time
	lines  int
	hidden int
}

const (
	quietWindow = 10 * time.Second
	quietLines  = 20
)

// next reports whether a line may be logged now, and how many were not since the last one.
func (q *quiet) next() (hidden int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.window) > quietWindow {
		q.window, q.lines = now, 0
	}
	if q.lines++; q.lines > quietLines {
		q.hidden++
		return 0, false
	}
	hidden, q.hidden = q.hidden, 0
	return hidden, true
}
