package sqlite

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

// writeTokensForever is the process that gets killed. It prints the ID of a token once CreateToken has returned.
func writeTokensForever(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	d, err := s.FindDeployment(ctx, "prod")
	if err != nil {
		return err
	}
	for {
		tok := token(d.ID, rand.Text())
		if err := s.CreateToken(ctx, tok, event(gatehouse.TokenCreated, tok.ID)); err != nil {
			return err
		}
		fmt.Println(tok.ID)
	}
}

func TestKilledWriterLosesNothingThatItConfirmed(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	addDeployment(t, s, "prod")
	must(t, s.Close())

	var confirmed []string
	for round := range 3 {
		writer := self("write", path)
		out, err := writer.StdoutPipe()
		must(t, err)
		writer.Stderr = os.Stderr
		must(t, writer.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 20+7*round {
				must(t, writer.Process.Kill()) // what it still wrote into the pipe is read as well
			}
			confirmed = append(confirmed, lines.Text())
		}
		_ = writer.Wait() // it was killed
		if len(confirmed) < 20 {
			t.Fatalf("the writer confirmed %d tokens only", len(confirmed))
		}

		s := openStore(t, path)
		if result := column(t, s, `PRAGMA integrity_check`); len(result) != 1 || result[0] != "ok" {
			t.Errorf("integrity check: %v", result)
		}
		if _, records, err := s.VerifyAudit(t.Context(), gatehouse.AuditHead{}); err != nil || records < len(confirmed) {
			t.Errorf("the audit log has %d whole records: %v", records, err)
		}
		for _, id := range confirmed {
			if _, err := s.Token(t.Context(), id); err != nil {
				t.Errorf("the confirmed token %s is lost: %v", id, err)
			}
			if n := count(t, s.read, `SELECT count(*) FROM audit WHERE object_id = ?`, id); n != 1 {
				t.Errorf("the confirmed token %s has %d audit records, want 1", id, n)
			}
		}
		tokens, records := count(t, s.read, `SELECT count(*) FROM tokens`), count(t, s.read, `SELECT count(*) FROM audit WHERE action = 'token.created'`)
		if tokens != records {
			t.Errorf("%d tokens and %d records of them are stored", tokens, records)
		}
		must(t, s.Close())
	}
}

// fill creates tokens until the store refuses one, and gives that one and its error.
func fill(t *testing.T, s *Store, deploymentID string) (gatehouse.StoredToken, error) {
	t.Helper()
	for range 10_000 {
		tok := token(deploymentID, rand.Text()+strings.Repeat("x", 70))
		tok.Sealed = make([]byte, 4000)
		if err := s.CreateToken(t.Context(), tok, event(gatehouse.TokenCreated, tok.ID)); err != nil {
			return tok, err
		}
	}
	t.Fatal("the disk does not become full")
	return gatehouse.StoredToken{}, nil
}

// wantWhole fails unless the refused token left nothing behind and all is consistent.
func wantWhole(t *testing.T, s *Store, refused gatehouse.StoredToken) {
	t.Helper()
	if result := column(t, s, `PRAGMA integrity_check`); len(result) != 1 || result[0] != "ok" {
		t.Errorf("integrity check: %v", result)
	}
	if _, _, err := s.VerifyAudit(t.Context(), gatehouse.AuditHead{}); err != nil {
		t.Error(err)
	}
	_, err := s.Token(t.Context(), refused.ID)
	wantError(t, err, gatehouse.NotFound)
	tokens, records := count(t, s.read, `SELECT count(*) FROM tokens`), count(t, s.read, `SELECT count(*) FROM audit WHERE action = 'token.created'`)
	notes := count(t, s.read, `SELECT count(*) FROM changes WHERE kind = 'token'`)
	if tokens != records || tokens != notes {
		t.Errorf("%d tokens, %d records and %d change notes of them are stored", tokens, records, notes)
	}
}

func TestFullDatabaseRefusesAndRecovers(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	run(t, s, fmt.Sprintf(`PRAGMA max_page_count = %d`, count(t, s.write, `PRAGMA page_count`)+10))
	refused, err := fill(t, s, d.ID)
	wantError(t, err, gatehouse.Unavailable, "disk is full", "nothing was changed", "free some space")
	wantWhole(t, s, refused)
	run(t, s, fmt.Sprintf(`PRAGMA max_page_count = %d`, math.MaxInt32))
	must(t, s.CreateToken(t.Context(), refused, event(gatehouse.TokenCreated, refused.ID)))
}

func TestFullDiskRefusesAndRecovers(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 512<<10), 0o600))
	s := openStore(t, filepath.Join(dir, File))
	d, _ := addDeployment(t, s, "prod")
	refused, err := fill(t, s, d.ID)
	wantError(t, err, gatehouse.Unavailable, "disk is full", "nothing was changed", "free some space")
	wantWhole(t, s, refused)
	// Deleting needs no space that is not there, or else says so in the same words.
	if err := s.RevokeToken(t.Context(), refused.ID, event(gatehouse.TokenRevoked, refused.ID)); gatehouse.ErrorCode(err) == gatehouse.Internal {
		t.Errorf("a full disk is not explained: %v", err)
	}
	must(t, os.Remove(ballast))
	must(t, s.CreateToken(t.Context(), refused, event(gatehouse.TokenCreated, refused.ID)))
}

func TestStartOnAFullDiskIsExplained(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	_ = os.WriteFile(ballast, make([]byte, 64<<10), 0o600) // as much as fits
	path := filepath.Join(dir, File)
	for range 2 {
		s, err := Open(t.Context(), path)
		if err == nil {
			s.Close()
			t.Fatal("a database fits on a full disk")
		}
		wantError(t, err, gatehouse.Unavailable, "disk is full", "free some space")
	}
	must(t, os.Remove(ballast))
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=4m"))
	s := openStore(t, path)
	addDeployment(t, s, "prod")
	must(t, s.Close())
}
