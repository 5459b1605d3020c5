package control

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

func (s *server) key(t *testing.T, n gatehouse.NewAPIKey) (gatehouse.APIKey, secret.Secret) {
	t.Helper()
	k, value, err := s.CreateAPIKey(t.Context(), root, n)
	must(t, err)
	return k, value
}

// holder is the actor of a key that was just made.
func (s *server) holder(t *testing.T, n gatehouse.NewAPIKey) gatehouse.Actor {
	t.Helper()
	_, value := s.key(t, n)
	actor, err := s.KeyActor(t.Context(), value.Reveal(), at("192.0.2.9"))
	must(t, err)
	return actor
}

// age sets the clock of a stored key back.
func (s *server) age(t *testing.T, query string, by time.Duration, id string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, sqlite.File)+"?_busy_timeout=5000")
	must(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), query, by.Microseconds(), id)
	must(t, err)
}

func TestAPIKeyIsStoredSealedAndRevealedOnRequest(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	expires := time.Now().AddDate(0, 0, 90)
	var k gatehouse.APIKey
	var value, revealed secret.Secret
	records := s.newRecords(t, func() {
		var err error
		k, value = s.key(t, gatehouse.NewAPIKey{Name: "terraform", ReadOnly: true, Deployments: []string{d.ID, d.ID}, ExpiresAt: expires})
		revealed, err = s.RevealAPIKey(t.Context(), root, k.ID)
		must(t, err)
		must(t, s.RevokeAPIKey(t.Context(), root, k.ID))
	})
	if revealed.Reveal() != value.Reveal() || !secret.Valid(value.Reveal()) || !strings.HasPrefix(value.Reveal(), "vmak_") {
		t.Error("another secret is revealed than was made")
	}
	if k.Mask != value.Mask() || k.CreatedBy != root.Name || !reflect.DeepEqual(k.Deployments, []string{d.ID}) {
		t.Errorf("the key is %+v", k)
	}
	want := []gatehouse.Action{gatehouse.APIKeyCreated, gatehouse.APIKeyRevealed, gatehouse.APIKeyRevoked}
	details := map[string]string{"permissions": "r", "deployments": d.ID, "expires": expires.UTC().Format(time.RFC3339), "key": value.Mask()}
	if len(records) != len(want) {
		t.Fatalf("the audit records are %+v", records)
	}
	for i, e := range records {
		if e.Action != want[i] || e.Actor.Name != root.Name || e.ObjectID != k.ID || e.ObjectName != "terraform" || !reflect.DeepEqual(e.Details, details) {
			t.Errorf("the audit record is %+v", e)
		}
	}
	s.wantNowhere(t, value.Reveal(), value.Reveal()[5:37])
}

func TestAPIKeysAreListedNewestFirst(t *testing.T) {
	s := newServer(t, nil)
	first, _ := s.key(t, gatehouse.NewAPIKey{Name: "first"})
	second, _ := s.key(t, gatehouse.NewAPIKey{Name: "second", ExpiresAt: time.Now().AddDate(1, 0, 0)})
	all, err := s.APIKeys(t.Context(), root)
	must(t, err)
	if !reflect.DeepEqual(all, []gatehouse.APIKey{second, first}) {
		t.Errorf("listed as %+v", all)
	}
	if got, err := s.APIKey(t.Context(), root, second.ID); err != nil || !reflect.DeepEqual(got, second) {
		t.Errorf("read back as %+v, %v", got, err)
	}
}

func TestRefusedAPIKeysLeaveNothingBehind(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	s.key(t, gatehouse.NewAPIKey{Name: "taken"})
	before := s.dump(t)
	f := func(n gatehouse.NewAPIKey, code gatehouse.Code, field string) {
		t.Helper()
		_, value, err := s.CreateAPIKey(t.Context(), root, n)
		if gatehouse.ErrorCode(err) != code || gatehouse.ErrorField(err) != field || value.Reveal() != "" {
			t.Errorf("%+v: got code %q, field %q (%v)", n, gatehouse.ErrorCode(err), gatehouse.ErrorField(err), err)
		}
	}
	f(gatehouse.NewAPIKey{}, gatehouse.Invalid, "name")
	f(gatehouse.NewAPIKey{Name: "taken"}, gatehouse.Conflict, "name")
	f(gatehouse.NewAPIKey{Name: "a", Deployments: []string{}}, gatehouse.Invalid, "deployments")
	f(gatehouse.NewAPIKey{Name: "a", Deployments: []string{d.ID, "gone"}}, gatehouse.Invalid, "deployments")
	f(gatehouse.NewAPIKey{Name: "a", Deployments: []string{"prod"}}, gatehouse.Invalid, "deployments")
	f(gatehouse.NewAPIKey{Name: "a", ExpiresAt: time.Now().Add(-time.Second)}, gatehouse.Invalid, "expires")
	_, err := s.RevealAPIKey(t.Context(), root, "gone")
	wantError(t, err, gatehouse.NotFound, "may have been revoked")
	wantError(t, s.RevokeAPIKey(t.Context(), root, "gone"), gatehouse.NotFound, "may have been revoked")
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
}

