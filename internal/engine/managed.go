package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	firstWait   = 500 * time.Millisecond // before the first restart; it doubles with each failure
	mostWait    = 30 * time.Second
	steadyAfter = time.Minute // an engine that ran this long starts over at firstWait

	probeStarting = 100 * time.Millisecond
	probeRunning  = 500 * time.Millisecond
	// An engine under heavy load may take seconds to answer, and must not be given up for that; people should know of a hung one
	// within five seconds.
	hungAfter    = 4 * time.Second
	probeTimeout = hungAfter - probeRunning
	slowStart    = 30 * time.Second

	// endPatience is how long an engine may take to write to disk when its deployment was changed or deleted. On Stop the
	// caller's deadline counts instead, if that is earlier.
	endPatience = 5 * time.Minute
)

// managed keeps the engine of one deployment running.
type managed struct {
	*Supervisor
	d      gatehouse.Deployment
	states *reporter
	dir    string
}

// run starts the engine again and again until ctx is done; then it has ended. An engine that cannot start is tried for ever, as
// what is in its way (a full disk, a missing program) goes away without telling us.
func (m *managed) run(ctx context.Context) {
	m.states.report(ctx, gatehouse.Provisioning, "", "", nil)
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := m.serve(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) >= steadyAfter {
			wait = firstWait
		}
		m.states.report(ctx, gatehouse.Failed, gatehouse.ErrorMessage(err), "", nil)
		sleep(ctx, wait)
		wait = min(2*wait, mostWait)
	}
	if errors.Is(context.Cause(ctx), errStopping) {
		m.states.report(ctx, gatehouse.Stopped, "Gatehouse has stopped it; it starts again with Gatehouse", "", nil)
	}
}

// serve starts the engine and watches it until it has ended, for whatever reason. The error is for the user's eyes.
func (m *managed) serve(ctx context.Context) error {
	program, err := m.findProgram()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return explain("VictoriaMetrics cannot start", err.Error(), m.dir, program)
	}
	unlock, err := lockFolder(m.dir)
	if err != nil {
		return explain("VictoriaMetrics cannot start", err.Error(), m.dir, program)
	}
	defer unlock()
	if err := endLeftover(ctx, m.dir, m.cfg.Log); err != nil {
		return err
	}
	p, err := m.start(ctx, program)
	if err != nil {
		return explain("VictoriaMetrics cannot start", err.Error(), m.dir, program)
	}
	defer m.end(ctx, p)
	return m.watch(ctx, p)
}

// watch reports how the engine is doing until it has ended or ctx is done.
func (m *managed) watch(ctx context.Context, p *process) error {
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
		p.capLog(m.cfg.Log)
		err := probe(ctx, m.http, p.endpoint.URL, probeTimeout)
		if err == nil && !ready {
			// Until here another program could be the one that answers: our engine may have found its port taken.
			if !listens(p.pid, p.port) {
				continue
			}
			ready, every = true, probeRunning
		}
		switch {
		case err == nil:
			lastGood, p.served = time.Now(), true
			m.states.report(ctx, gatehouse.Running, diskWarning(m.dir), p.version, &p.endpoint)
		case !ready && time.Since(began) >= slowStart:
			m.states.report(ctx, gatehouse.Provisioning, "VictoriaMetrics is still opening its data; "+logPath(m.dir)+" shows how far it is", p.version, nil)
		case ready && time.Since(lastGood) >= hungAfter:
			m.states.report(ctx, gatehouse.Failed, fmt.Sprintf("VictoriaMetrics (process %d) runs but does not answer; look for overload, a slow disk or lack of memory. "+
				"Gatehouse leaves it running, and uses it as soon as it answers again", p.pid), p.version, nil)
		}
	}
}

// diskWarning explains why a running engine refuses samples, or is "".
func diskWarning(dir string) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) >= minFreeDiskBytes {
		return ""
	}
	return fmt.Sprintf("VictoriaMetrics takes no new samples, as the disk of %s has less than %d MB free; free some space. Queries still work", dir, minFreeDiskBytes/1_000_000)
}

// discard moves the folder of a deleted deployment to the trash, where an operator may still take the data back.
func (s *Supervisor) discard(ctx context.Context, id string) {
	dir := s.folder(id)
	if _, err := os.Stat(dir); err != nil {
		return // connected, or never started
	}
	unlock, err := lockFolder(dir)
	if err != nil {
		s.cfg.Log.Info("the data of a deleted deployment stays where it is", "deployment", id, "reason", err)
		return
	}
	defer unlock()
	if err := endLeftover(ctx, dir, s.cfg.Log); err != nil {
		s.cfg.Log.Error("the data of a deleted deployment stays where it is", "deployment", id, "error", err)
		return
	}
	trash := filepath.Join(s.cfg.DataDir, "trash")
	target := filepath.Join(trash, id+"-"+time.Now().UTC().Format("20060102T150405Z"))
	if err = os.MkdirAll(trash, 0o700); err == nil {
		err = os.Rename(dir, target)
	}
	if err != nil {
		s.cfg.Log.Error("the data of a deleted deployment stays where it is", "deployment", id, "error", err)
		return
	}
	s.cfg.Log.Info("moved the data of a deleted deployment to the trash; delete it there to free the space", "deployment", id, "folder", target)
}
