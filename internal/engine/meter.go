package engine

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	readEvery = 10 * time.Second
	// rateWindow is what rates are taken over. Cloud consoles do the same; shorter ones jump with every scrape of a vmagent.
	rateWindow = time.Minute
	// mostMetricsRead is far more than a metrics page has.
	mostMetricsRead = 8 << 20
)

// meter follows the metrics of the programs of one deployment. Like the reporter, it outlives the workers.
type meter struct {
	mu        sync.Mutex
	storageGB uint64            // what the deployment may use; 0 is no limit
	programs  map[string]*track // by URL, or by name of one that Gatehouse runs
	at        time.Time

	// What was counted since began, through restarts of the programs. Unknown until a program has told.
	began          time.Time
	ingested, read gatehouse.Figure
}

func newMeter() *meter { return &meter{programs: map[string]*track{}, began: time.Now()} }

// setLimit notes the storage limit, which needs no restart.
func (m *meter) setLimit(storageGB uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.storageGB = storageGB
}

// add notes what a program's metrics say.
func (m *meter) add(program string, r reading) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.programs[program]
	if t == nil {
		t = &track{}
		m.programs[program] = t
	}
	m.count(&m.ingested, t, r, func(r reading) gatehouse.Figure { return r.inserted })
	m.count(&m.read, t, r, func(r reading) gatehouse.Figure { return r.read })
	t.add(r)
	m.at = r.at
}

// count adds to a counter what a program has counted since its last reading. Of the first one, only what a program that is younger
// than the meter has counted is new.
func (m *meter) count(sum *gatehouse.Figure, t *track, r reading, of func(reading) gatehouse.Figure) {
	now := of(r)
	if !now.Known {
		return
	}
	fresh := now.Value
	if n := len(t.recent); n > 0 && t.recent[n-1].started == r.started {
		fresh -= of(t.recent[n-1]).Value
	} else if n == 0 && r.startedAt().Before(m.began.Truncate(time.Second)) {
		fresh = 0
	}
	add(sum, max(0, fresh))
}

// counters gives what was counted since the meter was made.
func (m *meter) counters() (ingested, read gatehouse.Figure) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ingested, m.read
}

// forget drops programs that do not belong to the deployment any more.
func (m *meter) forget(except []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.programs, func(program string, _ *track) bool { return !slices.Contains(except, program) })
}

// figures adds up what the programs say.
func (m *meter) figures() gatehouse.Figures {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := gatehouse.Figures{At: m.at}
	for _, t := range m.programs {
		t.addTo(&f)
	}
	return f
}

// storage gives used bytes, and the limit in GB or 0.
func (m *meter) storage() (used gatehouse.Figure, limitGB uint64) {
	f := m.figures()
	m.mu.Lock()
	defer m.mu.Unlock()
	return f.DiskBytes, m.storageGB
}

// follow reads the metrics of one program until ctx is done. A page that cannot be read leaves the figures as they were, and their
// time tells.
func (m *meter) follow(ctx context.Context, client *http.Client, program, page string) {
	// The second reading comes early, so that there are rates soon.
	for wait := 2 * time.Second; ctx.Err() == nil; wait = readEvery {
		if status, body, err := get(ctx, client, page, askTimeout, mostMetricsRead); err == nil && status == http.StatusOK {
			m.add(program, parseMetrics(body, time.Now()))
		}
		sleep(ctx, wait)
	}
}

// Figures gives what the metrics of a deployment's VictoriaMetrics say, read in the last seconds. Figures that are not known are
// marked so: at first all, and of a connected cluster those of vmstorage, whose URL Gatehouse does not know.
func (s *Supervisor) Figures(deploymentID string) (gatehouse.Figures, error) {
	s.mu.Lock()
	w := s.workers[deploymentID]
	s.mu.Unlock()
	if w == nil || w.spec == specGone {
		return gatehouse.Figures{}, gatehouse.Errorf(gatehouse.NotFound, "there is no deployment with this ID here; list the deployments to see what there is")
	}
	return w.meter.figures(), nil
}

// track is what one program has said over time.
type track struct {
	recent []reading // of the last rateWindow, oldest first
	hours  []hour    // new series by hour, oldest first
}

type hour struct {
	began time.Time
	fresh float64
}

func (t *track) add(r reading) {
	if n := len(t.recent); n > 0 {
		last := t.recent[n-1]
		if r.started != last.started {
			t.recent = nil // counters begin at 0 again
			t.count(r.at, r.newSeries)
		} else {
			t.count(r.at, r.newSeries-last.newSeries)
		}
	} else if r.at.Sub(r.startedAt()) <= 24*time.Hour {
		t.count(r.at, r.newSeries)
	}
	t.recent = append(t.recent, r)
	// One reading from before the window stays, so that rates are over all of it.
	for len(t.recent) > 2 && r.at.Sub(t.recent[1].at) >= rateWindow {
		t.recent = t.recent[1:]
	}
}

// count adds new series to the hour.
func (t *track) count(at time.Time, fresh float64) {
	began := at.Truncate(time.Hour)
	if n := len(t.hours); n == 0 || !t.hours[n-1].began.Equal(began) {
		t.hours = append(t.hours, hour{began: began})
	}
	t.hours[len(t.hours)-1].fresh += max(0, fresh)
	for at.Sub(t.hours[0].began) > 24*time.Hour {
		t.hours = t.hours[1:]
	}
}

// addTo adds the program's figures to those of the whole deployment.
func (t *track) addTo(f *gatehouse.Figures) {
	last := t.recent[len(t.recent)-1]
	if last.disk.Known {
		add(&f.DiskBytes, last.disk.Value)
		add(&f.FreeDiskBytes, last.free)
		add(&f.ActiveSeries, last.active)
		fresh := last.dailySeries.Value
		if !last.dailySeries.Known {
			for _, h := range t.hours {
				fresh += h.fresh
			}
		}
		add(&f.SeriesOver24h, fresh)
	}
	first := t.recent[0]
	seconds := last.at.Sub(first.at).Seconds()
	if seconds <= 0 {
		return
	}
	if last.inserted.Known {
		add(&f.IngestionRate, max(0, last.inserted.Value-first.inserted.Value)/seconds)
	}
	if last.read.Known {
		add(&f.DatapointsReadRate, max(0, last.read.Value-first.read.Value)/seconds)
	}
	if n, ok := quantile(first.seriesPerQuery, last.seriesPerQuery, 0.99); ok {
		f.SeriesPerQuery = gatehouse.Figure{Value: max(n, f.SeriesPerQuery.Value), Known: true} // the worst of several vmselects
	}
}

func add(f *gatehouse.Figure, value float64) {
	*f = gatehouse.Figure{Value: f.Value + value, Known: true}
}
