package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

// leftoverStep is a signal, and how long its effect is waited for.
type leftoverStep struct {
	signal   syscall.Signal
	patience time.Duration
}

// vmalertSteps are short: it has nothing to lose, and the engine waits for them.
var vmalertSteps = []leftoverStep{
	{syscall.SIGTERM, 3 * time.Second},
	{syscall.SIGKILL, 10 * time.Second},
}

// errOtherGatehouse is found in the text of an explained error.
var errOtherGatehouse = errors.New("another Gatehouse runs this deployment")

// lockFolder makes sure that only one Gatehouse at a time touches the folder of a deployment: a second one would take the first
// one's engine for left behind and end it. The kernel lets go of the lock when the process dies.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "engine.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errOtherGatehouse
		}
		return nil, err
	}
	return func() { f.Close() }, nil
}

// writePID notes a process, with its start time: process IDs are used again.
func (f files) writePID(pid int) error {
	return writeFresh(f.pid(), fmt.Sprintf("%d %s\n", pid, startTime(pid)))
}

func (f files) forgetPID() { os.Remove(f.pid()) }

// endLeftover ends the programs that a killed Gatehouse may have left behind. The caller holds the folder's lock. It returns early,
// with one still there, only when ctx is done or it cannot be killed.
func endLeftover(ctx context.Context, dir string, log *slog.Logger) error {
	wake(dir)
	f := vmalertFiles(dir)
	if err := f.endLeftover(ctx, "vmalert", f.passwordFlag(), vmalertSteps, log); err != nil {
		return err
	}
	for _, p := range slices.Backward(everyProgram) { // the order in which they end
		f := programFiles(dir, p)
		if err := f.endLeftover(ctx, string(p), f.passwordFlag(), leftoverSteps, log); err != nil {
			return err
		}
	}
	return nil
}

// everyProgram may have been left behind: nobody knows any more of which type the deployment was.
var everyProgram = slices.Concat(gatehouse.SingleNode.Programs(), gatehouse.Cluster.Programs())

// wake lets the programs of a deployment go on that somebody has suspended, before the first of them is told to end: a vminsert that
// ends waits a minute for a suspended vmstorage, and then drops the samples that it has accepted.
func wake(dir string) {
	for _, p := range everyProgram {
		f := programFiles(dir, p)
		if process, _ := f.running(f.passwordFlag()); process != nil {
			process.Signal(syscall.SIGCONT)
			process.Release()
		}
	}
}

// running gives the process that is noted, with its start time, or nil when it has ended. It is recognised by the flag.
func (f files) running(flag string) (p *os.Process, start string) {
	var pid int
	note, err := os.ReadFile(f.pid())
	if err != nil {
		return nil, ""
	}
	if _, err := fmt.Sscanf(string(note), "%d %s", &pid, &start); err != nil || pid <= 1 {
		return nil, ""
	}
	// The handle is taken first, so that what is examined is what will be signalled.
	if p, err = os.FindProcess(pid); err != nil {
		return nil, ""
	}
	if startTime(pid) != start || !slices.Contains(commandLine(pid), flag) {
		p.Release()
		return nil, ""
	}
	return p, start
}

// endLeftover ends one program, which is recognised by the flag.
func (f files) endLeftover(ctx context.Context, name, flag string, steps []leftoverStep, log *slog.Logger) error {
	handle, start := f.running(flag)
	if handle == nil {
		f.forgetPID()
		return nil
	}
	defer handle.Release()
	pid := handle.Pid
	log.Warn("ending the "+name+" that a killed Gatehouse has left behind", "process", pid)
	for _, step := range steps {
		handle.Signal(step.signal)
		handle.Signal(syscall.SIGCONT) // one that is suspended would not hear it
		for deadline := time.Now().Add(step.patience); time.Now().Before(deadline); sleep(ctx, 50*time.Millisecond) {
			if startTime(pid) != start {
				f.forgetPID()
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return gatehouse.Errorf(gatehouse.Unavailable, "%s from before (process %d) cannot be ended; end it, or restart the machine", name, pid)
}
