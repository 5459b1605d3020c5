package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
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

// fill writes ballast onto the disk: at most that many MB, until not a byte is free.
func fill(t *testing.T, ballast string, megabytes int) {
	t.Helper()
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 1<<16)
	for range megabytes << 4 {
		if _, err := f.Write(chunk); err != nil {
			return // it is full
		}
	}
}

// TestAnOpenOverviewFollowsAFullDisk fills the disk on which everything lies: data, database and logs.
func TestAnOpenOverviewFollowsAFullDisk(t *testing.T) {
	dir := smallDisk(t, 250)
	p, b := newConsoleOn(t, filepath.Join(dir, "data"), "/deployments/default")
	secret := newToken(t, p.dataDir, "default", "t", "rw")
	p.wantWritable(secret, "kept")
	p.wantSample(secret, "kept")
	b.sees("Last request")
	stayed := b.stay()
	const full = `Error Single node .*takes no new samples, as the disk of .* has less than 100 MB free; free some space\. Queries still work`
	ballast := filepath.Join(dir, "ballast")
	for what, megabytes := range map[string]int{"the disk is nearly full": 170, "not a byte of the disk is free": 250} {
		b.shows(what, func() { fill(t, ballast, megabytes) }, full)
		b.seesMatch(`Last log lines .*read-only mode`)
		eventually(t, "samples are refused", func() error {
			a := p.request("POST", secret, "/api/v1/import/prometheus", "refused 42")
			if a.status/100 != 5 || !strings.Contains(a.body, "-storage.minFreeDiskSpaceBytes") {
				return fmt.Errorf("status %d: %s", a.status, a.body)
			}
			return nil
		})
		p.wantSample(secret, "kept")
		b.shows(what+", and there is space again", func() {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		}, `Running Single node Managed`)
		again := fmt.Sprintf("after_%d", megabytes)
		eventually(t, "samples are taken again", func() error {
			if a := p.request("POST", secret, "/api/v1/import/prometheus", again+" 42"); a.status != http.StatusNoContent {
				return fmt.Errorf("status %d: %s", a.status, a.body)
			}
			return nil
		})
		p.wantSample(secret, again)
	}
	stayed()
	b.visit("/profile") // which does not follow what happens
	p.stop()
	p = serve(t, p.dataDir)
	p.waitRunning("default")
	for _, series := range []string{"kept", "after_170", "after_250"} {
		p.wantSample(secret, series)
	}
}
