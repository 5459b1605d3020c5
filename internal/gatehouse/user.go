package gatehouse

import (
	"net/mail"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// User is a person who may sign in to the console.
type User struct {
	ID         string // UUID
	Email      string // lower case
	Role       Role
	Disabled   bool
	Invited    bool // has no password yet, and has never signed in otherwise
	External   bool // signs in through the identity provider, which decides the role
	CreatedAt  time.Time
	LastSignIn time.Time // zero: never
}

// Session is one place where a user is signed in.
type Session struct {
	ID        string // UUID; not what the cookie holds
	CreatedAt time.Time
	SeenAt    time.Time
	Addr      string // client address at sign-in
	UserAgent string // at sign-in, cut to 200 bytes
	Current   bool   // the one that asks
}

// Identity is a person as an identity provider vouches for them.
type Identity struct {
	Issuer  string
	Subject string // unique within the issuer, and never given to another person
	Email   string
	Role    Role
}

// Client is from where a person signs in.
type Client struct {
	Addr      string // without port
	UserAgent string
}

// MinPasswordLength is the least length of a password in characters.
const MinPasswordLength = 12

// mostPasswordLength bounds the work that hashing a hostile password makes.
const mostPasswordLength = 1000

// CheckPassword checks a new password: at least 12 characters.
func CheckPassword(password string) error {
	switch n := utf8.RuneCountInString(password); {
	case n < MinPasswordLength:
		return InvalidField("password", "the password has %s; choose at least %d", characters(n), MinPasswordLength)
	case n > mostPasswordLength:
		return InvalidField("password", "the password has %s; choose at most %d", characters(n), mostPasswordLength)
	}
	return nil
}

func characters(n int) string {
	if n == 1 {
		return "1 character"
	}
	return strconv.Itoa(n) + " characters"
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
