package owner

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

const nobody, nogroup = 65534, 65533 // on any system, not those of the test

func newFile(t *testing.T, dir, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestANewFileBelongsToWhomTheOldOneOrTheFolderBelongs(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		for path, uid := range map[string]int{dir: nobody, file: nobody - 1} {
			if err := os.Chown(path, uid, nogroup); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := func(name string, uid uint32, from ...string) {
		t.Helper()
		made := newFile(t, dir, name)
		if err := Inherit(made, from...); err != nil {
			t.Fatal(err)
		}
		info, err := made.Stat()
		if err != nil {
			t.Fatal(err)
		}
		want := syscall.Stat_t{Uid: uid, Gid: nogroup}
		if !root { // who cannot give files away keeps them
			want.Uid, want.Gid = uint32(os.Geteuid()), uint32(os.Getegid())
		}
		if got := info.Sys().(*syscall.Stat_t); got.Uid != want.Uid || got.Gid != want.Gid || info.Mode().Perm() != 0o600 {
			t.Errorf("%s belongs to %d:%d, want %d:%d", name, got.Uid, got.Gid, want.Uid, want.Gid)
		}
	}
	f("in the folder", nobody, dir)
	f("instead of a file", nobody-1, file, dir)
	f("instead of none", nobody, filepath.Join(dir, "missing"), dir)
}
