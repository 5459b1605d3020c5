package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

// move renames a folder, as if its disk were mounted elsewhere, or put back.
func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// says reports whether the newest state is an error with these words.
func (w *watched) says(words string) bool {
	s := w.last().State
	return s.Status == gatehouse.Failed && strings.Contains(s.Detail, words)
}

func TestADeploymentWhoseDataIsGoneDoesNotStartEmpty(t *testing.T) {
	t.Parallel()
	dataDir, away := t.TempDir(), filepath.Join(t.TempDir(), "away")
	w := supervise(t, programDir(t), dataDir)
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running).Endpoint
	write(t, e, "kept")
	w.stop(t)

	folder := w.folder(testID)
	for name, path := range map[string]string{
		"the disk of all deployments is not mounted":        filepath.Dir(folder),
		"the disk of this deployment is not mounted":        folder,
		"the disk of this deployment's data is not mounted": filepath.Join(folder, "data"),
	} {
		t.Run(name, func(t *testing.T) {
			move(t, path, away)
			if err := os.Mkdir(path, 0o700); err != nil { // the mount point
				t.Fatal(err)
			}
			w := supervise(t, programDir(t), dataDir)
			w.Apply(created(managedDeployment()))
			w.awaitFailed(t, "the data of this deployment is not in "+folder, "mount the disk", "delete "+w.startedNote(testID))
			if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
				t.Errorf("something was written into the mount point: %v, %v", entries, err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			move(t, away, path)
			awaitSample(t, w.await(t, gatehouse.Running).Endpoint, "kept")
			w.stop(t)
		})
	}

	t.Run("the operator gives it up", func(t *testing.T) {
		move(t, folder, away)
		w := supervise(t, programDir(t), dataDir)
		w.Apply(created(managedDeployment()))
		w.await(t, gatehouse.Failed)
		if err := os.Remove(w.startedNote(testID)); err != nil {
			t.Fatal(err)
		}
		w.await(t, gatehouse.Running)
	})
}

func TestAnEngineWhoseDiskGoesAwayDoesNotStartEmptyAndTouchesNoOther(t *testing.T) {
	t.Parallel()
	w := supervise(t, programDir(t), t.TempDir())
	untouched := w.neighbour(t)
	w.Apply(created(managedDeployment()))
	e := w.await(t, gatehouse.Running).Endpoint
	write(t, e, "kept")
	awaitSample(t, e, "kept")
	ask(t, e, "/snapshot/create", "") // writes everything to disk
	pid, away := w.enginePID(t), filepath.Join(t.TempDir(), "away")
	syscall.Kill(pid, syscall.SIGSTOP) // so that it makes no folder anew in the old place
	move(t, w.folder(testID), away)
	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "the remedy is told", func() bool { return w.says("mount the disk") })
	untouched()
	move(t, away, w.folder(testID))
	awaitSample(t, w.await(t, gatehouse.Running).Endpoint, "kept")
}

func TestARestoredDeploymentWhoseTrashWasEmptiedByHandDoesNotStartEmpty(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(managedDeployment()))
	w.await(t, gatehouse.Running)
	w.Apply(gatehouse.Change{GoneDeployment: testID})
	eventually(t, "the data is in the trash", func() bool { ids, err := w.Trash(); return err == nil && len(ids) == 1 })
	if err := os.RemoveAll(w.trash()); err != nil {
		t.Fatal(err)
	}
	w.Apply(created(managedDeployment()))
	eventually(t, "the remedy is told", func() bool { return w.says("put it back") })

	w.Apply(gatehouse.Change{GoneDeployment: testID})
	if err := w.FreeTrash(testID); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(w.startedNote(testID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note outlives the data: %v", err)
	}
}
