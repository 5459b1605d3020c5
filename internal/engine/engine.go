// Package engine runs VictoriaMetrics for managed deployments and watches how all deployments are doing. Each deployment has one
// worker, which starts and restarts its programs, or asks after a connected one. All that the package keeps on disk
// lies in one folder per deployment: the data, the log, and the files that let the next start find an engine left behind.
package engine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"gatehouse/internal/gatehouse"
)

// Config is what a Supervisor needs to know.
type Config struct {
	// Dir holds the programs: victoria-metrics, those of clusters (vmstorage, vminsert, vmselect) and vmalert. Empty: beside the running executable, then in PATH.
	Dir string
	// DataDir is Gatehouse's data directory. A managed deployment's files live in DataDir/deployments/<id>/, and in DataDir/trash/ once
	// it is deleted. A connected one with rules has files in DataDir/connected/<id>/, which are deleted with it.
	DataDir string
	// Log takes one line for each transition. Nil: nothing is logged.
	Log *slog.Logger
	// OnState is told every change of status, detail or version. Calls for one deployment come one after another; no lock is held
	// during a call, and the deployment's supervision waits for it. endpoint is set exactly while a managed deployment serves, or a
	// part of a cluster does; it is nil for connected ones, whose URLs the deployment itself holds. Nil: nobody is told.
	OnState func(deploymentID string, s gatehouse.State, endpoint *Endpoint)
	// Rules reads the rules of a deployment, which vmalert evaluates. Nil: there are none.
	Rules func(ctx context.Context, deploymentID string) (gatehouse.RuleSet, error)
	// OnRules is told when the evaluation of a deployment's rules starts, fails or ends. Nil: nobody is told.
	OnRules func(deploymentID string)
	// Data serves the data of a deployment to its rules, without a credential. Nil: only those are evaluated whose data one managed engine
	// has.
	Data func(deploymentID string) http.Handler
	// ConsoleURL is where alerts lead to, without a slash at the end.
	ConsoleURL string
}

// Endpoint is where a managed deployment answers, and the credential that it demands. It is another one after each restart.
type Endpoint struct {
	URL        string // of a single node
	InsertURL  string // of a cluster's vminsert; empty while it does not serve
	SelectURL  string // of its vmselect; the same
	StorageURL string // of its vmstorage, which tells how it is doing; the same
	Username   string
	Password   string
}

// String leaves the password out, so that an Endpoint may be logged.
func (e Endpoint) String() string {
	return strings.Join(strings.Fields(e.URL+" "+e.StorageURL+" "+e.InsertURL+" "+e.SelectURL), " ")
}

func (e *Endpoint) equal(other *Endpoint) bool {
	return e == other || e != nil && other != nil && *e == *other
}

func (e Endpoint) authorization() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(e.Username+":"+e.Password))
}

// GoString does the same for %#v.
func (e Endpoint) GoString() string { return e.String() }

// Supervisor runs and watches the deployments that Apply tells it of. All methods may be called from any goroutine.
type Supervisor struct {
	cfg  Config
	http *http.Client

	// killing is done once Stop has run out of time: engines that have not ended soon afterwards are killed.
	killing context.Context
	kill    context.CancelFunc

	relay *relay

	mu      sync.Mutex
	stopped bool
	workers map[string]*worker // by deployment ID
}

// worker supervises one deployment in its own goroutine.
type worker struct {
	spec   string // what it was started for; another spec needs another worker
	cancel context.CancelCauseFunc
	done   chan struct{}
	states *reporter
	meter  *meter
	rules  *evaluation
	name   string // of the deployment
}

// Why a worker ends. What it still has to report depends on it.
var (
	errStopping = errors.New("gatehouse stops")
	errReplaced = errors.New("the deployment has changed")
	errStopped  = errors.New("the deployment is stopped")
	errGone     = errors.New("the deployment is deleted")
)

const specGone = "gone"

// New makes a Supervisor that has nothing to do until Apply is called.
func New(cfg Config) (*Supervisor, error) {
	if cfg.DataDir == "" {
		return nil, errors.New("the engine supervisor needs a data directory")
	}
	// Engines run in a folder of their own, where a relative path would mean something else.
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("find the data directory: %w", err)
	}
	cfg.DataDir = dir
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OnState == nil {
		cfg.OnState = func(string, gatehouse.State, *Endpoint) {}
	}
	if cfg.Rules == nil {
		cfg.Rules = func(context.Context, string) (gatehouse.RuleSet, error) { return gatehouse.RuleSet{}, nil }
	}
	if cfg.OnRules == nil {
		cfg.OnRules = func(string) {}
	}
	s := &Supervisor{cfg: cfg, http: newHealthClient(), relay: newRelay(cfg.Data, cfg.Log), workers: map[string]*worker{}}
	s.killing, s.kill = context.WithCancel(context.Background())
	return s, nil
}

// Available tells whether managed single nodes can run: nil, or a *gatehouse.Error that says where the program is missing.
func (s *Supervisor) Available() error { return s.CanRun(gatehouse.SingleNode) }

