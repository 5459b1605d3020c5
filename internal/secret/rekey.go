package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/owner"
)

// lockSuffix names the file beside the keyset that is locked while its keys change. The keyset itself cannot be: each change puts
// another file in its place.
const lockSuffix = ".lock"

// ChangeKey makes a new key, with which Seal works from then on in all processes, has reseal seal with it all that is stored, and
// forgets the old keys if reseal says that it was all. Otherwise, and after an error, both go on to open. A second change at the
// same time, also by another process, is a Conflict: of two, one would forget the key with which the other seals.
func (s *Sealer) ChangeKey(reseal func() (all bool, err error)) error {
	lock, err := lockKeyset(s.path)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := s.addKey(); err != nil {
		return err
	}
	all, err := reseal()
	if err != nil || !all {
		return err
	}
	return s.dropOldKeys()
}

// lockKeyset takes a lock that ends with the process, however it ends.
func lockKeyset(path string) (*os.File, error) {
	f, err := openLock(path)
	if err != nil {
		return nil, unwritable(path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, gatehouse.Errorf(gatehouse.Conflict, "another gatehouse rekey is under way with this keyset; wait until it has ended").WithCause(err)
	}
	return f, nil
}

// openLock opens the lock file, or makes it.
func openLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+lockSuffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return os.OpenFile(path+lockSuffix, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	return f, owner.Inherit(f, path, filepath.Dir(path))
}

// addKey makes a new key, with which Seal works from now on. What is sealed with the old keys still opens.
func (s *Sealer) addKey() error {
	keys, err := s.stored()
	if err != nil {
		return err
	}
	manager := keyset.NewManagerFromHandle(keys)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err == nil {
		err = manager.SetPrimary(id)
	}
	return s.replace(manager, err)
}

// dropOldKeys forgets all keys but the one with which Seal works. What is sealed with another one never opens again.
func (s *Sealer) dropOldKeys() error {
	keys, err := s.stored()
	if err != nil {
		return err
	}
	manager := keyset.NewManagerFromHandle(keys)
	primary, err := keys.Primary()
	for i := 0; err == nil && i < keys.Len(); i++ {
		var entry *keyset.Entry
		if entry, err = keys.Entry(i); err == nil && entry.KeyID() != primary.KeyID() {
			err = manager.Delete(entry.KeyID())
		}
	}
	return s.replace(manager, err)
}

// stored gives the keys that the file has. Those in memory, which serve while it is away or damaged, may be fewer by now, and
// writing them back would lose the others.
func (s *Sealer) stored() (*keyset.Handle, error) {
	read, err := LoadSealer(s.path)
	var explained *gatehouse.Error
	switch {
	case errors.As(err, &explained):
		return nil, err
	case err != nil:
		return nil, unusable(s.path, err)
	}
	return read.handle, nil
}

func (s *Sealer) replace(manager *keyset.Manager, err error) error {
	if err != nil {
		return fmt.Errorf("change the sealing key: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return fmt.Errorf("change the sealing key: %w", err)
	}
	return writeKeyset(s.path, handle, os.Rename)
}