func TestTheHolderOfAKeyActsWithinItsBounds(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	k, value := s.key(t, gatehouse.NewAPIKey{Name: "k", ReadOnly: true, Deployments: []string{d.ID}})
	got, err := s.KeyActor(t.Context(), value.Reveal(), gatehouse.Client{Addr: "192.0.2.9", UserAgent: "terraform"})
	want := gatehouse.Actor{Kind: gatehouse.KeyHolder, ID: k.ID, Name: "k", Role: gatehouse.Admin, Addr: "192.0.2.9", ReadOnly: true, Deployments: []string{d.ID}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	must(t, s.DeleteDeployment(t.Context(), root, d.ID))
	if got, err := s.KeyActor(t.Context(), value.Reveal(), at("192.0.2.9")); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("after its deployment is gone: got %+v, %v", got, err)
	}
}

func TestUseOfAKeyIsNotedOnceAMinute(t *testing.T) {
	s := newServer(t, nil)
	k, value := s.key(t, gatehouse.NewAPIKey{Name: "k"})
	use := func(addr string) *gatehouse.Use {
		t.Helper()
		_, err := s.KeyActor(t.Context(), value.Reveal(), gatehouse.Client{Addr: addr, UserAgent: strings.Repeat("ä", 300)})
		must(t, err)
		k, err := s.APIKey(t.Context(), root, k.ID)
		must(t, err)
		return k.LastUse
	}
	first := use("192.0.2.1")
	if first == nil || first.Addr != "192.0.2.1" || first.UserAgent != strings.Repeat("ä", 100) || time.Since(first.At) > time.Minute {
		t.Fatalf("the use is noted as %+v", first)
	}
	before := s.dump(t)
	if second := use("192.0.2.2"); *second != *first || s.dump(t) != before {
		t.Errorf("noted again at once, as %+v", second)
	}
	s.age(t, `UPDATE api_key_uses SET at = at - ? WHERE key_id = ?`, keyUseEvery+time.Second, k.ID)
	if later := use("192.0.2.3"); later.Addr != "192.0.2.3" {
		t.Errorf("not noted again a minute later: %+v", later)
	}
}

func TestWrongKeysAreRefusedInOneClearLine(t *testing.T) {
	s := newServer(t, nil)
	expired, expiredValue := s.key(t, gatehouse.NewAPIKey{Name: "expired", ExpiresAt: time.Now().Add(time.Hour)})
	s.age(t, `UPDATE api_keys SET expires_at = expires_at - ? WHERE id = ?`, 2*time.Hour, expired.ID)
	revoked, revokedValue := s.key(t, gatehouse.NewAPIKey{Name: "revoked"})
	must(t, s.RevokeAPIKey(t.Context(), root, revoked.ID))
	_, good := s.key(t, gatehouse.NewAPIKey{Name: "good"})
	mistyped := strings.Replace(good.Reveal(), good.Reveal()[10:12], "--", 1)

	number := 0
	f := func(value, reason string, words ...string) {
		t.Helper()
		number++
		client := at(fmt.Sprintf("192.0.2.%d", number))
		var err error
		records := s.newRecords(t, func() { _, err = s.KeyActor(t.Context(), value, client) })
		wantError(t, err, gatehouse.Unauthenticated, words...)
		if value != "" && strings.Contains(err.Error(), value) {
			t.Errorf("the error %q repeats the key", err)
		}
		if reason == "" {
			if len(records) != 0 {
				t.Errorf("recorded as %+v", records)
			}
			return
		}
		if len(records) != 1 || records[0].Action != gatehouse.APIKeyRefused || records[0].Details["reason"] != reason || records[0].Actor.Addr != client.Addr {
			t.Fatalf("%s: recorded as %+v", reason, records)
		}
		if named := records[0].ObjectID == expired.ID && records[0].ObjectName == "expired"; named != (reason == "expired") {
			t.Errorf("%s: recorded as %+v", reason, records[0])
		}
	}
	f("", "", "is missing", "X-VM-Cloud-Access")
	f(expiredValue.Reveal(), "expired", "has expired on", "ask an admin")
	f(revokedValue.Reveal(), "unknown or revoked", "unknown or revoked")
	f(secret.New(secret.APIKey).Reveal(), "unknown or revoked", "unknown or revoked")
	f(mistyped, "not well-formed", "mistyped or cut off")
	f("x", "not well-formed", "mistyped or cut off")
	f(strings.Repeat("x", 1<<20), "not well-formed", "mistyped or cut off")
	f("vmak_' OR 1=1 --", "not well-formed", "mistyped or cut off")
	f(secret.New(secret.AccessToken).Reveal(), "an access token", "vmat_", "vmak_")
}

