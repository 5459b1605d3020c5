package sqlite

import (
	"crypto/sha256"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gatehouse/internal/gatehouse"
)

func apiKey(name string) gatehouse.StoredAPIKey {
	id := uuid.NewString()
	return gatehouse.StoredAPIKey{
		APIKey: gatehouse.APIKey{ID: id, Name: name, Mask: "7e22", CreatedAt: start, CreatedBy: "ops@example.com"},
		Hash:   sha256.Sum256([]byte(id)), Sealed: []byte("sealed " + id),
	}
}

func addAPIKey(t *testing.T, s *Store, k gatehouse.StoredAPIKey) gatehouse.StoredAPIKey {
	t.Helper()
	must(t, s.CreateAPIKey(t.Context(), k, event(gatehouse.APIKeyCreated, k.ID)))
	return k
}

func TestAPIKeysComeBackAsTheyWere(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	plain, bounded := apiKey("plain"), apiKey("bounded")
	bounded.ReadOnly, bounded.Deployments, bounded.ExpiresAt, bounded.CreatedAt = true, []string{d.ID}, start.Add(time.Hour), start.Add(time.Second)
	for _, k := range []gatehouse.StoredAPIKey{plain, bounded} {
		addAPIKey(t, s, k)
		if got, err := s.APIKey(t.Context(), k.ID); err != nil || !reflect.DeepEqual(got, k.APIKey) {
			t.Errorf("found by ID as %+v, %v; want %+v", got, err, k.APIKey)
		}
		if got, err := s.APIKeyByHash(t.Context(), k.Hash); err != nil || !reflect.DeepEqual(got, k.APIKey) {
			t.Errorf("found by hash as %+v, %v; want %+v", got, err, k.APIKey)
		}
	}
	all, err := s.APIKeys(t.Context())
	if err != nil || !reflect.DeepEqual(all, []gatehouse.APIKey{bounded.APIKey, plain.APIKey}) {
		t.Errorf("listed as %+v, %v", all, err)
	}
	sealed, err := s.RevealAPIKey(t.Context(), plain.ID, event(gatehouse.APIKeyRevealed, plain.ID))
	if err != nil || string(sealed) != string(plain.Sealed) {
		t.Errorf("revealed as %q, %v", sealed, err)
	}
}

func TestTheLookUpOfAKeyUsesTheIndex(t *testing.T) {
	s := newStore(t)
	rows, err := s.read.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+selectAPIKey+`WHERE k.hash = ?`, make([]byte, 32))
	must(t, err)
	plan, err := collect(rows, func(line *string) error {
		var id, parent, unused int
		return rows.Scan(&id, &parent, &unused, line)
	})
	must(t, err)
	if text := strings.Join(plan, "; "); strings.Contains(text, "SCAN") || !strings.Contains(text, "(hash=?)") {
		t.Errorf("the plan is %s", text)
	}
}

func TestAPIKeyNamesAreUnique(t *testing.T) {
	s := newStore(t)
	addAPIKey(t, s, apiKey("k"))
	before := dump(t, s)
	again := apiKey("k")
	err := s.CreateAPIKey(t.Context(), again, event(gatehouse.APIKeyCreated, again.ID))
	wantError(t, err, gatehouse.Conflict, "an API key with this name", "choose another")
	if gatehouse.ErrorField(err) != "name" || dump(t, s) != before {
		t.Errorf("the error stands beside the field %q, or something is left behind", gatehouse.ErrorField(err))
	}
}

func TestAKeyForMissingDeploymentsIsRefused(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	before := dump(t, s)
	k := apiKey("k")
	k.Deployments = []string{d.ID, strings.Repeat("x", 1000)}
	err := s.CreateAPIKey(t.Context(), k, event(gatehouse.APIKeyCreated, k.ID))
	wantError(t, err, gatehouse.Invalid, "no deployment with the ID")
	if len(err.Error()) > 200 || dump(t, s) != before {
		t.Errorf("the error is %q, or something is left behind", err)
	}
}

func TestADamagedListOfDeploymentsIsNotTakenForAll(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	k := apiKey("k")
	k.Deployments = []string{d.ID}
	addAPIKey(t, s, k)
	for _, damaged := range []string{"", "null", "{}", `["`, "[]"} {
		run(t, s, `UPDATE api_keys SET deployments = ?`, damaged)
		got, err := s.APIKeyByHash(t.Context(), k.Hash)
		if err != nil || got.Deployments == nil || len(got.Deployments) > 0 || got.Actor("").CanOn(gatehouse.ViewDeployments, d.ID) {
			t.Errorf("%q is read as %+v, %v", damaged, got.Deployments, err)
		}
	}
	must(t, s.RevokeAPIKey(t.Context(), k.ID, event(gatehouse.APIKeyRevoked, k.ID)))
}

func TestRevokedKeyIsGoneWithItsUse(t *testing.T) {
	s := newStore(t)
	k, kept := addAPIKey(t, s, apiKey("k")), addAPIKey(t, s, apiKey("kept"))
	use := gatehouse.Use{At: start.Add(time.Hour), Addr: "192.0.2.1", UserAgent: "terraform"}
	for _, id := range []string{k.ID, kept.ID} {
		must(t, s.SaveAPIKeyUse(t.Context(), id, use))
	}
	must(t, s.SaveAPIKeyUse(t.Context(), k.ID, gatehouse.Use{At: start, Addr: "192.0.2.2"})) // late news
	if got, err := s.APIKey(t.Context(), k.ID); err != nil || got.LastUse == nil || *got.LastUse != use {
		t.Errorf("the last use is %+v, %v", got.LastUse, err)
	}
	must(t, s.RevokeAPIKey(t.Context(), k.ID, event(gatehouse.APIKeyRevoked, k.ID)))
	must(t, s.SaveAPIKeyUse(t.Context(), k.ID, use))
	_, err := s.APIKeyByHash(t.Context(), k.Hash)
	wantError(t, err, gatehouse.NotFound)
	before := dump(t, s)
	_, err = s.RevealAPIKey(t.Context(), k.ID, event(gatehouse.APIKeyRevealed, k.ID))
	wantError(t, err, gatehouse.NotFound)
	wantError(t, s.RevokeAPIKey(t.Context(), k.ID, event(gatehouse.APIKeyRevoked, k.ID)), gatehouse.NotFound, "API key")
	if n := count(t, s.read, `SELECT count(*) FROM api_key_uses`); n != 1 || dump(t, s) != before {
		t.Errorf("%d uses are stored, or a refused change left something behind", n)
	}
}

func TestSamplesOfSealedSecretsIncludeAPIKeys(t *testing.T) {
	s := newStore(t)
	k := addAPIKey(t, s, apiKey("k"))
	samples, err := s.SealedSamples(t.Context())
	if err != nil || len(samples) != 1 || samples[0].Row != k.ID || string(samples[0].Sealed) != string(k.Sealed) {
		t.Errorf("got %+v, %v", samples, err)
	}
}
