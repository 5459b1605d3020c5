package secret

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
)

func newSealer(t *testing.T) *Sealer {
	t.Helper()
	s, err := CreateSealer(filepath.Join(t.TempDir(), KeysetFile))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t *testing.T, s *Sealer, value Secret, row string) []byte {
	t.Helper()
	sealed, err := s.Seal(value, row)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// wantUnavailable fails unless err tells an operator, in words that hold all of the given ones, what to do.
func wantUnavailable(t *testing.T, err error, words ...string) {
	t.Helper()
	if gatehouse.ErrorCode(err) != gatehouse.Unavailable {
		t.Fatalf("got %v; want an error of code unavailable", err)
	}
	for _, word := range words {
		if !strings.Contains(gatehouse.ErrorMessage(err), word) {
			t.Errorf("%q does not say %q", gatehouse.ErrorMessage(err), word)
		}
	}
}

func TestSealedSecretOpensOnlyInItsRow(t *testing.T) {
	sealer := newSealer(t)
	value := New(AccessToken)
	sealed := seal(t, sealer, value, "row-1")
	if strings.Contains(string(sealed), value.Reveal()) {
		t.Fatal("the sealed secret holds the value")
	}
	opened, err := sealer.Open(sealed, "row-1")
	if err != nil || opened.Reveal() != value.Reveal() {
		t.Fatalf("the secret does not come back: %v", err)
	}
	for _, row := range []string{"row-2", "", "row-1 "} {
		_, err := sealer.Open(sealed, row)
		wantUnavailable(t, err, "keyset", "generate a new one")
	}
}

func TestSealingTwiceGivesDifferentBytes(t *testing.T) {
	sealer := newSealer(t)
	value := New(AccessToken)
	first, second := seal(t, sealer, value, "row"), seal(t, sealer, value, "row")
	if string(first) == string(second) {
		t.Error("equal secrets can be told from their sealed form")
	}
}

func TestTamperedSecretIsRefused(t *testing.T) {
	sealer := newSealer(t)
	value := New(AccessToken)
	sealed := seal(t, sealer, value, "row")
	for i := range sealed {
		changed := append([]byte(nil), sealed...)
		changed[i] ^= 1
		if _, err := sealer.Open(changed, "row"); err == nil {
			t.Fatalf("a changed byte at %d goes unnoticed", i)
		}
	}
	for _, short := range [][]byte{nil, {}, sealed[:5], sealed[:len(sealed)-1]} {
		_, err := sealer.Open(short, "row")
		wantUnavailable(t, err, "keyset")
		if strings.Contains(err.Error(), value.Reveal()) {
			t.Error("the error holds the value")
		}
	}
}

func TestOtherKeyIsRefused(t *testing.T) {
	sealed := seal(t, newSealer(t), New(AccessToken), "row")
	_, err := newSealer(t).Open(sealed, "row")
	wantUnavailable(t, err, "put back the keyset file", "generate a new one")
}

func TestKeysetIsReadableByItsOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	if _, err := CreateSealer(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the mode is %v", info.Mode())
	}
	wantAlone(t, path)
	for _, mode := range []fs.FileMode{0o604, 0o640, 0o602, 0o644, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadSealer(path)
		wantUnavailable(t, err, path, "chmod 600")
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSealer(path); err != nil {
		t.Errorf("a read-only keyset is refused: %v", err)
	}
}

// wantAlone fails when a temporary file, which would hold a key, is left in the folder.
func wantAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder holds %v", entries)
	}
}

func TestTwentyProcessesThatStartTogetherShareOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	var sealers [20]*Sealer
	var errs [20]error
	var group sync.WaitGroup
	for i := range sealers {
		group.Go(func() { sealers[i], errs[i] = CreateSealer(path) })
	}
	group.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	value := New(AccessToken)
	sealed := seal(t, sealers[0], value, "row")
	for i, s := range sealers {
		if opened, err := s.Open(sealed, "row"); err != nil || opened.Reveal() != value.Reveal() {
			t.Errorf("sealer %d has another key: %v", i, err)
		}
	}
	wantAlone(t, path)
}

func TestKeysetSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	created, err := CreateSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	value := New(AccessToken)
	sealed := seal(t, created, value, "row")
	loaded, err := LoadSealer(path)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := loaded.Open(sealed, "row"); err != nil || opened.Reveal() != value.Reveal() {
		t.Errorf("the loaded key does not open what the created one sealed: %v", err)
	}
}

func TestUnusableKeysetIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), KeysetFile)
	if _, err := LoadSealer(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing keyset gives %v", err)
	}
	if _, err := CreateSealer(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := strings.Cut(string(good), `"value":"`)
	key, _, _ = strings.Cut(key, `"`)
	if len(key) < 32 {
		t.Fatalf("no key found in the keyset")
	}
	for _, content := range []string{"", "garbage", "{}", "null", "[]", `{"primaryKeyId":1}`, string(good[:len(good)/2]),
		strings.ReplaceAll(string(good), `"ENABLED"`, `"DISABLED"`), strings.Replace(string(good), key, "*"+key[1:], 1)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadSealer(path)
		wantUnavailable(t, err, path, "undamaged copy")
		if strings.Contains(err.Error(), key[1:]) {
			t.Error("the error for the log holds the key")
		}
		_, err = CreateSealer(path)
		wantUnavailable(t, err, path, "undamaged copy")
		if left, _ := os.ReadFile(path); string(left) != content {
			t.Fatalf("the damaged keyset %q was replaced", content)
		}
	}

	dir := filepath.Join(t.TempDir(), "a-directory")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = LoadSealer(dir)
	wantUnavailable(t, err, dir, "undamaged copy")
	_, err = CreateSealer(filepath.Join(dir, "missing", KeysetFile))
	wantUnavailable(t, err, "cannot be written", "folder exists")
}
