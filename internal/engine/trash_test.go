package engine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestADeletedDeploymentsDataGoesToTheTrash(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	w.Apply(created(managedDeployment()))
	w.await(t, gatehouse.Running)
	pid := w.enginePID(t)
	w.Apply(gatehouse.Change{GoneDeployment: testID})
	told := len(w.seen())
	w.Apply(gatehouse.Change{GoneDeployment: testID})

	var found []string
	eventually(t, "the folder is in the trash", func() bool {
		found, _ = filepath.Glob(filepath.Join(w.dataDir, "trash", testID+"-*"))
		return len(found) == 1
	})
	if startTime(pid) != "" {
		t.Error("the engine outlives its deployment")
	}
	if _, err := os.Stat(filepath.Join(found[0], "data", "data")); err != nil {
		t.Errorf("the data is not in the trash: %v", err)
	}
	if _, err := os.Stat(w.folder(testID)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the folder is still in its place")
	}
	if n := len(w.seen()); n != told {
		t.Errorf("a deleted deployment still reports: %v", w.seen()[told:])
	}
	if _, err := os.Stat(passwordPath(found[0])); err == nil {
		t.Error("the password lies in the trash")
	}
}

func TestARestoredDeploymentHasItsDataBack(t *testing.T) {
	t.Parallel()
	w := supervise(t, programDir(t), t.TempDir())
	var e *Endpoint
	serves := func() {
		t.Helper()
		before := e
		w.Apply(created(managedDeployment()))
		eventually(t, "it serves", func() bool { e = w.last().Endpoint; return e != nil && e != before })
	}
	for _, series := range []string{"first_life", "second_life"} {
		serves()
		write(t, e, series)
		awaitSample(t, e, series)
		awaitSample(t, e, "first_life")
		pid := w.enginePID(t)
		w.Apply(gatehouse.Change{GoneDeployment: testID})
		eventually(t, "the data is in the trash", func() bool {
			ids, err := w.Trash()
			return err == nil && len(ids) == 1 && ids[0] == testID
		})
		awaitGone(t, pid)
	}
	serves()
	awaitSample(t, e, "first_life")
	awaitSample(t, e, "second_life")
	if ids, err := w.Trash(); err != nil || len(ids) > 0 {
		t.Errorf("the trash still holds %v, %v", ids, err)
	}
}

func TestFreedDataIsGoneAndNoOther(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	keep := []string{
		filepath.Join(w.dataDir, "trash", otherID+"-20260101T000000Z", "data"),
		filepath.Join(w.dataDir, "trash", "an operator's own folder"),
		filepath.Join(w.dataDir, "trash", testID),
		w.folder(testID),
	}
	gone := []string{
		filepath.Join(w.dataDir, "trash", testID+"-20260101T000000Z", "data"),
		filepath.Join(w.dataDir, "trash", testID+"-20260102T000000Z", "data"),
	}
	for _, folder := range append(keep, gone...) {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if ids, err := w.Trash(); err != nil || len(ids) != 2 {
		t.Errorf("the trash holds %v, %v", ids, err)
	}
	for _, id := range []string{"", "..", testID, testID} {
		if err := w.FreeTrash(id); err != nil {
			t.Error(err)
		}
	}
	for _, folder := range keep {
		if _, err := os.Stat(folder); err != nil {
			t.Errorf("more was freed than should be: %v", err)
		}
	}
	for _, folder := range gone {
		if _, err := os.Stat(filepath.Dir(folder)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", folder)
		}
	}
}

func TestAStoppedDeploymentSaysWhoStoppedItAndStartsAgain(t *testing.T) {
	dataDir := t.TempDir()
	w := supervise(t, programDir(t), dataDir)
	d := managedDeployment()
	w.Apply(created(d))
	e := w.await(t, gatehouse.Running).Endpoint
	pid := w.enginePID(t)
	write(t, e, "last_second")
	d.StoppedBy = "ops@example.com"
	w.Apply(created(d))
	awaitGone(t, pid)
	eventually(t, "the state says who stopped it", func() bool {
		s := w.last().State
		return s.Status == gatehouse.Stopped && strings.Contains(s.Detail, "stopped by ops@example.com") && w.last().Endpoint == nil
	})
	d.Name = "renamed while it is stopped"
	w.Apply(created(d))
	w.stop(t)
	if s := w.last().State; !strings.Contains(s.Detail, "stopped by") {
		t.Errorf("after Gatehouse has stopped the state is %+v", s)
	}

	w = supervise(t, programDir(t), dataDir) // Gatehouse starts anew
	w.Apply(created(d))
	if s := w.await(t, gatehouse.Stopped).State; !strings.Contains(s.Detail, "stopped by ops@example.com") {
		t.Errorf("after a new start the state is %+v", s)
	}
	d.StoppedBy = ""
	w.Apply(created(d))
	awaitSample(t, w.await(t, gatehouse.Running).Endpoint, "last_second")
}

func TestOfAnUnknownDeploymentTheFolderGoesToTheTrashToo(t *testing.T) {
	w := supervise(t, programDir(t), t.TempDir())
	if err := os.MkdirAll(filepath.Join(w.folder(testID), "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"..", "../" + testID, "elsewhere/x", ""} {
		w.Apply(gatehouse.Change{GoneDeployment: id})
	}
	w.Apply(gatehouse.Change{GoneDeployment: testID})
	eventually(t, "the folder is in the trash", func() bool {
		found, _ := filepath.Glob(filepath.Join(w.dataDir, "trash", "*"))
		return len(found) == 1 && strings.HasPrefix(filepath.Base(found[0]), testID)
	})
}

func TestAnIDThatLeadsElsewhereNamesNoFolder(t *testing.T) {
	for _, id := range []string{"", ".", "..", "/", "//", "a/b", "a/", "/a", "../a", "a:b", ":"} {
		if namesFolder(id) {
			t.Errorf("%q does", id)
		}
	}
	if !namesFolder(testID) {
		t.Error("a UUID does not")
	}
}
