package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	firstWait   = 500 * time.Millisecond // before the first restart; it doubles with each failure
	mostWait    = 30 * time.Second
	steadyAfter = time.Minute // an engine that ran this long starts over at firstWait

	manyFailures = 3 // in a row are said to be so many

	storageWarnPercent = 90

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
	meter  *meter
	rules  *evaluation
	dir    string
}

// run starts the engine again and again until ctx is done; then it has ended. An engine that cannot start is tried for ever, as
// what is in its way (a full disk, a missing program) goes away without telling us.
func (m *managed) run(ctx context.Context) {
	m.states.report(ctx, gatehouse.Provisioning, "", "", nil)
	wait, failures := firstWait, 0
	for ctx.Err() == nil {
		began := time.Now()
		err := m.serve(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) >= steadyAfter {
			wait, failures = firstWait, 0
		}
		detail := gatehouse.ErrorMessage(err)
		if failures++; failures >= manyFailures {
			detail += fmt.Sprintf("; that was failure %d in a row, and Gatehouse goes on trying", failures)
		}
		m.states.report(ctx, gatehouse.Failed, detail, "", nil)
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
	if err := m.takeBack(m.d.ID); err != nil {
		return explain("VictoriaMetrics cannot start", err.Error(), m.dir, program)
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
			stop := m.measure(ctx, p)
			defer stop()
			defer m.evaluate(ctx, p)()
		}
		switch {
		case err == nil:
			lastGood, p.served = time.Now(), true
			m.reportServing(ctx, p)
		case !ready && time.Since(began) >= slowStart:
			m.states.report(ctx, gatehouse.Provisioning, "VictoriaMetrics is still opening its data; "+logPath(m.dir)+" shows how far it is", p.version, nil)
		case ready && time.Since(lastGood) >= hungAfter:
			m.states.report(ctx, gatehouse.Failed, fmt.Sprintf("VictoriaMetrics (process %d) runs but does not answer; look for overload, a slow disk or lack of memory. "+
				"Gatehouse leaves it running, and uses it as soon as it answers again", p.pid), p.version, nil)
		}
	}
}

// measure follows the engine's metrics until stop is called.
func (m *managed) measure(ctx context.Context, p *process) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	go m.meter.follow(ctx, m.clientOf(&p.endpoint), "", p.endpoint.URL+"/metrics")
	return stop
}

// reportServing tells of an engine that answers. When its disk is full it has failed in what matters most, and still has an endpoint:
// queries work.
func (m *managed) reportServing(ctx context.Context, p *process) {
	status, detail := gatehouse.Running, m.storageWarning()
	if full := fullDisk(m.dir); full != "" {
		status, detail = gatehouse.Failed, full
	}
	m.states.report(ctx, status, detail, p.version, &p.endpoint)
}

// fullDisk explains why a running engine refuses samples, or is "".
func fullDisk(dir string) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) >= minFreeDiskBytes {
		return ""
	}
	return fmt.Sprintf("VictoriaMetrics takes no new samples, as the disk of %s has less than %d MB free; free some space. Queries still work", dir, minFreeDiskBytes/1_000_000)
}

// storageWarning is said from 90 % of the storage limit on. The engine itself knows no such limit, so writes go on beyond it, until
// the disk is full: losing samples of one deployment would be worse than its taking more of the disk than it was given.
func (m *managed) storageWarning() string {
	used, limitGB := m.meter.storage()
	if limitGB == 0 || !used.Known {
		return ""
	}
	percent := int(used.Value / float64(limitGB<<30) * 100)
	if percent < storageWarnPercent {
		return ""
	}
	return fmt.Sprintf("it uses %d %% of its storage of %d GB; raise the storage, or shorten the retention. Gatehouse does not stop writes at the limit", percent, limitGB)
}
