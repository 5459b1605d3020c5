package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/owner"
)

// KeysetFile is the usual name of the sealing key's file in the data directory.
const KeysetFile = "keyset.json"

// Sealer seals secrets for the database and opens them again, so that a stolen database file alone gives no secret. The key lives
// outside the database, in a file that only its owner may read. When another process changes the file, the Sealer follows.
type Sealer struct {
	path string

	mu     sync.Mutex
	file   fs.FileInfo // of the file that was read
	handle *keyset.Handle
	aead   tink.AEAD
}

// Seal encrypts s. The result opens only with the same row, the ID of what the secret belongs to: a sealed secret copied into
// another row is worthless there.
func (s *Sealer) Seal(secret Secret, row string) ([]byte, error) {
	sealed, err := s.current().Encrypt([]byte(secret.Reveal()), []byte(row))
	if err != nil {
		return nil, fmt.Errorf("seal a secret: %w", err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same row.
func (s *Sealer) Open(sealed []byte, row string) (Secret, error) {
	value, err := s.current().Decrypt(sealed, []byte(row))
	if err != nil {
		return Secret{}, gatehouse.Errorf(gatehouse.Unavailable,
			"the secret cannot be opened with this keyset; put back the keyset file that was in use when it was made, or delete the token and generate a new one").WithCause(err)
	}
	return From(string(value)), nil
}

// current gives the key as the file has it now. Where the file is away or damaged, the key that was read from it goes on to serve.
func (s *Sealer) current() tink.AEAD {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, err := os.Stat(s.path)
	if err == nil && (!os.SameFile(info, s.file) || !info.ModTime().Equal(s.file.ModTime()) || info.Size() != s.file.Size()) {
		if read, err := LoadSealer(s.path); err == nil {
			s.file, s.handle, s.aead = read.file, read.handle, read.aead
		}
	}
	return s.aead
}

// LoadSealer reads the key from path. A missing file is fs.ErrNotExist.
func LoadSealer(path string) (*Sealer, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, gatehouse.Errorf(gatehouse.Unavailable,
			"the keyset file %s may be read by others than its owner; run: chmod 600 %s", path, path)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(f))
	if err != nil {
		return nil, unusable(path, err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, unusable(path, err)
	}
	return &Sealer{path: path, file: info, handle: handle, aead: primitive}, nil
}

func unusable(path string, err error) error {
	return gatehouse.Errorf(gatehouse.Unavailable,
		"the keyset file %s cannot be used; put back an undamaged copy of it", path).WithCause(err)
}

func unwritable(path string, err error) error {
	return gatehouse.Errorf(gatehouse.Unavailable,
		"the keyset file %s cannot be written; see that its folder exists, is writable and has free space", path).WithCause(err)
}

// CreateSealer makes a new key and stores it at path, mode 0600. It never replaces a file: of two processes that start at the
// same time, both end up with the key of the first.
func CreateSealer(path string) (*Sealer, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a sealing key: %w", err)
	}
	err = writeKeyset(path, handle, func(from, to string) error {
		if err := os.Link(from, to); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return LoadSealer(path)
}

// writeKeyset writes a whole file beside path, and then has put give it its name.
func writeKeyset(path string, handle *keyset.Handle, put func(from, to string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".keyset-*") // mode 0600
	if err != nil {
		return unwritable(path, err)
	}
	defer os.Remove(tmp.Name())
	err = insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(tmp))
	if err := errors.Join(err, owner.Inherit(tmp, path, filepath.Dir(path)), tmp.Sync(), tmp.Close()); err != nil {
		return unwritable(path, err)
	}
	if err := put(tmp.Name(), path); err != nil {
		return unwritable(path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return unwritable(path, err)
	}
	return nil
}

// syncDir makes a new file name survive a power cut: secrets sealed with a key that is gone are lost.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
