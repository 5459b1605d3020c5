package engine

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

const otherID = "5d0b1a0e-6b7a-4d0a-8a52-3e2fa31d3a02"

// neighbour starts another deployment on w's data directory, and gives a check that it runs on as if nothing had happened.
func (w *watched) neighbour(t *testing.T) (untouched func()) {
	t.Helper()
	other := supervise(t, programDir(t), w.dataDir)
	d := managedDeployment()
	d.ID = otherID
	other.Apply(created(d))
	e := other.await(t, gatehouse.Running).Endpoint
	return func() {
		t.Helper()
		write(t, e, "untouched")
		awaitSample(t, e, "untouched")
		if n := len(other.seen()); n != 2 {
			t.Errorf("the other deployment has reported %d states, want Provisioning and Running: %+v", n, other.seen())
		}
	}
}

func TestAnEngineThatKeepsCrashingSaysSoAndRecovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "victoria-metrics")
	// It stands for a VictoriaMetrics that crashes at every start, as on data of which a part is damaged.
	script := "#!/bin/sh\n[ \"$1\" = -version ] && exit\nprintf 'now\\tpanic\\tplace\\tFATAL: the magic smoke has escaped\\n' >&2\nexit 2\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	w := supervise(t, dir, t.TempDir())
	untouched := w.neighbour(t)
	w.Apply(created(managedDeployment()))
	eventually(t, "the third crash is counted", func() bool {
		detail := w.last().State.Detail
		return strings.Contains(detail, "failure 3 in a row") && strings.Contains(detail, "the magic smoke has escaped")
	})
	w.awaitFailed(t, "may be damaged")
	lines, err := w.ProgramLog(testID, gatehouse.EngineLog, 2)
	if err != nil || len(lines) != 2 || !strings.Contains(lines[1], "the magic smoke has escaped") {
		t.Errorf("the log ends with %q, %v", lines, err)
	}
	untouched()

	if err := os.Remove(program); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(programIn(programDir(t)), program); err != nil {
		t.Fatal(err)
	}
	w.await(t, gatehouse.Running)
}

func TestAHungEngineTouchesNoOther(t *testing.T) {
	t.Parallel()
	w := supervise(t, programDir(t), t.TempDir())
	untouched := w.neighbour(t)
	w.Apply(created(managedDeployment()))
	w.await(t, gatehouse.Running)
	pid := w.enginePID(t)
	syscall.Kill(pid, syscall.SIGSTOP)
	w.awaitFailed(t, "does not answer", fmt.Sprintf("process %d", pid), "overload")
	untouched()
	syscall.Kill(pid, syscall.SIGCONT)
	w.await(t, gatehouse.Running)
}

func TestAnEngineWhosePortIsTakenSaysSoAndGetsAnother(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	program := filepath.Join(dir, "victoria-metrics")
	// The real program, on a port that is taken instead of the one that Gatehouse found free: as if another program had been faster.
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" = -version ] && exit\nexec %s \"$@\" -httpListenAddr=%s\n", programIn(programDir(t)), l.Addr())
	script = strings.Replace(script, `"$@"`, `$(printf '%s\n' "$@" | grep -v httpListenAddr)`, 1)
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	w := supervise(t, dir, t.TempDir())
	untouched := w.neighbour(t)
	w.Apply(created(managedDeployment()))
	w.awaitFailed(t, "another program took the port", "address already in use")
	untouched()
	os.Remove(program)
	if err := os.Symlink(programIn(programDir(t)), program); err != nil {
		t.Fatal(err)
	}
	w.await(t, gatehouse.Running)
}
