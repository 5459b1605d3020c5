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
	"gatehouse/internal/owner"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

type restoreCommand struct {
	File string `arg:"" help:"Backup file." type:"existingfile"`
}

// Run fills the data directory, which must be empty: a restore never overwrites anything. A backup without a keyset needs that to be in
// place.
func (k *restoreCommand) Run(ctx context.Context, c *commands) error {
	if err := c.createDataDir(); err != nil {
		return err
	}
	hasKeyset, err := inspectArchive(k.File)
	if err != nil {
		return err
	}
	if err := c.requireRoom(hasKeyset); err != nil {
		return err
	}
	if err := k.restore(ctx, c, hasKeyset); err != nil {
		return errors.Join(err, k.undo(c, hasKeyset))
	}
	return nil
}

// requireRoom refuses to restore over anything.
func (c *commands) requireRoom(hasKeyset bool) error {
	entries, err := os.ReadDir(c.DataDir)
	if err != nil {
		return explainFile(err, c.DataDir)
	}
	for _, e := range entries {
		if hasKeyset || !c.isKeyset(e) {
			return gatehouse.Errorf(gatehouse.Conflict, "the data directory %s is not empty; move its content away or give another with --data-dir", c.DataDir)
		}
	}
	_, err = os.Lstat(c.keysetPath())
	switch there := err == nil; {
	case hasKeyset && there:
		return fileExists(c.keysetPath())
	case !hasKeyset && !there:
		return gatehouse.Errorf(gatehouse.Unavailable,
			"this backup was made without its keyset, and nothing in it can be used without it; put that file at %s, or give its place with --keyset", c.keysetPath())
	}
	return nil
}

// isKeyset reports whether an entry of the data directory is the keyset.
func (c *commands) isKeyset(e os.DirEntry) bool {
	one, err := e.Info()
	if err != nil {
		return false
	}
	other, err := os.Lstat(c.keysetPath())
	return err == nil && os.SameFile(one, other)
}

func (k *restoreCommand) restore(ctx context.Context, c *commands, hasKeyset bool) error {
	files := map[string]string{sqlite.File: c.databasePath()}
	if hasKeyset {
		files[secret.KeysetFile] = c.keysetPath()
	}
	if err := readArchive(k.File, files); err != nil {
		return err
	}
	return c.withUpdatedControl(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		return ctl.FinishRestore(ctx, actor)
	})
}

// undo empties the data directory again, but for a keyset that was there.
func (k *restoreCommand) undo(c *commands, hasKeyset bool) error {
	if hasKeyset {
		os.Remove(c.keysetPath()) // it may lie outside the data directory
	}
	entries, err := os.ReadDir(c.DataDir)
	for _, e := range entries {
		if hasKeyset || !c.isKeyset(e) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(c.DataDir, e.Name())))
		}
	}
	return err
}

// inspectArchive looks whether the file is a whole backup, and whether the keyset is in it.
func inspectArchive(path string) (hasKeyset bool, err error) {
	seen := map[string]bool{}
	err = eachArchived(path, func(name string, content io.Reader) error {
		if name != sqlite.File && name != secret.KeysetFile || seen[name] {
			return notABackup(path, nil)
		}
		seen[name] = true
		_, err := io.Copy(io.Discard, content)
		return err
	})
	if err == nil && !seen[sqlite.File] {
		err = notABackup(path, nil)
	}
	return seen[secret.KeysetFile], err
}

// readArchive unpacks the files of a backup, and nothing else: names in an archive are somebody's input.
func readArchive(path string, files map[string]string) error {
	return eachArchived(path, func(name string, content io.Reader) error {
		target, known := files[name]
		if !known {
			return notABackup(path, nil)
		}
		return unpack(content, target)
	})
}

func eachArchived(path string, fn func(name string, content io.Reader) error) error {
	f, err := os.Open(path)
	if err != nil {
		return explainFile(err, path)
	}
	defer f.Close()
	for archive := tar.NewReader(f); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = fn(header.Name, archive)
		}
		if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = notABackup(path, err)
		}
		if err != nil {
			return err
		}
	}
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
	if err := errors.Join(err, owner.Inherit(out, filepath.Dir(target)), out.Sync(), out.Close()); err != nil {
		return explainFile(fmt.Errorf("restore %s: %w", filepath.Base(target), err), target)
	}
	return nil
}

func notABackup(path string, cause error) error {
	return gatehouse.Errorf(gatehouse.Invalid, "%s is not a whole Gatehouse backup; give a file that gatehouse backup has written", path).WithCause(cause)
}
