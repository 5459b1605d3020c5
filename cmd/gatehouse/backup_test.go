package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/secret"
)

// okBackend says yes to everything.
func okBackend(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("OK")) }))
	t.Cleanup(server.Close)
	return server.URL
}

// TestBackupUnderLoad makes backups while tokens are created and used, and restores the last one elsewhere.
func TestBackupUnderLoad(t *testing.T) {
	dir := newDataDir(t)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", okBackend(t))
	p := serve(t, dir)
	var mu sync.Mutex
	first := newToken(t, dir, "shop", "first", "rw")
	made := []string{first}
	stop := make(chan struct{})
	var load sync.WaitGroup
	until := func(fn func(i int) error) {
		load.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := fn(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	until(func(i int) error {
		r := command(t, dir, "", "token", "create", "--deployment", "shop", "--name", fmt.Sprint("token ", i), "--access", "r")
		if r.code != exitDone {
			return fmt.Errorf("a token cannot be created during a backup: %s", r.err)
		}
		mu.Lock()
		defer mu.Unlock()
		made = append(made, strings.TrimSpace(r.out))
		return nil
	})
	until(func(int) error {
		a, err := p.tryRequest("GET", first, "/api/v1/query?query=up", "")
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("a request during a backup got status %d", a.status)
		}
		return err
	})
	var file string
	var expected []string
	for i := range 4 {
		eventually(t, "some more tokens are made", func() error {
			mu.Lock()
			defer mu.Unlock()
			if len(made) < len(expected)+2 {
				return fmt.Errorf("%d are made", len(made))
			}
			expected = slices.Clone(made)
			return nil
		})
		file = filepath.Join(t.TempDir(), fmt.Sprint(i, ".tar"))
		must(t, dir, "", "backup", file)
	}
	close(stop)
	load.Wait()
	p.stop()

	other := newDataDir(t)
	must(t, other, "", "restore", file)
	restored := serve(t, other)
	for _, value := range expected {
		if a := restored.request("GET", value, "/api/v1/query?query=up", ""); a.status != http.StatusOK {
			t.Errorf("a token of the backup got status %d", a.status)
		}
	}
	if out := must(t, other, "", "audit", "verify"); !strings.Contains(out, "whole") {
		t.Error(out)
	}
}

func TestBackupWithoutKeyset(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	value := newToken(t, dir, "shop", "kept", "r")
	file := filepath.Join(t.TempDir(), "gatehouse.tar")
	must(t, dir, "", "backup", file, "--without-keyset")
	content, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(content), "primaryKeyId") {
		t.Errorf("the keyset is in the backup: %v", err)
	}
	keyset, err := os.ReadFile(filepath.Join(dir, secret.KeysetFile))
	if err != nil {
		t.Fatal(err)
	}
	place := func(path string, content []byte) string {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	restores := func(dir string, args ...string) {
		t.Helper()
		must(t, dir, "", append([]string{"restore", file}, args...)...)
		id := strings.Fields(must(t, dir, "", append([]string{"token", "list", "--deployment", "shop"}, args...)...))
		if got := must(t, dir, "", append([]string{"token", "reveal", id[len(id)-1]}, args...)...); got != value {
			t.Errorf("the restored token reveals %q", got)
		}
	}

	third := newDataDir(t)
	if r := command(t, third, "", "restore", file); r.code != exitFailed || !strings.Contains(r.err, "made without its keyset") || !strings.Contains(r.err, "--keyset") {
		t.Errorf("a restore without the keyset: %+v", r)
	}
	foreign := place(filepath.Join(third, secret.KeysetFile), nil)
	if r := command(t, third, "", "restore", file); r.code != exitFailed || !strings.Contains(r.err, "cannot be used") {
		t.Errorf("a restore with a damaged keyset: %+v", r)
	}
	if entries, err := os.ReadDir(third); err != nil || len(entries) != 1 || entries[0].Name() != filepath.Base(foreign) {
		t.Errorf("a failed restore leaves %v", entries)
	}
	place(foreign, keyset)
	restores(third)

	elsewhere := place(filepath.Join(t.TempDir(), "key", "elsewhere.json"), keyset)
	restores(newDataDir(t), "--keyset", elsewhere)
}

func TestKilledBackupsLeaveNothingForEver(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	left, inUse, young := filepath.Join(dir, ".backup-123"), filepath.Join(dir, ".backup-456"), filepath.Join(dir, ".backup-789")
	target := t.TempDir()
	half := filepath.Join(target, ".gatehouse-backup-123")
	anHourAgo := time.Now().Add(-time.Hour)
	for _, folder := range []string{left, inUse, young} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "gatehouse.db"), []byte("half a copy"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(half, []byte("half a backup"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, old := range []string{left, inUse, half} {
		if err := os.Chtimes(old, anHourAgo, anHourAgo); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockLeftover(inUse)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	must(t, dir, "", "backup", filepath.Join(target, "gatehouse.tar"))
	for _, gone := range []string{left, half} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s of a killed backup is still there", filepath.Base(gone))
		}
	}
	for _, kept := range []string{inUse, young} {
		if _, err := os.Stat(filepath.Join(kept, "gatehouse.db")); err != nil {
			t.Errorf("%s of a backup under way is gone", filepath.Base(kept))
		}
	}
}

func TestFilesThatAreNoBackups(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.tar")
	for name, content := range map[string]string{"empty": "", "text": "not a tar file at all, but long enough to be read as if it were one" + strings.Repeat("x", 1000)} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := newDataDir(t)
		if r := command(t, dir, "", "restore", file); r.code != exitFailed || !strings.Contains(r.err, "not a whole Gatehouse backup") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
