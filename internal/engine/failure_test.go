package engine

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestAMissingProgramIsNamedAndFoundOnceItIsThere(t *testing.T) {
	dir := t.TempDir()
	w := supervise(t, dir, t.TempDir())
	err := w.Available()
	if gatehouse.ErrorCode(err) != gatehouse.Unavailable || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "connect") {
		t.Errorf("Available says: %v", err)
	}
	w.Apply(created(managedDeployment()))
	w.awaitFailed(t, "no victoria-metrics program in "+dir)
	if _, err := w.ProgramLog(testID, gatehouse.EngineLog, 5); gatehouse.ErrorCode(err) != gatehouse.NotFound {
		t.Errorf("a deployment without a log says: %v", err)
	}
	if err := os.Symlink(programIn(programDir(t)), filepath.Join(dir, "victoria-metrics-prod")); err != nil {
		t.Fatal(err)
	}
	w.await(t, gatehouse.Running)
}

func TestAProgramOfTheWrongKindIsExplained(t *testing.T) {
	foreign := make([]byte, 64) // the header of an ELF program for another processor
	copy(foreign, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(foreign[16:], 2)
	machine := uint16(183) // arm64
	if runtime.GOARCH == "arm64" {
		machine = 62 // amd64
	}
	binary.LittleEndian.PutUint16(foreign[18:], machine)
	binary.LittleEndian.PutUint32(foreign[20:], 1)

	for name, c := range map[string]struct {
		content string
		mode    os.FileMode
		want    string
	}{
		"a text file":                        {"not a program\n", 0o755, "not a program for this machine"},
		"a program for another processor":    {string(foreign), 0o755, "not a program for this machine"},
		"a file that must not be executed":   {"#!/bin/sh\n", 0o644, "chmod +x"},
		"a script that ends":                 {"#!/bin/sh\necho I am another program >&2\nexit 3\n", 0o755, "I am another program"},
		"a program that knows no such flags": {"#!/bin/sh\necho 'flag provided but not defined: -search.latencyOffset' >&2\nexit 2\n", 0o755, "use VictoriaMetrics v1.151.0 or newer"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "victoria-metrics"), []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			w := supervise(t, dir, t.TempDir())
			w.Apply(created(managedDeployment()))
			w.awaitFailed(t, c.want)
		})
	}
}

func TestADataDirectoryThatCannotBeWrittenIsExplained(t *testing.T) {
	t.Run("no permission", func(t *testing.T) {
		dataDir := t.TempDir()
		if os.Geteuid() == 0 {
			dataDir = "/sys" // where not even root makes folders
		} else if err := os.Chmod(dataDir, 0o500); err != nil {
			t.Fatal(err)
		}
		w := supervise(t, programDir(t), dataDir)
		w.Apply(created(managedDeployment()))
		w.awaitFailed(t, filepath.Join(dataDir, "deployments"))
		if detail := w.await(t, gatehouse.Failed).State.Detail; !strings.Contains(detail, "make it the owner") && !strings.Contains(detail, "make it writable") {
			t.Errorf("the state has no remedy: %s", detail)
		}
	})
	t.Run("a file in its place", func(t *testing.T) {
		w := supervise(t, programDir(t), t.TempDir())
		if err := os.WriteFile(filepath.Join(w.dataDir, "deployments"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		w.Apply(created(managedDeployment()))
		w.awaitFailed(t, "move it away")
	})
}

func TestDataInUseByAnotherProcessIsExplainedAndWaitedFor(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	other := exec.Command(programIn(programDir(t)), dataFlag(w.folder(testID)), "-httpListenAddr=127.0.0.1:0")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { other.Process.Kill(); other.Wait() }()
	eventually(t, "the other process holds the data", func() bool {
		_, err := os.Stat(filepath.Join(w.folder(testID), "data", "data"))
		return err == nil
	})
	w.Apply(created(managedDeployment()))
	w.awaitFailed(t, "another process uses the data", "flock.lock")
	other.Process.Signal(syscall.SIGTERM) // SIGINT is ignored where a shell runs the tests in the background
	other.Wait()
	w.await(t, gatehouse.Running)
}

func TestDamagedDataIsExplainedAndKept(t *testing.T) {
	dataDir := t.TempDir()
	w := supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	w.await(t, gatehouse.Running)
	w.stop(t)
	parts, err := filepath.Glob(filepath.Join(w.folder(testID), "data/data/small/2*/parts.json"))
	if err != nil || len(parts) == 0 {
		t.Fatalf("no list of parts: %v", err)
	}
	whole, err := os.ReadFile(parts[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(parts[0], []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	w = supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	w.awaitFailed(t, "may be damaged", "parts.json")
	if content, err := os.ReadFile(parts[0]); err != nil || string(content) != "junk" {
		t.Error("the damaged file was touched")
	}
	if err := os.WriteFile(parts[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	w.await(t, gatehouse.Running)
}

func TestExplanationsHoldTheRemedy(t *testing.T) {
	for words, want := range map[string]string{
		`exit status 255: cannot start http server at 127.0.0.1:1: listen tcp4 127.0.0.1:1: bind: address already in use`: "picks another one",
		`exit status 2: FATAL: cannot write 12 bytes to "/d/x": write /d/x: no space left on device`:                      "free some space",
		`exit status 2: FATAL: cannot create directory: mkdir /d/x: permission denied`:                                    "make it the owner",
		`open /d/engine.log: read-only file system`:                                                                       "make it writable",
		`exit status 2: fatal error: runtime: out of memory`:                                                              "no memory left",
		`signal: killed`: "lack of memory",
		`signal: segmentation fault: SIGSEGV: segmentation violation`: "starts it again",
		`exit status 0`:      "outside Gatehouse",
		`exit status 7: hmm`: "/d/engine.log",
	} {
		got := explain("VictoriaMetrics has ended", words, engineFiles("/d"), "/p").Error()
		if !strings.Contains(got, want) || !strings.Contains(got, words) {
			t.Errorf("explain(%q) = %q; want it to say %q", words, got, want)
		}
	}
	if got := explain("x", strings.Repeat("long ", 1000), engineFiles("/d"), "/p").Error(); len(got) > 500 {
		t.Errorf("an explanation has %d bytes", len(got))
	}
}