func TestAnAccessTokenIsNoAPIKey(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	_, value := s.token(t, d.ID, "t")
	_, err := s.KeyActor(t.Context(), value.Reveal(), at("192.0.2.9"))
	wantError(t, err, gatehouse.Unauthenticated, "this is an access token")
}

func TestAFloodOfWrongKeysMakesFewRecords(t *testing.T) {
	s := newServer(t, nil)
	send := func(addr string) {
		t.Helper()
		_, err := s.KeyActor(t.Context(), "wrong", at(addr))
		wantError(t, err, gatehouse.Unauthenticated)
	}
	records := s.newRecords(t, func() {
		for range 100 {
			send("192.0.2.1")
			send("192.0.2.2")
		}
	})
	if len(records) != 2 {
		t.Errorf("200 attempts from two addresses make %d records", len(records))
	}
	s.refusals.recorded["192.0.2.1"] = time.Now().Add(-time.Minute)
	if n := len(s.newRecords(t, func() { send("192.0.2.1"); send("192.0.2.2") })); n != 1 {
		t.Errorf("a minute later there are %d new records", n)
	}

	if n := len(s.newRecords(t, func() { send("2001:db8::1"); send("2001:db8::2"); send("2001:db8:0:1::1") })); n != 2 {
		t.Errorf("two networks of IPv6 make %d records", n)
	}

	var many refusals
	for i := range 3 * refusalsRemembered {
		if !many.first(fmt.Sprint(i)) {
			t.Fatalf("the first refusal of network %d goes unnoticed", i)
		}
	}
	if len(many.recorded) != refusalsRemembered {
		t.Errorf("%d networks are remembered", len(many.recorded))
	}
	many.recorded["0"] = time.Now().Add(-time.Minute)
	if !many.first("new") || many.first("new") {
		t.Error("no room is made for a new network")
	}
}

// An actor is looked up before the change begins. What happens to the key in between must count.
func TestAKeyThatEndsWhileItActsChangesNothing(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	ctx := t.Context()
	revoked, expired := s.holder(t, gatehouse.NewAPIKey{Name: "revoked"}), s.holder(t, gatehouse.NewAPIKey{Name: "expired", ExpiresAt: time.Now().Add(time.Hour)})
	own := s.holder(t, gatehouse.NewAPIKey{Name: "own"})
	token, _ := s.token(t, d.ID, "t")
	u := s.user(t, "user@example.com", gatehouse.Viewer)
	must(t, s.RevokeAPIKey(ctx, root, revoked.ID))
	s.age(t, `UPDATE api_keys SET expires_at = expires_at - ? WHERE id = ?`, 2*time.Hour, expired.ID)
	before := s.dump(t)
	for _, actor := range []gatehouse.Actor{revoked, expired} {
		f := func(err error) {
			t.Helper()
			wantError(t, err, gatehouse.Unauthenticated, "revoked or has expired", "nothing was changed")
		}
		_, _, err := s.CreateAPIKey(ctx, actor, gatehouse.NewAPIKey{Name: "heir"})
		f(err)
		_, err = s.RevealAPIKey(ctx, actor, own.ID)
		f(err)
		_, err = s.RevealToken(ctx, actor, token.ID)
		f(err)
		_, _, err = s.InviteUser(ctx, actor, "heir@example.com", gatehouse.Admin)
		f(err)
		f(s.SetRole(ctx, actor, u.ID, gatehouse.Admin))
		f(s.DeleteDeployment(ctx, actor, d.ID))
	}
	if s.dump(t) != before {
		t.Error("something has changed")
	}
	must(t, s.RevokeAPIKey(ctx, own, own.ID)) // its last act
	wantError(t, s.RevokeAPIKey(ctx, own, expired.ID), gatehouse.Unauthenticated)
}

