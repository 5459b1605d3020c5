package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What an administrator does with sudo must not leave files that the server's user cannot open.
func TestRootLeavesFilesToTheOwnerOfTheDataDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can act for others")
	}
	const user, group = 65534, 65533
	newDir := func() string {
		dir := newDataDir(t)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(dir, user, group); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	wantOwner := func(dir string, least int) {
		t.Helper()
		files := 0
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			files++
			if s := info.Sys().(*syscall.Stat_t); s.Uid != user || s.Gid != group {
				t.Errorf("%s belongs to %d:%d", e.Name(), s.Uid, s.Gid)
			}
			return nil
		})
		if err != nil || files < least {
			t.Errorf("%d files are there, %v", files, err)
		}
	}
	dir := newDir()
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9")
	must(t, dir, "", "rekey")
	backup := filepath.Join(t.TempDir(), "backup.tar")
	must(t, dir, "", "backup", backup)
	wantOwner(dir, 4) // the folder, the database, the keyset and its lock

	other := newDir()
	must(t, other, "", "restore", backup)
	wantOwner(other, 3)
}

func TestAKeysetElsewhereKeepsItsOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can act for others")
	}
	keyset := filepath.Join(t.TempDir(), "keyset.json")
	dir := newDataDir(t)
	must(t, dir, "", "--keyset", keyset, "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9")
	if err := os.Chown(keyset, 65534, 65533); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "", "--keyset", keyset, "rekey")
	info, err := os.Stat(keyset)
	if err != nil {
		t.Fatal(err)
	}
	if s := info.Sys().(*syscall.Stat_t); s.Uid != 65534 || s.Gid != 65533 {
		t.Errorf("the keyset belongs to %d:%d", s.Uid, s.Gid)
	}
}
