package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	probeStarting = 100 * time.Millisecond
	probeRunning  = 500 * time.Millisecond
	// An engine under heavy load may take seconds to answer, and must not be given up for that; people should know of a hung one
	// within five seconds.
	hungAfter    = 4 * time.Second
	probeTimeout = hungAfter - probeRunning
	slowStart    = 30 * time.Second

	// endPatience is how long a program may take to write to disk when its deployment was changed or deleted. On Stop the
	// caller's deadline counts instead, if that is earlier.
	endPatience = 5 * time.Minute
	// lastPatience is for those whose turn to end comes after that deadline: another program may have used it up.
	lastPatience = 5 * time.Second
)

// keeper keeps one program of a deployment running.
type keeper struct {
	*managed
	program gatehouse.Program
	cancel  context.CancelCauseFunc
	served  chan struct{} // closed when it serves for the first time
	done    chan struct{} // closed when it has ended for good
}

// keep starts the program again and again until the keeper is told to end.
func (m *managed) keep(ctx context.Context, program gatehouse.Program) *keeper {
	k := &keeper{managed: m, program: program, served: make(chan struct{}), done: make(chan struct{})}
	ctx, k.cancel = context.WithCancelCause(ctx)
	go func() {
		defer close(k.done)
		k.persist(ctx, program, k.serve)
	}()
	return k
}

// serves waits until the program serves, and reports false when ctx is done before.
func (k *keeper) serves(ctx context.Context) bool {
	select {
	case <-k.served:
		return true
	case <-ctx.Done():
		return false
	}
}

// end ends the program, and waits until it has.
func (k *keeper) end(why error) {
	k.cancel(why)
	<-k.done
}

// serve starts the program and watches it until it has ended, for whatever reason. The error is for the user's eyes.
func (k *keeper) serve(ctx context.Context) error {
	path, err := k.findProgram(k.program)
	if err != nil {
		return err
	}
	if err := k.requireData(); err != nil {
		return err // its disk is gone since the programs ran before
	}
	p, err := k.start(ctx, path)
	if err != nil {
		return explain(string(k.program)+" cannot start", err.Error(), programFiles(k.dir, k.program), path)
	}
	defer k.finish(ctx, p)
	return k.watch(ctx, p)
}

// start runs the program on a free loopback port.
func (k *keeper) start(ctx context.Context, path string) (*process, error) {
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	at, err := k.book.pick(k.program)
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	flags, err := k.flags(k.program, at)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, flags...)
	cmd.Env = engineEnv()
	p := &process{
		dir: k.dir, name: k.program, files: programFiles(k.dir, k.program), program: path, port: at.http, at: at, password: k.password,
		version: programVersion(ctx, path),
	}
	if k.leads() {
		p.lifeline = k.lifeline
	} else {
		k.lifeline.holdOn(cmd)
	}
	return p, p.start(cmd)
}

// leads reports whether the program is the one that keeps the data.
func (k *keeper) leads() bool { return k.program == k.board.programs[0] }

// watch reports how the program is doing until it has ended or ctx is done.
func (k *keeper) watch(ctx context.Context, p *process) error {
	var (
		every    = probeStarting
		ready    = false
		lastGood = time.Now()
		began    = lastGood
	)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return p.whyEnded(ready)
		case <-time.After(every):
		}
		p.capLog(k.cfg.Log)
		if !k.leads() && k.book.moved(p.at) {
			return gatehouse.Errorf(gatehouse.Unavailable, "%s starts anew, as another program took the port of vmstorage", p.name)
		}
		err := probe(ctx, k.http, p.endpoint.URL, probeTimeout)
		if err == nil && !ready {
			// Until here another program could be the one that answers: our own may have found its port taken.
			if !listens(p.pid, p.port) {
				continue
			}
			ready, every = true, probeRunning
			k.noteStarted()
			defer k.attend(ctx, p)()
		}
		switch {
		case err == nil:
			lastGood, p.served = time.Now(), true
			k.board.note(k.program, k.serving(p))
		case !ready && time.Since(began) >= slowStart:
			k.board.note(k.program, standing{status: gatehouse.Provisioning, version: p.version,
				detail: fmt.Sprintf("%s is still opening its data; %s shows how far it is", p.name, p.files.log())})
		case ready && time.Since(lastGood) >= hungAfter:
			k.board.note(k.program, standing{status: gatehouse.Failed, version: p.version, detail: fmt.Sprintf(
				"%s (process %d) runs but does not answer; look for overload, a slow disk or lack of memory. "+
					"Gatehouse leaves it running, and uses it as soon as it answers again", p.name, p.pid)})
		}
	}
}

// attend does what goes with a program that serves, until stop is called: its metrics are followed, and the rules of a single node are
// evaluated.
func (k *keeper) attend(ctx context.Context, p *process) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	client, page := k.clientOf(&p.endpoint), p.endpoint.URL+"/metrics"
	// VictoriaMetrics reads its password file for the first request, and refuses another one in that moment.
	_, _, _ = get(ctx, client, page, askTimeout, mostMetricsRead)
	go k.meter.follow(ctx, client, string(k.program), page)
	stopRules := func() {}
	if k.program == gatehouse.SingleProgram {
		stopRules = k.evaluate(ctx, p)
	}
	select {
	case <-k.served:
	default:
		close(k.served)
	}
	return func() {
		stopRules()
		cancel()
	}
}

// finish asks the program to end, waits until it has written its data, and kills it only when patience or Stop's deadline has run out.
func (k *keeper) finish(ctx context.Context, p *process) {
	if !p.hasEnded() {
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, errReplaced):
			k.board.note(k.program, standing{status: gatehouse.Provisioning})
		case errors.Is(cause, errStopped):
			k.board.note(k.program, standing{status: gatehouse.Stopped, detail: string(p.name) + " writes its data to disk and ends", version: p.version})
		}
		p.ask()
		select {
		case <-p.ended:
		case <-k.killing.Done():
			p.waitEnd(lastPatience)
		case <-time.After(endPatience):
		}
	}
	if !p.hasEnded() {
		k.cfg.Log.Error("killing "+string(p.name)+", which does not end in time; what it received in its last seconds is lost", "deployment", k.d.ID, "process", p.pid)
		p.kill()
	}
	p.tidy()
}
