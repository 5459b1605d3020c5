package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

// smallDisk gives a folder on a disk of its own.
func smallDisk(t *testing.T, megabytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", megabytes)); err != nil {
		t.Skipf("this needs the right to mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAnEngineOnAFullDiskTakesNoSamplesAndRecovers(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 200)
	w := supervise(t, programDir(t), dir)
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running).Endpoint
	write(t, e, "before")
	awaitSample(t, e, "before")

	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 120<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := w.await(t, gatehouse.Failed)
	for _, word := range []string{"takes no new samples", "free some space", w.folder(testID)} {
		if !strings.Contains(failed.State.Detail, word) {
			t.Errorf("the state says %q; want it to say %q", failed.State.Detail, word)
		}
	}
	if failed.Endpoint == nil || *failed.Endpoint != *e {
		t.Error("queries are cut off too")
	}
	eventually(t, "samples are refused", func() bool {
		status, answer := request(t, e, "/api/v1/import/prometheus", "during 42\n", true)
		return status/100 == 5 && strings.Contains(answer, "-storage.minFreeDiskSpaceBytes")
	})
	awaitSample(t, e, "before")
	lines, err := w.ProgramLog(testID, gatehouse.EngineLog, 1000)
	if err != nil || !strings.Contains(strings.Join(lines, "\n"), "read-only mode") {
		t.Errorf("the log does not tell why: %v", err)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if again := w.await(t, gatehouse.Running); *again.Endpoint != *e || again.State.Detail != "" {
		t.Errorf("afterwards the state is %+v", again.State)
	}
	eventually(t, "samples are taken again", func() bool {
		status, _ := request(t, e, "/api/v1/import/prometheus", "after 42\n", true)
		return status/100 == 2
	})
	awaitSample(t, e, "after")
}

func TestAClusterOnAFullDiskAnswersQueriesAndRecovers(t *testing.T) {
	t.Parallel()
	programs, dir := clusterDir(t), smallDisk(t, 200)
	w := supervise(t, programs, dir)
	w.Apply(created(managedCluster()))
	e := w.await(t, gatehouse.Running).Endpoint
	writeTo(t, e, "0", "before")
	awaitIn(t, w, "0", "before")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 120<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	failed := w.await(t, gatehouse.Failed)
	if !strings.HasPrefix(failed.State.Detail, "vmstorage takes no new samples") || failed.Endpoint == nil || failed.Endpoint.InsertURL != "" {
		t.Errorf("the state is %+v at %v", failed.State, failed.Endpoint)
	}
	awaitIn(t, w, "0", "before")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	again := w.await(t, gatehouse.Running)
	if *again.Endpoint != *e {
		t.Error("it was started anew")
	}
	writeTo(t, e, "0", "after") // which waits until vminsert has noticed
	awaitIn(t, w, "0", "after")
}

func TestADiskWithoutASingleByteFreeIsExplained(t *testing.T) {
	dir := smallDisk(t, 200)
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := make([]byte, 1<<16); err == nil; {
		_, err = f.Write(chunk)
	}
	f.Close()
	w := supervise(t, programDir(t), dir)
	w.Apply(created(managedDeployment()))
	w.awaitFailed(t, "free some space", "no space left on device")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.await(t, gatehouse.Running)
}
