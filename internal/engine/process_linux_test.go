package engine

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestThePasswordIsSeenByNobodyElse(t *testing.T) {
	t.Setenv("GATEHOUSE_ADMIN_PASSWORD", "the first admin's password")
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running).Endpoint
	write(t, e, "something_to_log")
	pid := w.enginePID(t)
	password := []byte(e.Password)
	if len(password) < 20 {
		t.Fatalf("the password is too short to be one")
	}
	for _, path := range []string{fmt.Sprintf("/proc/%d/cmdline", pid), fmt.Sprintf("/proc/%d/environ", pid), logPath(w.folder(testID)), pidPath(w.folder(testID))} {
		content, err := os.ReadFile(path)
		if err != nil || len(content) == 0 {
			t.Errorf("read %s: %v", path, err)
		}
		if bytes.Contains(content, password) {
			t.Errorf("the password is in %s", path)
		}
		if bytes.Contains(content, []byte("the first admin's password")) {
			t.Errorf("Gatehouse's own settings are in %s", path)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes.Contains(w.log.Bytes(), password) || bytes.Contains(fmt.Appendf(nil, "%v %+v %#v", e, *e, *e), password) {
		t.Error("the password is in what is logged")
	}
	for path, want := range map[string]os.FileMode{passwordPath(w.folder(testID)): 0o600, logPath(w.folder(testID)): 0o600, w.folder(testID): 0o700} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, fi.Mode(), err, want)
		}
	}
}

func TestAListeningSocketIsTracedToItsProcess(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	if !listens(os.Getpid(), port) {
		t.Error("our own socket is taken for another's")
	}
	if listens(other.Process.Pid, port) {
		t.Error("our socket is taken for that of another process")
	}
}
