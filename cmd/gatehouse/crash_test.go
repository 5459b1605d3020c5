package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// enginesOf lists the processes that run on the data of a deployment in the data directory, by their command lines.
func enginesOf(t *testing.T, dataDir string) map[string]string {
	t.Helper()
	return programsOn(t, filepath.Join(dataDir, "deployments"))
}

// programsOn does the same for all whose data lies in a folder.
func programsOn(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), "-storageDataPath="+folder+"/") {
			found[strings.Split(file, "/")[2]] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

// TestKilledServer kills the server with a token made a moment before, and starts it again at once.
func TestKilledServer(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	value := newToken(t, dir, "default", "survivor", "rw")
	if a := p.request("POST", value, "/api/v1/import/prometheus", "before_the_crash 7"); a.status != http.StatusNoContent {
		t.Fatalf("writing answered %d: %s", a.status, a.body)
	}
	before := enginesOf(t, dir)
	if len(before) != 1 {
		t.Fatalf("want one engine, found %v", before)
	}
	p.kill()

	p = serve(t, dir)
	p.waitRunning("default")
	for pid, line := range enginesOf(t, dir) {
		if before[pid] != "" {
			t.Errorf("an engine from before the crash still runs: %s %s", pid, line)
		}
	}
	if n := len(enginesOf(t, dir)); n != 1 {
		t.Errorf("%d engines run, want one", n)
	}
	eventually(t, "the token and its sample survived", func() error {
		n, err := p.query(value, "before_the_crash")
		if err == nil && n != 7 {
			err = fmt.Errorf("the value is %v", n)
		}
		return err
	})
	p.stop()
	eventually(t, "no engine outlives the server", func() error {
		if left := programsOn(t, dir); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
}

// TestKilledServerLeavesNoEngine kills the server and starts none.
func TestKilledServerLeavesNoEngine(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	p.kill()
	eventually(t, "the engine ends with its server", func() error {
		if left := programsOn(t, dir); len(left) > 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
}
