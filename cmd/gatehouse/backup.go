package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

type backupCommand struct {
	File          string `arg:"" help:"File to write; it must not exist yet." type:"path"`
	WithoutKeyset bool   `help:"Leave the sealing key out, to be kept elsewhere: without it, the file gives no secret away."`
}

// Run writes a tar file with the database and the sealing key. The file opens every secret, and is readable by its owner only.
func (k *backupCommand) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		if _, err := os.Lstat(k.File); err == nil {
			return fileExists(k.File)
		}
		dir, lock, err := newScratch(c.DataDir)
		if err != nil {
			return explainFile(err, c.DataDir)
		}
		defer lock.Close()
		defer os.RemoveAll(dir)
		files := []archived{{sqlite.File, filepath.Join(dir, sqlite.File)}}
		keyset := filepath.Join(dir, secret.KeysetFile)
		copyDatabase := func() error { return ctl.Backup(ctx, actor, files[0].path) }
		if err := copyWithKeyset(c.keysetPath(), keyset, files[0].path, copyDatabase); err != nil {
			return err
		}
		if !k.WithoutKeyset {
			files = append(files, archived{secret.KeysetFile, keyset})
		}
		return writeArchive(k.File, files)
	})
}

// copyWithKeyset copies the database between two looks at the keyset, and again when gatehouse rekey has changed that in between: one
// must open the other.
func copyWithKeyset(keyset, keysetCopy, databaseCopy string, copyDatabase func() error) error {
	const attempts = 5
	for range attempts {
		before, err := os.ReadFile(keyset)
		if err != nil {
			return explainFile(err, keyset)
		}
		if err := copyDatabase(); err != nil {
			return err
		}
		after, err := os.ReadFile(keyset)
		if err != nil {
			return explainFile(err, keyset)
		}
		if bytes.Equal(before, after) {
			return explainFile(os.WriteFile(keysetCopy, after, 0o600), keysetCopy)
		}
		if err := os.Remove(databaseCopy); err != nil {
			return err
		}
	}
	return gatehouse.Errorf(gatehouse.Unavailable, "the sealing key changes all the time, so no backup was made; try again when gatehouse rekey has ended")
}

// Both hold copies while a backup is made.
const (
	scratchPattern = ".backup-*"           // folders in the data directory
	archivePattern = ".gatehouse-backup-*" // files beside the backup
)

// newScratch makes a folder for the copies. The lock must be held as long as the folder is there.
func newScratch(dataDir string) (dir string, lock *os.File, err error) {
	if err := removeLeftovers(filepath.Join(dataDir, scratchPattern)); err != nil {
		return "", nil, err
	}
	if dir, err = os.MkdirTemp(dataDir, scratchPattern); err != nil {
		return "", nil, err
	}
	lock, err = lockLeftover(dir)
	return dir, lock, err
}

// removeLeftovers removes what killed backups have left. A lock tells that from what is in use, and what was made a moment ago may not
// be locked yet.
func removeLeftovers(pattern string) error {
	old, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, path := range old {
		info, err := os.Stat(path)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		lock, err := lockLeftover(path)
		if err != nil {
			continue
		}
		if err := errors.Join(os.RemoveAll(path), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

func lockLeftover(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lockNow(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func lockNow(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

func fileExists(path string) error {
	return gatehouse.Errorf(gatehouse.Conflict, "the file %s exists already; move it away or give another name", path)
}

// archived is a file of a backup: its name there, and where it lies.
type archived struct{ name, path string }

// writeArchive puts the files into a new tar file. Either the whole file is there afterwards, or none.
func writeArchive(path string, files []archived) error {
	if err := removeLeftovers(filepath.Join(filepath.Dir(path), archivePattern)); err != nil {
		return explainFile(err, path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), archivePattern) // mode 0600
	if err != nil {
		return explainFile(err, path)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	_ = lockNow(tmp) // where a file system has no locks, the time of the last write still tells
	archive := tar.NewWriter(tmp)
	for _, one := range files {
		if err := addFile(archive, one); err != nil {
			return explainFile(fmt.Errorf("back up %s: %w", one.name, err), path)
		}
	}
	if err := errors.Join(archive.Close(), tmp.Sync(), tmp.Close()); err != nil {
		return explainFile(fmt.Errorf("write the backup: %w", err), path)
	}
	err = os.Link(tmp.Name(), path) // unlike a rename, a link never replaces a file
	if errors.Is(err, fs.ErrExist) {
		return fileExists(path)
	}
	if err != nil { // some file systems have no links
		err = os.Rename(tmp.Name(), path)
	}
	return explainFile(err, path)
}

func addFile(archive *tar.Writer, one archived) error {
	f, err := os.Open(one.path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: one.name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}
