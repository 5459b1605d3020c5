package gatehouse

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an error is. Each outer layer maps the codes once: the console and the API to an HTTP
// status, the command line to an exit code.
type Code string

const (
	// Invalid is bad input; Error.Field names the field when there is one.
	Invalid Code = "invalid"
	// NotFound is an ID or name that stands for nothing.
	NotFound Code = "not_found"
	// Conflict is a change that the present state does not allow, such as a name that is taken.
	Conflict Code = "conflict"
	// Unauthenticated is a missing or wrong proof of identity.
	Unauthenticated Code = "unauthenticated"
	// Forbidden is an actor without the right.
	Forbidden Code = "forbidden"
	// Unavailable is something that may work later: a full disk, a locked database, an engine that does not run.
	Unavailable Code = "unavailable"
	// Internal is every error that is not an *Error. Its text is for the log only.
	Internal Code = "internal"
)

// Error is a failure that may be told to the user: Message is one lower-case sentence that says what failed and what to do. The
// cause, when there is one, is for the log only.
type Error struct {
	Code    Code
	Field   string // name of the bad input field, or empty
	Message string
	Cause   error
}

// Error gives the whole chain, for the log. Show users ErrorMessage instead.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error without a cause.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes an Invalid error that stands beside the named field of a form.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// WithCause gives a copy of e that also carries cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// Prefixed gives err with words in front of what the user sees. Code and field stay.
func Prefixed(prefix string, err error) *Error {
	return &Error{Code: ErrorCode(err), Field: ErrorField(err), Message: prefix + ErrorMessage(err), Cause: err}
}

// ErrorCode gives the code of err: "" for nil, Internal for an error that is not an *Error.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// ErrorMessage gives the text that a user may see. Errors from elsewhere are hidden behind one sentence: they may hold paths,
// addresses or SQL.
func ErrorMessage(err error) string {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "something went wrong inside Gatehouse; the server log says what"
}

// ErrorField gives the name of the input field that err is about, or "".
func ErrorField(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}
