package gatehouse

import (
	"slices"
	"strings"
	"time"
)

// APIKey is a credential for managing Gatehouse, without its secret. It never works on the access endpoint.
type APIKey struct {
	ID          string // UUID
	Name        string
	ReadOnly    bool
	Deployments []string // IDs; nil: all, those of the future too
	Mask        string   // the secret's first four random characters
	CreatedAt   time.Time
	CreatedBy   string    // email of the person, or "command line"
	ExpiresAt   time.Time // zero: never
	LastUse     *Use      // nil: never used
}

// Expired reports whether the key has come to its end at the time.
func (k APIKey) Expired(at time.Time) bool { return !k.ExpiresAt.IsZero() && !at.Before(k.ExpiresAt) }

// PermissionsLabel is what the key may do, as the screen shows it.
func (k APIKey) PermissionsLabel() string {
	if k.ReadOnly {
		return "Read-only"
	}
	return "Read/Write"
}

// Actor is who acts when a request carries the key: an admin, within the key's bounds.
func (k APIKey) Actor(addr string) Actor {
	return Actor{Kind: KeyHolder, ID: k.ID, Name: k.Name, Role: Admin, Addr: addr, ReadOnly: k.ReadOnly, Deployments: k.Deployments}
}

// NewAPIKey is the input from which a key is made.
type NewAPIKey struct {
	Name        string
	ReadOnly    bool
	Deployments []string  // IDs; nil: all, those of the future too
	ExpiresAt   time.Time // zero: never
}

// MostKeyDeployments bounds the list of one key.
const MostKeyDeployments = 1000

// Check validates n at the time. Whether the deployments exist is for the store to say.
func (n NewAPIKey) Check(at time.Time) error {
	if err := CheckName(n.Name); err != nil {
		return err
	}
	switch {
	case n.Deployments != nil && len(n.Deployments) == 0:
		return InvalidField("deployments", "the list of deployments is empty; name at least one, or choose all")
	case len(n.Deployments) > MostKeyDeployments:
		return InvalidField("deployments", "the list has %d deployments; name at most %d, or choose all", len(n.Deployments), MostKeyDeployments)
	case !n.ExpiresAt.IsZero() && !n.ExpiresAt.After(at):
		return InvalidField("expires", "the key would have expired already; choose a later date")
	case n.ExpiresAt.After(at.AddDate(100, 0, 0)):
		return InvalidField("expires", "the key would live for more than 100 years; choose an earlier date, or never")
	}
	return nil
}

// ParseLifetime reads when a key made at the time expires: "30d" and the like, a date such as "2027-01-31" (the key works until
// the end of that day, UTC), or "never", which gives the zero time.
func ParseLifetime(s string, at time.Time) (time.Time, error) {
	if s == "never" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	if days, ok := parseUint32(strings.TrimSuffix(s, "d")); ok && strings.HasSuffix(s, "d") && days > 0 && days <= 36500 {
		return at.AddDate(0, 0, int(days)), nil
	}
	return time.Time{}, InvalidField("expires", "the lifetime %q is not valid; write days like 90d, a date like 2027-01-31, or never", shorten(s))
}

// ParseKeyPermissions reads "r" (read-only) or "rw".
func ParseKeyPermissions(s string) (readOnly bool, err error) {
	switch s {
	case "r":
		return true, nil
	case "rw":
		return false, nil
	}
	return false, InvalidField("permissions", "the permissions %q are unknown; choose r (read-only) or rw (read and write)", shorten(s))
}

// StoredAPIKey is a key with what the store keeps of its secret.
type StoredAPIKey struct {
	APIKey
	Hash   SecretHash
	Sealed []byte
}

// covers reports whether the deployment is in the list; nil lists all.
func covers(deployments []string, id string) bool {
	return deployments == nil || slices.Contains(deployments, id)
}
