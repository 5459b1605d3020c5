package secret

import (
	"path/filepath"
	"testing"
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
	if err := here.AddKey(); err != nil {
		t.Fatal(err)
	}
	opens(here, old, true)
	opens(server, old, true)
	fresh := seal(t, server, value, "row")
	opens(here, fresh, true)
	if err := here.DropOldKeys(); err != nil {
		t.Fatal(err)
	}
	opens(server, fresh, true)
	opens(here, fresh, true)
	opens(server, old, false)
	opens(here, old, false)
	wantAlone(t, path)

	// Half a change, as after a crash, does not stop the next one.
	if err := here.AddKey(); err != nil {
		t.Fatal(err)
	}
	third, err := LoadSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := third.AddKey(); err != nil {
		t.Fatal(err)
	}
	opens(third, fresh, true)
	newest := seal(t, third, value, "row")
	if err := third.DropOldKeys(); err != nil {
		t.Fatal(err)
	}
	opens(server, newest, true)
	opens(server, fresh, false)
}
