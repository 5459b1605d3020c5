package control

import (
	"path/filepath"
	"reflect"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func TestTokenIsStoredSealedAndRevealedOnRequest(t *testing.T) {
	s := newServer(t, nil)
	d, err := s.ConnectDeployment(t.Context(), root, gatehouse.NewDeployment{
		Name: "cluster", Type: gatehouse.Cluster, InsertURLs: []string{"http://in"}, SelectURLs: []string{"http://sel"}})
	must(t, err)
	var token gatehouse.Token
	var value, revealed secret.Secret
	records := s.newRecords(t, func() {
		token, value, err = s.CreateToken(t.Context(), editor, gatehouse.NewToken{
			DeploymentID: "cluster", Name: "agent", Access: gatehouse.Write, Tenant: &gatehouse.Tenant{AccountID: 7, ProjectID: 9}})
		must(t, err)
		revealed, err = s.RevealToken(t.Context(), root, token.ID)
		must(t, err)
		must(t, s.RevokeToken(t.Context(), editor, token.ID))
	})
	if revealed.Reveal() != value.Reveal() || !secret.Valid(value.Reveal()) {
		t.Error("another secret is revealed than was made")
	}
	if token.DeploymentID != d.ID || token.Mask != value.Mask() || token.CreatedBy != editor.Name {
		t.Errorf("the token is %+v", token)
	}
	want := []gatehouse.Action{gatehouse.TokenCreated, gatehouse.TokenRevealed, gatehouse.TokenRevoked}
	actors := []string{editor.Name, root.Name, editor.Name}
	if len(records) != len(want) {
		t.Fatalf("the audit records are %+v", records)
	}
	details := map[string]string{"access": "w", "tenant": "7:9", "key": value.Mask()}
	for i, e := range records {
		if e.Action != want[i] || e.Actor.Name != actors[i] || e.Actor.Addr != "192.0.2.7" || e.ObjectID != token.ID || e.ObjectName != "agent" ||
			e.DeploymentID != d.ID || !reflect.DeepEqual(e.Details, details) {
			t.Errorf("the audit record is %+v", e)
		}
	}
	s.wantNowhere(t, value.Reveal(), value.Reveal()[5:37])
}

func TestRefusedTokensLeaveNothingBehind(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	before := s.dump(t)
	f := func(n gatehouse.NewToken, code gatehouse.Code, field string) {
		t.Helper()
		_, value, err := s.CreateToken(t.Context(), root, n)
		if gatehouse.ErrorCode(err) != code || gatehouse.ErrorField(err) != field || value.Reveal() != "" {
			t.Errorf("%+v: got code %q, field %q (%v)", n, gatehouse.ErrorCode(err), gatehouse.ErrorField(err), err)
		}
	}
	f(gatehouse.NewToken{DeploymentID: d.ID, Access: gatehouse.Read}, gatehouse.Invalid, "name")
	f(gatehouse.NewToken{DeploymentID: d.ID, Name: "a\nb", Access: gatehouse.Read}, gatehouse.Invalid, "name")
	f(gatehouse.NewToken{DeploymentID: d.ID, Name: "default", Access: gatehouse.Read}, gatehouse.Conflict, "name")
	f(gatehouse.NewToken{DeploymentID: d.ID, Name: "a", Access: "x"}, gatehouse.Invalid, "access")
	f(gatehouse.NewToken{DeploymentID: d.ID, Name: "a", Access: gatehouse.Read, Tenant: &gatehouse.Tenant{}}, gatehouse.Invalid, "tenant")
	f(gatehouse.NewToken{DeploymentID: "gone", Name: "a", Access: gatehouse.Read}, gatehouse.NotFound, "")
	f(gatehouse.NewToken{Name: "a", Access: gatehouse.Read}, gatehouse.NotFound, "")
	_, err := s.RevealToken(t.Context(), root, "gone")
	wantError(t, err, gatehouse.NotFound, "may have been deleted")
	wantError(t, s.RevokeToken(t.Context(), root, "gone"), gatehouse.NotFound, "may have been deleted")
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
}

func TestRevealingWithAnotherKeyIsExplained(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	token, _ := s.token(t, d.ID, "t")
	other, err := secret.CreateSealer(filepath.Join(t.TempDir(), secret.KeysetFile))
	must(t, err)
	_, err = New(Config{Store: s.store, Sealer: other}).RevealToken(t.Context(), root, token.ID)
	wantError(t, err, gatehouse.Unavailable, "put back the keyset file")
}

func TestSeveralTokensAreMadeAtOnceOrNone(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	ctx := t.Context()
	list := func(names ...string) (all []gatehouse.NewToken) {
		for _, name := range names {
			all = append(all, gatehouse.NewToken{Name: name, Access: gatehouse.Write, DeploymentID: "passed over"})
		}
		return all
	}
	var tokens []gatehouse.Token
	var values []secret.Secret
	records := s.newRecords(t, func() {
		var err error
		tokens, values, err = s.CreateTokens(ctx, editor, "prod", list("a", "b", "c"))
		must(t, err)
	})
	if len(tokens) != 3 || len(values) != 3 || len(records) != 3 {
		t.Fatalf("there are %d tokens, %d secrets, %d records", len(tokens), len(values), len(records))
	}
	for i, name := range []string{"a", "b", "c"} {
		revealed, err := s.RevealToken(ctx, editor, tokens[i].ID)
		if err != nil || revealed.Reveal() != values[i].Reveal() || tokens[i].Name != name || tokens[i].DeploymentID != d.ID || tokens[i].Mask != values[i].Mask() {
			t.Errorf("token %d is %+v, %v", i, tokens[i], err)
		}
		if records[i].Action != gatehouse.TokenCreated || records[i].ObjectID != tokens[i].ID {
			t.Errorf("recorded as %+v", records[i])
		}
	}

	before := s.dump(t)
	f := func(all []gatehouse.NewToken, code gatehouse.Code, field string, words ...string) {
		t.Helper()
		tokens, values, err := s.CreateTokens(ctx, editor, d.ID, all)
		wantError(t, err, code, words...)
		if gatehouse.ErrorField(err) != field || tokens != nil || values != nil {
			t.Errorf("got field %q, %v", gatehouse.ErrorField(err), tokens)
		}
	}
	f(nil, gatehouse.Invalid, "tokens", "send 1 to 1000")
	f(make([]gatehouse.NewToken, 1001), gatehouse.Invalid, "tokens", "1001 tokens")
	f(list("x", ""), gatehouse.Invalid, "name", "token 2 of the list", "empty")
	f(list("x", "y", "a"), gatehouse.Conflict, "name", `token "a"`, "already")
	f(list("x", "x"), gatehouse.Conflict, "name", `token "x"`)
	if s.dump(t) != before {
		t.Error("something is left behind")
	}
}

func TestTheTenantIsKeptAsItWasSent(t *testing.T) {
	s := newServer(t, nil)
	_, err := s.ConnectDeployment(t.Context(), root, gatehouse.NewDeployment{
		Name: "cluster", Type: gatehouse.Cluster, InsertURLs: []string{"http://in"}, SelectURLs: []string{"http://sel"}})
	must(t, err)
	tenant := gatehouse.Tenant{AccountID: 5, ProjectID: 7}
	token, _, err := s.CreateToken(t.Context(), root, gatehouse.NewToken{DeploymentID: "cluster", Name: "t", Access: gatehouse.Read, Tenant: &tenant, TenantSent: "5:7 "})
	must(t, err)
	if got, err := s.Token(t.Context(), root, token.ID); err != nil || got.TenantSent != "5:7 " || *got.Tenant != tenant || !reflect.DeepEqual(got, token) {
		t.Errorf("read back as %+v, %v", got, err)
	}
}
