package gatehouse

import (
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// Role is what a user may do, as in VictoriaMetrics Cloud.
type Role string

const (
	Admin  Role = "admin"  // everything
	Editor Role = "editor" // deployments and tokens
	Viewer Role = "viewer" // looks, never sees or copies a secret
)

// ParseRole reads "admin", "editor" or "viewer".
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case Admin, Editor, Viewer:
		return r, nil
	}
	return "", InvalidField("role", "the role %q is unknown; choose admin, editor or viewer", shorten(s))
}

// Right is one thing that control asks a role for.
type Right string

const (
	ViewDeployments   Right = "view deployments"
	ChangeDeployments Right = "create, connect or delete deployments"
	ViewTokens        Right = "list access tokens"
	ChangeTokens      Right = "generate or delete access tokens"
	RevealTokens      Right = "see or copy a secret"
	ManageUsers       Right = "manage users"
	ManageServer      Right = "back up or restore"
)

// Can reports whether the role carries the right.
func (r Role) Can(right Right) bool {
	switch r {
	case Admin:
		return true
	case Editor:
		return right != ManageUsers && right != ManageServer
	case Viewer:
		return right == ViewDeployments
	}
	return false
}

// User is a person who may sign in to the console.
type User struct {
	ID        string // UUID
	Email     string // lower case
	Role      Role
	Disabled  bool
	CreatedAt time.Time
}

// MinPasswordLength is the least length of a password in characters.
const MinPasswordLength = 12

// mostPasswordLength bounds the work that hashing a hostile password makes.
const mostPasswordLength = 1000

// CheckPassword checks a new password: at least 12 characters.
func CheckPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPasswordLength:
		return InvalidField("password", "the password has %d characters; choose at least %d", n, MinPasswordLength)
	case n > mostPasswordLength:
		return InvalidField("password", "the password has %d characters; choose at most %d", n, mostPasswordLength)
	}
	return nil
}

// ParseEmail checks an email address and gives its lower-case form, by which users are told apart.
func ParseEmail(s string) (string, error) {
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	if err != nil || a.Name != "" || a.Address != s || len(s) > 254 || !strings.Contains(s, "@") {
		return "", InvalidField("email", "the email address %q is not valid; write it like ops@example.com", shorten(s))
	}
	return strings.ToLower(s), nil
}