// Apply follows one change of the store: it sees to it that a created or changed deployment runs (managed) or is watched
// (connected), and that a deleted one is stopped and its folder moved to the trash. It returns at once and may be told the same
// thing twice. A running engine is restarted only when the change touches what it was started with. The data of a deployment that
// is there again is taken back from the trash. Deleting works for any ID:
// one that is not known here may still have a folder.
func (s *Supervisor) Apply(c gatehouse.Change) {
	switch {
	case c.Deployment != nil && c.Deployment.Managed && c.Deployment.StoppedBy != "":
		d := *c.Deployment
		s.replace(d.ID, stoppedSpec(d), errStopped, func(ctx context.Context, w *worker) { s.keepStopped(ctx, d, w.states) })
		s.noteSettings(d)
	case c.Deployment != nil && c.Deployment.Managed:
		d := *c.Deployment
		s.replace(d.ID, managedSpec(d), errReplaced, func(ctx context.Context, w *worker) {
			dir := s.folder(d.ID)
			flags := func(p gatehouse.Program, at ports) ([]string, error) { return programFlags(d, dir, p, at, s.memory()) }
			(&managed{
				Supervisor: s, d: d, states: w.states, meter: w.meter, rules: w.rules, dir: dir, started: s.startedNote(d.ID), flags: flags,
			}).run(ctx)
		})
		s.noteSettings(d)
		s.lookAtRules(d.ID)
	case c.Deployment != nil:
		d := *c.Deployment
		s.replace(d.ID, connectedSpec(d), errReplaced, func(ctx context.Context, w *worker) {
			(&connected{Supervisor: s, id: d.ID, http: clientFor(d.Upstream), parts: partsOf(d), states: w.states, meter: w.meter, rules: w.rules}).run(ctx)
		})
		s.noteSettings(d)
		s.lookAtRules(d.ID)
	case c.GoneDeployment != "":
		id := c.GoneDeployment
		s.replace(id, specGone, errGone, func(ctx context.Context, _ *worker) { s.discard(ctx, id) })
	}
}

// replace ends the deployment's worker, if it has one for another spec, and lets run follow when that has let go of its files.
func (s *Supervisor) replace(id, spec string, why error, run func(context.Context, *worker)) {
	if !namesFolder(id) {
		s.cfg.Log.Error("deployment ignored: its ID cannot name a folder", "deployment", id)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.workers[id]
	if s.stopped || (old != nil && old.spec == spec) {
		return
	}
	w := &worker{spec: spec, done: make(chan struct{})}
	if old != nil {
		old.cancel(why)
		w.states, w.meter, w.rules, w.name = old.states, old.meter, old.rules, old.name
		if old.spec == specGone {
			w.meter = newMeter() // a restored deployment counts from 0, as it does at the access endpoint
		}
	} else {
		w.states, w.meter, w.rules = &reporter{what: "deployment", id: id, log: s.cfg.Log, tell: s.cfg.OnState}, newMeter(), newEvaluation()
	}
	var ctx context.Context
	ctx, w.cancel = context.WithCancelCause(context.Background())
	s.workers[id] = w
	go func() {
		defer close(w.done)
		if old != nil {
			<-old.done
		}
		run(ctx, w)
	}()
}

// noteSettings passes on what may change while an engine runs.
func (s *Supervisor) noteSettings(d gatehouse.Deployment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.workers[d.ID]; w != nil {
		w.name = d.Name
		w.meter.setLimit(d.StorageGB)
	}
}

// Stop ends all engines in parallel and waits until they have written everything to disk. Those that have not when ctx is done,
// or a few seconds later, are killed, which loses what they were last sent. Managed deployments end as Stopped. Later calls of Apply do nothing.
func (s *Supervisor) Stop(ctx context.Context) {
	s.mu.Lock()
	s.stopped = true
	var workers []*worker
	for _, w := range s.workers {
		w.cancel(errStopping)
		workers = append(workers, w)
	}
	s.mu.Unlock()

	defer context.AfterFunc(ctx, s.kill)()
	for _, w := range workers {
		<-w.done
	}
	s.relay.close()
}

// folder is where the files of a deployment live.
func (s *Supervisor) folder(id string) string { return filepath.Join(s.cfg.DataDir, "deployments", id) }

// namesFolder guards against an ID that leads elsewhere. Ours are UUIDs; another one would come from a tampered database.
func namesFolder(id string) bool {
	return id != "" && id != "." && id != ".." && !strings.ContainsAny(id, "/:\x00") // a colon would end the user name at the relay
}

// connectedFolder is where those of a connected one live. They are no data that one might want back, so they never come near the trash.
func (s *Supervisor) connectedFolder(id string) string {
	return filepath.Join(s.cfg.DataDir, "connected", id)
}

// Folders gives the IDs of all deployments that have files.
func (s *Supervisor) Folders() ([]string, error) {
	managed, err := foldersIn(filepath.Join(s.cfg.DataDir, "deployments"))
	if err != nil {
		return nil, err
	}
	connected, err := foldersIn(filepath.Join(s.cfg.DataDir, "connected"))
	return append(managed, connected...), err
}

// foldersIn gives the IDs of the deployments whose folders lie in dir.
func foldersIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the files of deployments: %w", err)
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && namesFolder(e.Name()) {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}
