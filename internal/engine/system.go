package engine

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	// SystemRetentionDays is how long the System keeps what it is sent.
	SystemRetentionDays = 30

	systemID          = "system"
	systemMemoryBytes = 100_000_000 // for caches; 10,000 tokens in use are some 80,000 series
	lookForProgram    = 10 * time.Second
)

// System runs a small VictoriaMetrics of Gatehouse's own, for the history of its metrics. It is no deployment: the store does not know
// it, and no token leads to it. Its files lie in DataDir/system/, as those of a deployment do in its folder.
type System struct {
	supervisor *Supervisor
	cancel     context.CancelCauseFunc
	done       chan struct{}

	mu       sync.Mutex
	state    gatehouse.State
	endpoint *Endpoint
}

// NewSystem makes one that does not run yet. Of the configuration it takes Dir, DataDir and Log.
func NewSystem(cfg Config) (*System, error) {
	supervisor, err := New(Config{Dir: cfg.Dir, DataDir: cfg.DataDir, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	return &System{supervisor: supervisor, done: make(chan struct{})}, nil
}

// Start keeps it running until Stop, which must be called.
func (y *System) Start() {
	var ctx context.Context
	ctx, y.cancel = context.WithCancelCause(context.Background())
	go func() {
		defer close(y.done)
		y.run(ctx)
	}()
}

// Stop ends it and waits until it has written everything to disk. When ctx is done, it is killed after a few seconds.
func (y *System) Stop(ctx context.Context) {
	y.cancel(errStopping)
	defer context.AfterFunc(ctx, y.supervisor.kill)()
	<-y.done
}

// Endpoint is where it answers, or a *gatehouse.Error that says why it does not.
func (y *System) Endpoint() (Endpoint, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	switch {
	case y.endpoint != nil:
		return *y.endpoint, nil
	case y.state.Status == gatehouse.Failed:
		return Endpoint{}, gatehouse.Errorf(gatehouse.Unavailable, "the VictoriaMetrics that keeps the history does not run: %s", y.state.Detail)
	case y.state.Status == gatehouse.Stopped:
		return Endpoint{}, gatehouse.Errorf(gatehouse.Unavailable, "Gatehouse stops; look again when it runs")
	}
	return Endpoint{}, gatehouse.Errorf(gatehouse.Unavailable, "the VictoriaMetrics that keeps the history is starting; look again in a moment")
}

func (y *System) note(_ string, state gatehouse.State, endpoint *Endpoint) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.state, y.endpoint = state, endpoint
}

func (y *System) run(ctx context.Context) {
	states := &reporter{what: "history", id: systemID, log: y.supervisor.cfg.Log, tell: y.note}
	for y.supervisor.find(programNames) == "" { // said once, and not with each try to start it
		states.report(ctx, gatehouse.Failed, "there is no victoria-metrics program in "+y.supervisor.where()+"; put one there", "", nil)
		if sleep(ctx, lookForProgram); ctx.Err() != nil {
			return
		}
	}
	dir := filepath.Join(y.supervisor.cfg.DataDir, systemID)
	(&managed{
		Supervisor: y.supervisor, d: gatehouse.Deployment{ID: systemID}, states: states, meter: newMeter(), rules: newEvaluation(), dir: dir,
		flags: func(p gatehouse.Program, at ports) ([]string, error) { return systemFlags(dir, p, at), nil },
	}).run(ctx)
}

// systemFlags keep it small. Only Gatehouse asks it, and each question is short.
func systemFlags(dir string, p gatehouse.Program, at ports) []string {
	return append(baseFlags(dir, p, at),
		"-retentionPeriod="+strconv.Itoa(SystemRetentionDays)+"d",
		"-memory.allowedBytes="+strconv.Itoa(systemMemoryBytes),
		"-search.latencyOffset=1s", // as in settingFlags
		"-search.maxConcurrentRequests=4",
		"-search.maxQueryDuration=10s",
	)
}
