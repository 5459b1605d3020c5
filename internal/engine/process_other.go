//go:build !linux

package engine

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// lifeline ends an engine. Only on Linux does it do so when Gatehouse is killed; elsewhere the engine lives until the next start,
// which finds and ends it.
type lifeline struct {
	once    sync.Once
	process *os.Process
	lasting bool
}

func newLifeline() (*lifeline, error) { return &lifeline{}, nil }

// hang prepares cmd, which is then started and tied. In a process group of its own it does not get the Ctrl-C that is meant for
// Gatehouse.
func (l *lifeline) hang(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func (l *lifeline) holdOn(*exec.Cmd) {}

func (l *lifeline) tie(p *os.Process) error {
	l.process = p
	return nil
}

// cut makes the engine write its data and end. VictoriaMetrics does so on the first SIGTERM, and dies at once of a second.
func (l *lifeline) cut() {
	l.once.Do(func() { l.process.Signal(syscall.SIGTERM) })
}

func (l *lifeline) release() {}

func (l *lifeline) free() {}

// leftoverSteps end an engine whose Gatehouse is gone.
var leftoverSteps = []leftoverStep{
	{syscall.SIGTERM, 2 * time.Minute},
	{syscall.SIGKILL, 10 * time.Second},
}

// startTime tells a process from a later one with the same ID, or is "" when there is none.
func startTime(pid int) string { return strings.Join(ps(pid, "lstart="), "_") }

func commandLine(pid int) []string { return ps(pid, "command=") }

func ps(pid int, column string) []string {
	out, err := exec.Command("ps", "-ww", "-o", column, "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// listens cannot be told here without root; the answer to the health check must do.
func listens(pid, port int) bool { return true }

func dropFront(*os.File, int64) error { return errors.ErrUnsupported }

func memoryBytes() uint64 { return 0 }
