package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestResealReachesEverySecret(t *testing.T) {
	s := newStore(t)
	d := deployment("prod")
	d.SealedUpstream = []byte("sealed upstream")
	var tokens []gatehouse.StoredToken
	for i := range 2500 { // more than a page
		tokens = append(tokens, token(d.ID, fmt.Sprint("token ", i)))
	}
	must(t, s.Import(t.Context(), []gatehouse.Deployment{d}, tokens))
	key := gatehouse.StoredAPIKey{APIKey: gatehouse.APIKey{ID: "k1", Name: "key", Mask: "7e22", CreatedAt: start}, Hash: gatehouse.SecretHash{1}, Sealed: []byte("sealed key")}
	must(t, s.CreateAPIKey(t.Context(), key, event(gatehouse.APIKeyCreated, "k1")))

	rows := map[string]bool{}
	anew := func(old gatehouse.Sealed) ([]byte, error) {
		rows[old.Row] = true
		if old.Row == tokens[0].ID {
			return nil, nil
		}
		return append([]byte("anew "), old.Sealed...), nil
	}
	record := func(resealed, left int) gatehouse.AuditEvent {
		return event(gatehouse.Rekeyed, fmt.Sprint(resealed, left))
	}
	resealed, left, err := s.Reseal(t.Context(), anew, record)
	must(t, err)
	if resealed != 2501 || left != 1 || len(rows) != 2502 || !rows[gatehouse.UpstreamRow(d.ID)] || !rows["k1"] || !rows[tokens[1].ID] {
		t.Errorf("%d were sealed anew, %d left, of %d rows", resealed, left, len(rows))
	}
	for query, want := range map[string]int{
		`SELECT count(*) FROM tokens WHERE sealed LIKE 'anew sealed %'`:                  2499,
		`SELECT count(*) FROM tokens WHERE sealed LIKE 'sealed %'`:                       1,
		`SELECT count(*) FROM api_keys WHERE sealed = x'616e6577207365616c6564206b6579'`: 1,
		`SELECT count(*) FROM deployments WHERE upstream LIKE 'anew sealed upstream'`:    1,
		`SELECT count(*) FROM audit WHERE object_id = '2501 1'`:                          1,
	} {
		if got := count(t, s.read, query); got != want {
			t.Errorf("%s gives %d, want %d", query, got, want)
		}
	}
	// One that fails on the way leaves all as it was.
	before := dump(t, s)
	calls := 0
	_, _, err = s.Reseal(t.Context(), func(gatehouse.Sealed) ([]byte, error) {
		if calls++; calls > 1500 {
			return nil, errors.New("no")
		}
		return []byte("half"), nil
	}, record)
	if err == nil || dump(t, s) != before {
		t.Errorf("a change that failed (%v) has changed something", err)
	}
}

func TestImportFindsTokensByTheirSecrets(t *testing.T) {
	s := newStore(t)
	d, first := addDeployment(t, s, "prod")
	found, err := s.TokensByHash(t.Context(), []gatehouse.SecretHash{first.Hash, {1}})
	must(t, err)
	if len(found) != 1 || found[first.Hash].ID != first.ID {
		t.Errorf("found %+v", found)
	}
	before := dump(t, s)
	twin := token(d.ID, "twin")
	twin.Hash = first.Hash
	err = s.Import(t.Context(), []gatehouse.Deployment{deployment("new")}, []gatehouse.StoredToken{token(d.ID, "fine"), twin}, event(gatehouse.TokenImported, "x"))
	wantError(t, err, gatehouse.Conflict, "another token")
	must(t, s.Import(t.Context(), nil, nil))
	if dump(t, s) != before {
		t.Error("a refused import, or one of nothing, has changed something")
	}
}

func TestCheckFindsADamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s := openStore(t, path)
	d, _ := addDeployment(t, s, "prod")
	for i := range 200 {
		addToken(t, s, d.ID, fmt.Sprint("token ", i))
	}
	schema, problems, err := s.Check(t.Context())
	if err != nil || len(problems) > 0 || schema != len(migrationFiles()) {
		t.Fatalf("schema %d, %q, %v", schema, problems, err)
	}
	page := count(t, s.read, `SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_tokens_1'`)
	size := count(t, s.read, `PRAGMA page_size`)
	must(t, s.Close())
	content, err := os.ReadFile(path)
	must(t, err)
	copy(content[(page-1)*size:], bytes.Repeat([]byte{0xff}, size))
	must(t, os.WriteFile(path, content, 0o600))
	s = openStore(t, path)
	if _, problems, err := s.Check(t.Context()); err == nil && len(problems) == 0 {
		t.Error("the damage is not found")
	}
}
