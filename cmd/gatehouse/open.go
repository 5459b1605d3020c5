package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

func (c *commands) databasePath() string { return filepath.Join(c.DataDir, sqlite.File) }

func (c *commands) keysetPath() string {
	if c.Keyset != "" {
		return c.Keyset
	}
	return filepath.Join(c.DataDir, secret.KeysetFile)
}

// createDataDir makes the data directory when it is missing. Nobody else may look inside.
func (c *commands) createDataDir() error {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return gatehouse.Errorf(gatehouse.Unavailable, "the data directory %s cannot be created; make its parent writable or give another with --data-dir", c.DataDir).WithCause(err)
	}
	return nil
}

// requireData refuses a data directory that holds no database: a typing error must not make a new, empty one.
func (c *commands) requireData() error {
	if _, err := os.Stat(c.databasePath()); errors.Is(err, fs.ErrNotExist) {
		return gatehouse.Errorf(gatehouse.NotFound, "there is no Gatehouse database in %s; give its directory with --data-dir, or start with: gatehouse serve", c.DataDir)
	}
	return nil
}

// openData opens database and sealing key.
func (c *commands) openData(ctx context.Context) (*sqlite.Store, *secret.Sealer, error) {
	store, err := sqlite.Open(ctx, c.databasePath())
	if err != nil {
		return nil, nil, err
	}
	sealer, err := c.openSealer(ctx, store)
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return store, sealer, nil
}

// openSealer loads the sealing key. It makes a new one only while nothing is sealed: with another key, the secrets that are stored
// could never be opened again.
func (c *commands) openSealer(ctx context.Context, store *sqlite.Store) (*secret.Sealer, error) {
	path := c.keysetPath()
	samples, err := store.SealedSamples(ctx)
	if err != nil {
		return nil, err
	}
	sealer, err := secret.LoadSealer(path)
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case missing && len(samples) > 0:
		return nil, gatehouse.Errorf(gatehouse.Unavailable,
			"the keyset file %s is missing, and the stored secrets cannot be opened without it; put it back, or give its place with --keyset", path)
	case missing:
		sealer, err = secret.CreateSealer(path)
	case err == nil && len(samples) > 0 && !opensAny(sealer, samples):
		return nil, gatehouse.Errorf(gatehouse.Unavailable,
			"the keyset file %s is not the one with which the stored secrets were sealed; put that one back, or give its place with --keyset", path)
	}
	return sealer, explainFile(err, path)
}

func opensAny(sealer *secret.Sealer, samples []gatehouse.Sealed) bool {
	return slices.ContainsFunc(samples, func(one gatehouse.Sealed) bool {
		_, err := sealer.Open(one.Sealed, one.Row)
		return err == nil
	})
}

// explainFile turns a failure of the operating system into a sentence with a remedy.
func explainFile(err error, path string) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return gatehouse.Errorf(gatehouse.Unavailable, "%s cannot be opened by this user; change its owner, or run as the user that owns it", path).WithCause(err)
	case errors.Is(err, syscall.ENOSPC):
		return gatehouse.Errorf(gatehouse.Unavailable, "the disk is full, so %s could not be written; free some space and try again", path).WithCause(err)
	}
	return err
}

// refuseOutdated keeps every command but serve and restore from bringing a database up to date: an older server may run on it, and a
// backup of it should be one that the older version can restore.
func (c *commands) refuseOutdated(ctx context.Context) error {
	seen, known, err := sqlite.Version(ctx, c.databasePath())
	if err != nil || seen == 0 || seen == known {
		return err
	}
	return gatehouse.Errorf(gatehouse.Conflict,
		"the database %s is of an older Gatehouse (schema %d, this one has %d); back up with that version, stop its server, and start this one with: gatehouse serve", c.databasePath(), seen, known)
}

// withControl runs fn on the control plane of the data directory, as the person at the command line.
func (c *commands) withControl(ctx context.Context, fn func(*control.Control, gatehouse.Actor) error) error {
	if err := c.refuseOutdated(ctx); err != nil {
		return err
	}
	return c.withUpdatedControl(ctx, fn)
}

// withUpdatedControl is withControl, and brings the database up to date.
func (c *commands) withUpdatedControl(ctx context.Context, fn func(*control.Control, gatehouse.Actor) error) error {
	store, sealer, err := c.openData(ctx)
	if err != nil {
		return err
	}
	live, err := serverRuns(c.DataDir)
	if err == nil {
		config := control.Config{Store: store, Sealer: sealer, Live: live}
		if live {
			config.Publish = waitForServer
		}
		err = fn(control.New(config), commandLineActor())
	}
	return errors.Join(err, store.Close())
}

// waitForServer gives the running server the time in which it notices changes of other processes, so that a script may use a token
// in the line after the one that created it.
func waitForServer(ctx context.Context) error {
	select {
	case <-time.After(100 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withData is withControl for commands that need a database to be there.
func (c *commands) withData(ctx context.Context, fn func(*control.Control, gatehouse.Actor) error) error {
	if err := c.requireData(); err != nil {
		return err
	}
	return c.withControl(ctx, fn)
}

// withNewData is withControl for commands with which one may begin.
func (c *commands) withNewData(ctx context.Context, fn func(*control.Control, gatehouse.Actor) error) error {
	if err := c.createDataDir(); err != nil {
		return err
	}
	return c.withControl(ctx, fn)
}

// commandLineActor is whoever runs the command. Who can write the data directory may do everything.
func commandLineActor() gatehouse.Actor {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return gatehouse.Actor{Kind: gatehouse.CommandLine, Name: name, Role: gatehouse.Admin}
}

const (
	serveLock = "serve.lock"
	// lockPatience outlasts serverRuns, which holds the lock for a moment to see whether it is free.
	lockPatience = time.Second
)

// lockDataDir makes this process the one server of the data directory until it ends.
func lockDataDir(dir string) (*os.File, error) {
	return lockFile(filepath.Join(dir, serveLock),
		"another gatehouse serve runs on the data directory "+dir+"; stop it first or give another with --data-dir")
}

// lockFile takes a lock that ends with the process, however it ends. taken is the error when another process has it.
func lockFile(path, taken string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, gatehouse.Errorf(gatehouse.Unavailable, "the data directory %s cannot be written; make it writable for this user or give another with --data-dir", filepath.Dir(path)).WithCause(err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(lockPatience / 20) {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, gatehouse.Errorf(gatehouse.Conflict, "%s", taken).WithCause(err)
	}
	return f, nil
}

// writeAddress notes in the lock file where the server's console is.
func writeAddress(lock *os.File, consoleURL string) error {
	if err := lock.Truncate(0); err != nil {
		return explainFile(err, lock.Name())
	}
	_, err := lock.WriteAt([]byte(consoleURL), 0)
	return explainFile(err, lock.Name())
}

// consoleAddress is where the console of the running server is, or "" when none runs.
func (c *commands) consoleAddress() string {
	if runs, err := serverRuns(c.DataDir); err != nil || !runs {
		return ""
	}
	address, _ := os.ReadFile(filepath.Join(c.DataDir, serveLock)) // nothing is lost without it
	return string(address)
}

// serverRuns reports whether a server holds the lock.
func serverRuns(dir string) (bool, error) {
	f, err := os.Open(filepath.Join(dir, serveLock))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether a server runs: %w", err)
	}
	defer f.Close()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return errors.Is(err, syscall.EWOULDBLOCK), nil
}