func TestAKeyForSomeDeploymentsSeesOnlyThose(t *testing.T) {
	s := newServer(t, nil)
	mine, other := s.connect(t, "mine"), s.connect(t, "other")
	actor := s.holder(t, gatehouse.NewAPIKey{Name: "k", Deployments: []string{mine.ID}})
	ctx := t.Context()
	all, err := s.Deployments(ctx, actor)
	must(t, err)
	if len(all) != 1 || all[0].ID != mine.ID {
		t.Errorf("the key sees %+v", all)
	}
	otherToken, _ := s.token(t, other.ID, "t")
	before := s.dump(t, "audit", "sqlite_sequence")
	f := func(err error, code gatehouse.Code, words ...string) {
		t.Helper()
		wantError(t, err, code, words...)
	}
	for _, id := range []string{other.ID, "other"} {
		_, err = s.Deployment(ctx, actor, id)
		f(err, gatehouse.Forbidden, "for other deployments")
	}
	_, err = s.Deployment(ctx, actor, "unknown")
	f(err, gatehouse.NotFound, "no deployment")
	_, _, err = s.Tokens(ctx, actor, gatehouse.TokenQuery{DeploymentID: "unknown"})
	f(err, gatehouse.NotFound, "no deployment")
	_, err = s.Token(ctx, actor, otherToken.ID)
	f(err, gatehouse.Forbidden, "for other deployments")
	_, err = s.Token(ctx, actor, "unknown")
	f(err, gatehouse.NotFound, "no access token")
	_, err = s.RevealToken(ctx, actor, otherToken.ID)
	f(err, gatehouse.Forbidden, "for other deployments")
	f(s.RevokeToken(ctx, actor, otherToken.ID), gatehouse.Forbidden, "for other deployments")
	_, _, err = s.CreateToken(ctx, actor, gatehouse.NewToken{DeploymentID: other.ID, Name: "n", Access: gatehouse.Read})
	f(err, gatehouse.Forbidden, "for other deployments")
	_, err = s.RuleFile(ctx, actor, other.ID, "x")
	f(err, gatehouse.Forbidden, "for other deployments")
	f(s.DeleteDeployment(ctx, actor, other.ID), gatehouse.Forbidden, "for other deployments")
	_, err = s.CreateDeployment(ctx, actor, gatehouse.NewDeployment{Name: "n", Type: gatehouse.SingleNode})
	f(err, gatehouse.Forbidden)
	_, err = s.APIKeys(ctx, actor)
	f(err, gatehouse.Forbidden)
	if s.dump(t, "audit", "sqlite_sequence") != before {
		t.Error("something has changed")
	}
}

func TestAReadOnlyKeySeesNoSecretThatWrites(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	actor := s.holder(t, gatehouse.NewAPIKey{Name: "k", ReadOnly: true})
	for access, allowed := range map[gatehouse.Access]bool{gatehouse.Read: true, gatehouse.Write: false, gatehouse.ReadWrite: false} {
		token, value, err := s.CreateToken(t.Context(), root, gatehouse.NewToken{DeploymentID: d.ID, Name: string(access), Access: access})
		must(t, err)
		var revealed secret.Secret
		records := s.newRecords(t, func() { revealed, err = s.RevealToken(t.Context(), actor, token.ID) })
		if allowed {
			if err != nil || revealed.Reveal() != value.Reveal() || records[0].Action != gatehouse.TokenRevealed {
				t.Errorf("%s: %v, recorded as %+v", access, err, records)
			}
			continue
		}
		wantError(t, err, gatehouse.Forbidden, "this API key is read-only, and the secret would let it write")
		if revealed.Reveal() != "" || len(records) != 1 || records[0].Action != gatehouse.Denied || records[0].DeploymentID != d.ID || records[0].Actor.Name != "k" {
			t.Errorf("%s: recorded as %+v", access, records)
		}
	}
}
