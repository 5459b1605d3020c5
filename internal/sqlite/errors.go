package sqlite

import (
	"errors"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"gatehouse/internal/gatehouse"
)

// explain turns what SQLite reports into an error with a remedy. Errors that it does not know, and those that are explained
// already, pass unchanged.
func explain(err error) error {
	var known *gatehouse.Error
	var e sqlite3.Error
	if err == nil || errors.As(err, &known) || !errors.As(err, &e) {
		return err
	}
	unavailable := func(message string) error {
		return &gatehouse.Error{Code: gatehouse.Unavailable, Message: message, Cause: err}
	}
	if e.Code == sqlite3.ErrFull || e.SystemErrno == syscall.ENOSPC || e.SystemErrno == syscall.EDQUOT {
		return unavailable("the disk is full, so nothing was changed; free some space in the data directory and try again")
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return unavailable("the database is busy with another process, so nothing was changed; try again")
	case sqlite3.ErrReadonly, sqlite3.ErrPerm, sqlite3.ErrAuth:
		return unavailable("the database is read-only for this user, so nothing was changed; make the data directory writable")
	case sqlite3.ErrNotADB:
		return unavailable("the database file is not a Gatehouse database; move it away or give another directory with --data-dir")
	case sqlite3.ErrCorrupt:
		return unavailable("the database is damaged; restore a backup into an empty data directory")
	case sqlite3.ErrCantOpen:
		return unavailable("the database cannot be opened; check that the data directory exists and is writable")
	case sqlite3.ErrIoErr:
		return unavailable("the disk reports an error, so nothing was changed; check the disk of the data directory")
	case sqlite3.ErrConstraint:
		return explainConstraint(e)
	}
	return err
}

// explainConstraint names the field whose value is taken.
func explainConstraint(e sqlite3.Error) error {
	taken := func(field, message string) error {
		return &gatehouse.Error{Code: gatehouse.Conflict, Field: field, Message: message, Cause: e}
	}
	text := e.Error()
	switch {
	case strings.Contains(text, "deployments.name"):
		return taken("name", "a deployment with this name exists already; choose another name")
	case strings.Contains(text, "tokens.deployment_id, tokens.name"):
		return taken("name", "the deployment has a token with this name already; choose another name")
	case strings.Contains(text, "api_keys.name"):
		return taken("name", "an API key with this name exists already; choose another name")
	case strings.Contains(text, "tokens.hash"):
		return taken("", "this secret belongs to another token already")
	case strings.Contains(text, "users.email"):
		return taken("email", "a user with this email address exists already")
	case e.ExtendedCode == sqlite3.ErrConstraintForeignKey:
		return gatehouse.Errorf(gatehouse.NotFound, "what this belongs to has been deleted in the meantime").WithCause(e)
	}
	return e
}
