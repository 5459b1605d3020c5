package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lifeline is a pipe between Gatehouse and an engine: the engine holds its reading end without knowing, and the kernel sends the
// engine SIGTERM when the writing end is closed, by us or because Gatehouse was killed.
//
// It must be SIGTERM, on which VictoriaMetrics writes the samples of the last seconds to disk, and it must come only once: a second
// one kills it while it writes. That rules out Pdeathsig. As the threads of a killed Gatehouse end one by one, each hands its
// children to the next one, and the kernel sends the signal every time.
//
// Other programs may hold on to the writing end. Then the signal comes when they have ended too: vminsert still hands over to vmstorage
// what it has accepted when Gatehouse is killed.
type lifeline struct {
	reading *os.File
	writing *os.File
	lasting bool // one process after the other hangs on it
}

func newLifeline() (*lifeline, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &lifeline{reading: r, writing: w}, nil
}

// hang prepares cmd, which is then started and tied.
func (l *lifeline) hang(cmd *exec.Cmd) {
	cmd.ExtraFiles = append(cmd.ExtraFiles, l.reading)
	// In a process group of its own it does not get the Ctrl-C that is meant for Gatehouse.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// holdOn makes the lifeline of another program wait for the end of this one.
func (l *lifeline) holdOn(cmd *exec.Cmd) {
	if l != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, l.writing)
	}
}

// tie makes the pipe signal the process; see fcntl(2), "Managing signals".
func (l *lifeline) tie(p *os.Process) error {
	for _, step := range []struct{ command, value int }{
		{unix.F_SETSIG, int(syscall.SIGTERM)},
		{unix.F_SETOWN, p.Pid},
		{unix.F_SETFL, unix.O_ASYNC},
	} {
		if _, err := unix.FcntlInt(l.reading.Fd(), step.command, step.value); err != nil {
			return fmt.Errorf("tie the engine to Gatehouse: %w", err)
		}
	}
	return nil
}

// cut makes the engine write its data and end. Later calls do nothing.
func (l *lifeline) cut() { l.writing.Close() }

// release lets go of a lifeline that nothing will hang on any more.
func (l *lifeline) release() {
	if !l.lasting {
		l.free()
	}
}

func (l *lifeline) free() {
	l.reading.Close()
	l.writing.Close()
}

// leftoverSteps end an engine whose Gatehouse is gone. It has already got SIGTERM through its lifeline and may be busy writing, so
// first it is only woken up, in case it is suspended.
var leftoverSteps = []leftoverStep{
	{syscall.SIGCONT, 2 * time.Minute},
	{syscall.SIGTERM, 10 * time.Second},
	{syscall.SIGKILL, 10 * time.Second},
}

// startTime tells a process from a later one with the same ID: clock ticks since boot, or "" when there is none (a zombie, which
// only waits for its parent to take note, counts as none).
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The name in brackets may itself hold brackets and spaces. After it, field 3 (state) comes first; field 22 is the start.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return ""
	}
	return fields[19]
}

func commandLine(pid int) []string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return nil
	}
	return strings.Split(string(line), "\x00")
}

// listens reports whether the process itself listens on 127.0.0.1:port, by finding the listening socket among its files.
func listens(pid, port int) bool {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return true // a hardened system hides it; the answer to the health check must do
	}
	const stateListen = "0A"
	local := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32([]byte{127, 0, 0, 1}), port)
	socket := ""
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 9 && f[1] == local && f[3] == stateListen {
			socket = "socket:[" + f[9] + "]"
		}
	}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, file := range files {
		if target, err := os.Readlink(filepath.Join(dir, file.Name())); err == nil && target == socket {
			return true
		}
	}
	return false
}

// dropFront takes the first n bytes away from a file that others append to, without losing a byte. Not every file system can.
func dropFront(f *os.File, n int64) error {
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, n)
}
