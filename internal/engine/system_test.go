package engine

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestTheSystemIsShutToOthersAndIsNoDeployment(t *testing.T) {
	dir := t.TempDir()
	y, err := NewSystem(Config{Dir: programDir(t), DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	y.Start()
	defer y.Stop(context.Background())
	var e Endpoint
	eventually(t, "it answers", func() bool {
		var err error
		e, err = y.Endpoint()
		if err != nil && gatehouse.ErrorCode(err) != gatehouse.Unavailable {
			t.Fatal(err)
		}
		return err == nil
	})
	if !strings.HasPrefix(e.URL, "http://127.0.0.1:") {
		t.Errorf("it answers at %s", e.URL)
	}
	if status, _ := request(t, &e, "/api/v1/query?query=1", "", false); status != http.StatusUnauthorized {
		t.Errorf("without a credential it answers %d", status)
	}
	write(t, &e, "something")
	awaitSample(t, &e, "something")
	other := supervise(t, programDir(t), dir)
	if ids, err := other.Folders(); err != nil || len(ids) > 0 {
		t.Errorf("its folder is taken for the deployments %v, %v", ids, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "system", "engine.password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its password lies in a file of mode %v, %v", info.Mode(), err)
	}
}

func TestTheSystemSaysWhyItDoesNotRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "system"), nil, 0o600); err != nil { // in the way of its folder
		t.Fatal(err)
	}
	y, err := NewSystem(Config{Dir: programDir(t), DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	y.Start()
	defer y.Stop(context.Background())
	eventually(t, "the remedy is told", func() bool {
		_, err := y.Endpoint()
		return strings.Contains(gatehouse.ErrorMessage(err), "something that is not a folder is in the way")
	})
	if err := os.Remove(filepath.Join(dir, "system")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it runs once the cause is gone", func() bool { _, err := y.Endpoint(); return err == nil })
	pid := programPIDIn(t, filepath.Join(dir, "system"), gatehouse.SingleProgram)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a hung one is named", func() bool {
		_, err := y.Endpoint()
		return strings.Contains(gatehouse.ErrorMessage(err), "does not answer")
	})
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is used again", func() bool { _, err := y.Endpoint(); return err == nil })
}

func TestTheSystemBeginsAnewOnceItsFolderIsDeleted(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		y, err := NewSystem(Config{Dir: programDir(t), DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		y.Start()
		eventually(t, "it answers", func() bool { _, err := y.Endpoint(); return err == nil })
		y.Stop(t.Context())
		if err := os.RemoveAll(filepath.Join(dir, "system")); err != nil {
			t.Fatal(err)
		}
	}
}
