package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	firstWait   = 500 * time.Millisecond // before the first restart; it doubles with each failure
	mostWait    = 30 * time.Second
	steadyAfter = time.Minute // a program that ran this long starts over at firstWait

	manyFailures = 3 // in a row are said to be so many

	storageWarnPercent = 90
)

// managed keeps the programs of one deployment running: one of a single node, three of a cluster.
type managed struct {
	*Supervisor
	d      gatehouse.Deployment
	states *reporter
	meter  *meter
	rules  *evaluation
	dir    string
	// started is the note that there is data in dir; empty: it does not matter when that is lost.
	started string
	flags   func(gatehouse.Program, ports) ([]string, error)

	board board
	book  portBook
	// lifeline is that of the program that keeps the data, in a cluster: the others hold on to it, so it outlives a restart.
	lifeline *lifeline
	// password is what all programs of a cluster demand until the worker ends; a single node has another one for each start.
	password string
}

// run keeps the programs running until ctx is done; then they have ended.
func (m *managed) run(ctx context.Context) {
	m.states.report(ctx, gatehouse.Provisioning, "", "", nil)
	m.board.tell = func(s standing) { m.states.report(ctx, s.status, s.detail, s.version, s.endpoint) }
	m.board.programs = m.d.Type.Programs()
	var unlock func()
	m.persist(ctx, m.board.programs[0], func(ctx context.Context) (err error) {
		unlock, err = m.claim(ctx)
		return err
	})
	if unlock != nil {
		m.keepAll(ctx)
		unlock()
	}
	if errors.Is(context.Cause(ctx), errStopping) {
		m.states.report(ctx, gatehouse.Stopped, "Gatehouse has stopped it; it starts again with Gatehouse", "", nil)
	}
}

// persist calls try until it succeeds or ctx is done, with growing pauses. It goes on for ever, as what is in the way (a full disk, a
// missing program) goes away without telling us.
func (m *managed) persist(ctx context.Context, program gatehouse.Program, try func(context.Context) error) {
	wait, failures := firstWait, 0
	for ctx.Err() == nil {
		began := time.Now()
		err := try(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(began) >= steadyAfter {
			wait, failures = firstWait, 0
		}
		detail := gatehouse.ErrorMessage(err)
		if failures++; failures >= manyFailures {
			detail += fmt.Sprintf("; that was failure %d in a row, and Gatehouse goes on trying", failures)
		}
		m.board.note(program, standing{status: gatehouse.Failed, detail: detail})
		sleep(ctx, wait)
		wait = min(2*wait, mostWait)
	}
}

// claim makes the deployment's folder ours, with its data and without programs that a killed Gatehouse has left behind.
func (m *managed) claim(ctx context.Context) (unlock func(), err error) {
	if err := m.CanRun(m.d.Type); err != nil {
		return nil, err
	}
	lead := m.board.programs[0]
	cannot := func(err error) error {
		path, _ := m.findProgram(lead)
		return explain(string(lead)+" cannot start", err.Error(), programFiles(m.dir, lead), path)
	}
	if err := m.takeBack(m.d.ID); err != nil {
		return nil, cannot(err)
	}
	if err := m.requireData(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return nil, cannot(err)
	}
	unlock, err = lockFolder(m.dir)
	if err != nil {
		return nil, cannot(err)
	}
	if err := endLeftover(ctx, m.dir, m.cfg.Log); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// keepAll keeps the programs running until ctx is done. Those without data start when the one that keeps it serves, and neither waits for
// the other: a vmselect that cannot start must not stop writes. They end in the opposite order: vminsert has samples that it has
// accepted, and vmstorage must be there to take them.
func (m *managed) keepAll(ctx context.Context) {
	if len(m.board.programs) > 1 {
		m.password = rand.Text()
		line, err := newLifeline()
		if err != nil {
			m.cfg.Log.Error("the programs of a cluster may end in the wrong order if Gatehouse is killed", "deployment", m.d.ID, "error", err)
		} else {
			line.lasting = true
			m.lifeline = line
			defer line.free()
		}
	}
	lasting := context.WithoutCancel(ctx)
	running := []*keeper{m.keep(lasting, m.board.programs[0])}
	if running[0].serves(ctx) {
		for _, program := range m.board.programs[1:] {
			running = append(running, m.keep(lasting, program))
		}
	}
	stop := func() {}
	for _, k := range running {
		// vmalert learns from its first queries which alerts were pending.
		if k.program == gatehouse.SelectProgram && k.serves(ctx) {
			stop = m.evaluateThroughRelay(ctx)
		}
	}
	<-ctx.Done()
	wake(m.dir)
	stop()
	for _, k := range slices.Backward(running) {
		k.end(context.Cause(ctx))
	}
}

// serving is the standing of a program that answers. When its disk is full, the one that keeps the data has failed in what matters
// most, and still has an endpoint: queries work.
func (m *managed) serving(p *process) standing {
	s := standing{status: gatehouse.Running, version: p.version, endpoint: &p.endpoint}
	if p.name != m.board.programs[0] {
		return s
	}
	if full := fullDisk(p); full != "" {
		s.status, s.detail = gatehouse.Failed, full
	} else {
		s.detail = m.storageWarning()
	}
	return s
}

// fullDisk explains why a running engine refuses samples, or is "".
func fullDisk(p *process) string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(p.dir, &fs); err != nil || uint64(fs.Bavail)*uint64(fs.Bsize) >= minFreeDiskBytes {
		return ""
	}
	return fmt.Sprintf("%s takes no new samples, as the disk of %s has less than %d MB free; free some space. Queries still work", p.name, p.dir, minFreeDiskBytes/1_000_000)
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
