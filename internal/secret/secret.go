// Package secret makes, parses, checks, masks and hashes the secrets that Gatehouse hands out, and seals them at rest.
//
// A secret is a prefix that says its kind (vmat_ or vmak_), 32 random base62 characters (190 bits), and 6 base62 characters of
// the CRC-32 of all before. The checksum lets the endpoint turn away typing errors without a look-up, and lets secret scanners
// find leaks.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"strings"

	"gatehouse/internal/gatehouse"
)

// Kind is what a secret is for; its value is the prefix.
type Kind string

const (
	AccessToken Kind = "vmat_"
	APIKey      Kind = "vmak_"
)

const (
	prefixLength   = 5
	randomLength   = 32
	checksumLength = 6
	length         = prefixLength + randomLength + checksumLength
	maskLength     = 4
)

// Pattern finds secrets in text, for secret scanners. The README shows it.
const Pattern = `\bvma[tk]_[0-9A-Za-z]{38}\b`

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// Secret is a secret in memory. Every way of printing it gives the mask; only Reveal gives the value.
type Secret struct {
	// value stands behind a pointer, since fmt prints the unexported fields of other structs without asking their methods.
	value *string
}

// New makes a secret from the operating system's randomness.
func New(kind Kind) Secret {
	body := string(kind) + randomBase62(randomLength)
	return From(body + checksum(body))
}

// From wraps a value that exists already.
func From(value string) Secret { return Secret{&value} }

// Reveal gives the value. Each call stands at a place where a person or client asked for it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Mask gives the first four random characters.
func (s Secret) Mask() string { return Mask(s.Reveal()) }

// Hash gives the look-up key.
func (s Secret) Hash() gatehouse.SecretHash { return Hash(s.Reveal()) }

// String gives the mask and dots.
func (s Secret) String() string { return s.Mask() + "••••" }

// Format hides the value from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue hides the value from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value from encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// randomBase62 draws n characters without bias: bytes above the greatest multiple of 62 are thrown away.
func randomBase62(n int) string {
	const limit = 256 - 256%len(base62)
	out := make([]byte, 0, n)
	var buf [64]byte
	for {
		rand.Read(buf[:]) // never fails since Go 1.24
		for _, b := range buf {
			if int(b) >= limit {
				continue
			}
			out = append(out, base62[int(b)%len(base62)])
			if len(out) == n {
				return string(out)
			}
		}
	}
}

func checksum(body string) string {
	var out [checksumLength]byte
	sum := crc32.ChecksumIEEE([]byte(body))
	for i := checksumLength - 1; i >= 0; i-- {
		out[i] = base62[sum%62]
		sum /= 62
	}
	return string(out[:])
}

// HasPrefix reports whether s claims to be one of Gatehouse's secrets. One that does must also be Valid; others may have been
// imported and are known by their hash alone.
func HasPrefix(s string) bool {
	return strings.HasPrefix(s, string(AccessToken)) || strings.HasPrefix(s, string(APIKey))
}

// KindOf gives the kind that the prefix claims.
func KindOf(s string) (Kind, bool) {
	if !HasPrefix(s) {
		return "", false
	}
	return Kind(s[:prefixLength]), true
}

// Valid reports whether s has the form of one of Gatehouse's secrets and the right checksum.
func Valid(s string) bool {
	if len(s) != length || !HasPrefix(s) {
		return false
	}
	for i := prefixLength; i < length; i++ {
		if !isBase62(s[i]) {
			return false
		}
	}
	body := s[:length-checksumLength]
	return s[length-checksumLength:] == checksum(body)
}

func isBase62(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}

// Hash gives the SHA-256 by which a secret is looked up.
func Hash(s string) gatehouse.SecretHash { return sha256.Sum256([]byte(s)) }

// Mask gives the first four random characters, which is all that lists, logs and errors show. Of a secret in a foreign format so
// short that four characters would tell much of it, nothing is shown.
func Mask(s string) string {
	if HasPrefix(s) {
		s = s[prefixLength:]
	}
	if len(s) < 4*maskLength {
		return ""
	}
	for i := range maskLength {
		if c := s[i]; c <= ' ' || c > '~' {
			return ""
		}
	}
	return s[:maskLength]
}
