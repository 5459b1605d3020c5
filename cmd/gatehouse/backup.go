package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

type backupCommand struct {
	File string `arg:"" help:"File to write; it must not exist yet." type:"path"`
}

// Run writes a tar file with the database and the sealing key. The file opens every secret, and is readable by its owner only.
func (k *backupCommand) Run(ctx context.Context, c *commands) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		if _, err := os.Lstat(k.File); err == nil {
			return fileExists(k.File)
		}
		dir, err := os.MkdirTemp(c.DataDir, ".backup-")
		if err != nil {
			return explainFile(err, c.DataDir)
		}
		defer os.RemoveAll(dir)
		database := filepath.Join(dir, sqlite.File)
		if err := ctl.Backup(ctx, actor, database); err != nil {
			return err
		}
		return writeArchive(k.File, map[string]string{sqlite.File: database, secret.KeysetFile: c.keysetPath()})
	})
}

func fileExists(path string) error {
	return gatehouse.Errorf(gatehouse.Conflict, "the file %s exists already; move it away or give another name", path)
}

// writeArchive puts the files into a new tar file. Either the whole file is there afterwards, or none.
func writeArchive(path string, files map[string]string) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".gatehouse-backup-*") // mode 0600
	if err != nil {
		return explainFile(err, path)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	archive := tar.NewWriter(tmp)
	for _, name := range []string{sqlite.File, secret.KeysetFile} {
		if err := addFile(archive, name, files[name]); err != nil {
			return explainFile(fmt.Errorf("back up %s: %w", name, err), path)
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

func addFile(archive *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

type restoreCommand struct {
	File string `arg:"" help:"Backup file." type:"existingfile"`
}

// Run fills the data directory, which must be empty: a restore never overwrites anything.
func (k *restoreCommand) Run(ctx context.Context, c *commands) error {
	if err := c.createDataDir(); err != nil {
		return err
	}
	entries, err := os.ReadDir(c.DataDir)
	if err != nil {
		return explainFile(err, c.DataDir)
	}
	if len(entries) > 0 {
		return gatehouse.Errorf(gatehouse.Conflict, "the data directory %s is not empty; move its content away or give another with --data-dir", c.DataDir)
	}
	if _, err := os.Lstat(c.keysetPath()); err == nil {
		return fileExists(c.keysetPath())
	}
	if err := k.restore(ctx, c); err != nil {
		os.Remove(c.keysetPath()) // it may lie outside the data directory
		return errors.Join(err, clearDir(c.DataDir))
	}
	return nil
}

func (k *restoreCommand) restore(ctx context.Context, c *commands) error {
	if err := readArchive(k.File, map[string]string{sqlite.File: c.databasePath(), secret.KeysetFile: c.keysetPath()}); err != nil {
		return err
	}
	return c.withControl(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.FinishRestore(ctx, actor)
	})
}

// readArchive unpacks the two files of a backup, and nothing else: names in an archive are somebody's input.
func readArchive(path string, files map[string]string) error {
	f, err := os.Open(path)
	if err != nil {
		return explainFile(err, path)
	}
	defer f.Close()
	found := 0
	for archive := tar.NewReader(f); ; found++ {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		target, known := "", false
		if err == nil {
			target, known = files[header.Name]
		}
		if !known {
			return notABackup(path, err)
		}
		if err := unpack(archive, target); err != nil {
			return err
		}
	}
	if found != len(files) {
		return notABackup(path, nil)
	}
	return nil
}

func unpack(from io.Reader, target string) error {
	out, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fileExists(target)
	}
	if err != nil {
		return explainFile(err, target)
	}
	_, err = io.Copy(out, from)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return explainFile(fmt.Errorf("restore %s: %w", filepath.Base(target), err), target)
	}
	return nil
}

func notABackup(path string, cause error) error {
	return gatehouse.Errorf(gatehouse.Invalid, "%s is not a whole Gatehouse backup; give a file that gatehouse backup has written", path).WithCause(cause)
}

// clearDir empties the directory that was empty before.
func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}
