package control

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"gatehouse/internal/gatehouse"
)

// The cost of a password hash: the first choice of
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#argon2id with 19 MiB and 2 passes.
const (
	argonMemory  = 19 * 1024 // KiB
	argonPasses  = 2
	argonThreads = 1
	argonKey     = 32 // bytes
	argonSalt    = 16 // bytes
)

// hashing bounds how many hashes are worked out at the same time, and with them the memory that a flood of sign-ins can take.
var hashing = make(chan struct{}, 4)

// hashPassword checks a new password and gives its hash in the PHC string format.
func hashPassword(password string) (string, error) {
	if err := gatehouse.CheckPassword(password); err != nil {
		return "", err
	}
	salt := randomBytes(argonSalt)
	return formatHash(salt, argon(password, salt, argonPasses, argonMemory, argonThreads)), nil
}

// nobody is a well-formed hash that no password fits. It is compared with where there is no user, so that an unknown email address
// takes as long as a known one.
var nobody = formatHash(randomBytes(argonSalt), randomBytes(argonKey))

func formatHash(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails since Go 1.24
	return b
}

// mostChecking bounds the requests that wait for their turn to have a password checked, and the time that they wait.
const mostChecking = 64

var checking = make(chan struct{}, mostChecking)

// checkPassword is samePassword, unless too many ask for it at the same time.
func checkPassword(password, hash string) (bool, error) {
	select {
	case checking <- struct{}{}:
	default:
		return false, gatehouse.Errorf(gatehouse.Unavailable, "too many people are signing in at this moment; try again in a few seconds")
	}
	defer func() { <-checking }()
	return samePassword(password, hash), nil
}

// samePassword reports whether password is the one that hash was made of.
func samePassword(password, hash string) bool {
	var version, memory, passes uint32
	var threads uint8
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &threads); err != nil || version != argon2.Version {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) != argonKey || passes == 0 || threads == 0 {
		return false
	}
	return subtle.ConstantTimeCompare(argon(password, salt, passes, memory, threads), key) == 1
}

func argon(password string, salt []byte, passes, memory uint32, threads uint8) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return argon2.IDKey([]byte(password), salt, passes, memory, threads, argonKey)
}
