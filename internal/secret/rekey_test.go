package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestANewKeyReplacesTheOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	here, err := CreateSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	server, err := LoadSealer(path) // another process that has the file open
	if err != nil {
		t.Fatal(err)
	}
	value := New(AccessToken)
	opens := func(s *Sealer, sealed []byte, want bool) {
		t.Helper()
		opened, err := s.Open(sealed, "row")
		if (err == nil) != want || want && opened.Reveal() != value.Reveal() {
			t.Errorf("the secret opens: %v; want %v", err == nil, want)
		}
	}
	old := seal(t, server, value, "row")
	if err := here.addKey(); err != nil {
		t.Fatal(err)
	}
	opens(here, old, true)
	opens(server, old, true)
	fresh := seal(t, server, value, "row")
	opens(here, fresh, true)
	if err := here.dropOldKeys(); err != nil {
		t.Fatal(err)
	}
	opens(server, fresh, true)
	opens(here, fresh, true)
	opens(server, old, false)
	opens(here, old, false)
	wantAlone(t, path)

	// Half a change, as after a crash, does not stop the next one.
	if err := here.addKey(); err != nil {
		t.Fatal(err)
	}
	third, err := LoadSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.addKey(); err != nil {
		t.Fatal(err)
	}
	opens(third, fresh, true)
	newest := seal(t, third, value, "row")
	if err := third.dropOldKeys(); err != nil {
		t.Fatal(err)
	}
	opens(server, newest, true)
	opens(server, fresh, false)
}

func TestOnlyOneChangesTheKeyAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	here, err := CreateSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := LoadSealer(path) // another process
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, here, From("value"), "row")
	change := func(s *Sealer, all bool) error {
		return s.ChangeKey(func() (bool, error) {
			opened, err := s.Open(sealed, "row")
			if err != nil {
				return false, err
			}
			err = other.ChangeKey(func() (bool, error) {
				t.Error("a second change goes on beside the first")
				return false, nil
			})
			if gatehouse.ErrorCode(err) != gatehouse.Conflict {
				t.Errorf("a second change beside the first gives %v", err)
			}
			if all {
				sealed, err = s.Seal(opened, "row")
				return true, err
			}
			return false, nil
		})
	}
	for _, all := range []bool{true, false, true} {
		if err := change(here, all); err != nil {
			t.Fatal(err)
		}
		if opened, err := other.Open(sealed, "row"); err != nil || opened.Reveal() != "value" {
			t.Errorf("after a change that sealed all anew: %v, the secret is lost: %v", all, err)
		}
	}
}

func TestAKeysetThatIsAwayIsNotWrittenFromMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	s, err := CreateSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	wantUnavailable(t, s.ChangeKey(func() (bool, error) { return true, nil }), "put back")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a keyset again: %v", err)
	}
}
