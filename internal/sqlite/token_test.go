package sqlite

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestTokensComeBackAsTheyWere(t *testing.T) {
	s := newStore(t)
	d, _ := addDeployment(t, s, "prod")
	want := token(d.ID, `it's "a" name; --`)
	want.Tenant = &gatehouse.Tenant{AccountID: 7, ProjectID: 4294967295}
	want.Access = gatehouse.Read
	must(t, s.CreateToken(t.Context(), want, event(gatehouse.TokenCreated, want.ID)))
	got, err := s.Token(t.Context(), want.ID)
	if err != nil || !reflect.DeepEqual(got, want.Token) {
		t.Errorf("got %+v, %v; want %+v", got, err, want.Token)
	}
	sealed, err := s.RevealToken(t.Context(), want.ID, event(gatehouse.TokenRevealed, want.ID))
	if err != nil || string(sealed) != string(want.Sealed) {
		t.Errorf("got %q, %v; want %q", sealed, err, want.Sealed)
	}
	_, err = s.Token(t.Context(), "nothing")
	wantError(t, err, gatehouse.NotFound, "no access token")
	_, err = s.RevealToken(t.Context(), "nothing", event(gatehouse.TokenRevealed, "nothing"))
	wantError(t, err, gatehouse.NotFound, "no access token")
}

func TestTokenNamesAreUniquePerDeployment(t *testing.T) {
	s := newStore(t)
	a, _ := addDeployment(t, s, "a")
	b, _ := addDeployment(t, s, "b")
	first := addToken(t, s, a.ID, "agent")
	addToken(t, s, b.ID, "agent")
	addToken(t, s, a.ID, "Agent")
	before := dump(t, s)

	again := token(a.ID, "agent")
	err := s.CreateToken(t.Context(), again, event(gatehouse.TokenCreated, again.ID))
	wantError(t, err, gatehouse.Conflict, "name", "choose another")
	if gatehouse.ErrorField(err) != "name" {
		t.Errorf("the error stands beside the field %q", gatehouse.ErrorField(err))
	}

	sameSecret := token(a.ID, "other")
	sameSecret.Hash = first.Hash
	wantError(t, s.CreateToken(t.Context(), sameSecret, event(gatehouse.TokenCreated, sameSecret.ID)), gatehouse.Conflict, "another token")

	orphan := token("gone", "agent")
	wantError(t, s.CreateToken(t.Context(), orphan, event(gatehouse.TokenCreated, orphan.ID)), gatehouse.NotFound, "deleted in the meantime")
	if dump(t, s) != before {
		t.Error("a refused token left something behind")
	}
}

func TestManyTokensAreStoredAllOrNone(t *testing.T) {
	s := newStore(t)
	d, def := addDeployment(t, s, "prod")
	before := dump(t, s)
	many := []gatehouse.StoredToken{token(d.ID, "a"), token(d.ID, "b"), token(d.ID, def.Name)}
	wantError(t, s.CreateTokens(t.Context(), many, event(gatehouse.TokenCreated, d.ID)), gatehouse.Conflict, "name")
	if dump(t, s) != before {
		t.Error("a refused batch left something behind")
	}
	must(t, s.CreateTokens(t.Context(), many[:2], event(gatehouse.TokenCreated, d.ID)))
	_, total, err := s.Tokens(t.Context(), gatehouse.TokenQuery{DeploymentID: d.ID})
	if err != nil || total != 3 {
		t.Errorf("there are %d tokens, %v; want 3", total, err)
	}
}

func TestRevokingATokenFreesItsName(t *testing.T) {
	s := newStore(t)
	d, def := addDeployment(t, s, "prod")
	must(t, s.RevokeToken(t.Context(), def.ID, event(gatehouse.TokenRevoked, def.ID)))
	_, err := s.Token(t.Context(), def.ID)
	wantError(t, err, gatehouse.NotFound)
	wantError(t, s.RevokeToken(t.Context(), def.ID, event(gatehouse.TokenRevoked, def.ID)), gatehouse.NotFound, "no such access token")
	addToken(t, s, d.ID, def.Name)
}

func TestSealedSamplesHoldTokensAndUpstreamSettings(t *testing.T) {
	s := newStore(t)
	rows := func() []string {
		t.Helper()
		samples, err := s.SealedSamples(t.Context())
		must(t, err)
		var rows []string
		for _, one := range samples {
			if len(one.Sealed) == 0 {
				t.Errorf("the sample of %s is empty", one.Row)
			}
			rows = append(rows, one.Row)
		}
		return rows
	}
	if got := rows(); len(got) != 0 {
		t.Errorf("an empty store has the samples %v", got)
	}
	d, token := addDeployment(t, s, "prod")
	if got := rows(); !slices.Equal(got, []string{token.ID}) {
		t.Errorf("with one token the samples are %v", got)
	}
	guarded := d
	guarded.ID, guarded.Name, guarded.SealedUpstream = "guarded", "guarded", []byte("sealed")
	other := token
	other.ID, other.DeploymentID, other.Hash = "other", guarded.ID, gatehouse.SecretHash{1}
	must(t, s.CreateDeployment(t.Context(), guarded, other, event(gatehouse.DeploymentConnected, guarded.ID)))
	must(t, s.RevokeToken(t.Context(), token.ID, event(gatehouse.TokenRevoked, token.ID)))
	must(t, s.RevokeToken(t.Context(), other.ID, event(gatehouse.TokenRevoked, other.ID)))
	if got := rows(); !slices.Equal(got, []string{gatehouse.UpstreamRow(guarded.ID)}) {
		t.Errorf("without tokens the samples are %v", got)
	}
}

func TestSaveUsesKeepsTheFirstAndTheLatest(t *testing.T) {
	s := newStore(t)
	d, used := addDeployment(t, s, "prod")
	unused := addToken(t, s, d.ID, "unused")
	gone := addToken(t, s, d.ID, "gone")
	must(t, s.RevokeToken(t.Context(), gone.ID, event(gatehouse.TokenRevoked, gone.ID)))
	use := func(tok gatehouse.StoredToken, after time.Duration, addr string) gatehouse.TokenUse {
		return gatehouse.TokenUse{TokenID: tok.ID, DeploymentID: d.ID, Use: gatehouse.Use{At: start.Add(after), Addr: addr, UserAgent: "vmagent/" + addr}}
	}
	must(t, s.SaveUses(t.Context(), nil))
	must(t, s.SaveUses(t.Context(), []gatehouse.TokenUse{use(gone, 0, "9"), use(used, time.Second, "1")}))
	must(t, s.SaveUses(t.Context(), []gatehouse.TokenUse{use(used, 3*time.Second, "3"), use(gone, 0, "9")}))
	must(t, s.SaveUses(t.Context(), []gatehouse.TokenUse{use(used, 2*time.Second, "2")})) // late news

	got, err := s.Token(t.Context(), used.ID)
	must(t, err)
	if want := use(used, time.Second, "1").Use; got.FirstUse == nil || *got.FirstUse != want {
		t.Errorf("the first use is %+v, want %+v", got.FirstUse, want)
	}
	if want := use(used, 3*time.Second, "3").Use; got.LastUse == nil || *got.LastUse != want {
		t.Errorf("the last use is %+v, want %+v", got.LastUse, want)
	}
	if got, err := s.Token(t.Context(), unused.ID); err != nil || got.FirstUse != nil || got.LastUse != nil {
		t.Errorf("the unused token was used: %+v, %v", got, err)
	}
	if n := count(t, s.read, `SELECT count(*) FROM token_uses`); n != 1 {
		t.Errorf("%d uses are stored, want 1: the gone token's must not be", n)
	}
}

func names(tokens []gatehouse.Token) []string {
	var all []string
	for _, t := range tokens {
		all = append(all, t.Name)
	}
	return all
}

func TestSearchTakesEveryCharacterAsItIs(t *testing.T) {
	s := newStore(t)
	d, def := addDeployment(t, s, "prod")
	other, _ := addDeployment(t, s, "other")
	must(t, s.RevokeToken(t.Context(), def.ID, event(gatehouse.TokenRevoked, def.ID)))
	for _, name := range []string{"100%", "100x", "a_b", "aXb", `c\d`, `c\%`, "it's", "VMagent"} {
		addToken(t, s, d.ID, name)
	}
	addToken(t, s, other.ID, "vmagent elsewhere")
	f := func(search string, want ...string) {
		t.Helper()
		tokens, total, err := s.Tokens(t.Context(), gatehouse.TokenQuery{DeploymentID: d.ID, Search: search, Sort: gatehouse.SortByName})
		must(t, err)
		if got := names(tokens); !slices.Equal(got, want) || total != len(want) {
			t.Errorf("%q finds %q, total %d; want %q", search, got, total, want)
		}
	}
	f("%", "100%", `c\%`)
	f("_", "a_b")
	f(`\`, `c\%`, `c\d`)
	f(`\%`, `c\%`)
	f("'", "it's")
	f("vmAGENT", "VMagent")
	f("100", "100%", "100x")
	f("nothing")
	f("'; DROP TABLE tokens; --")
	f(strings.Repeat("%", 100_000))
}

func TestTokenListSortsFiltersAndPages(t *testing.T) {
	const many = 10_000
	s := newStore(t)
	d, def := addDeployment(t, s, "prod")
	other, _ := addDeployment(t, s, "other")
	must(t, s.RevokeToken(t.Context(), def.ID, event(gatehouse.TokenRevoked, def.ID)))
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]gatehouse.Token, many)
	uses := []gatehouse.TokenUse{}
	must(t, s.change(t.Context(), func(tx *sql.Tx) error {
		for i := range all {
			tok := token(d.ID, fmt.Sprintf("Token %d", i))
			if i%2 == 0 {
				tok.Name = fmt.Sprintf("token %d", i)
			}
			tok.Access = []gatehouse.Access{gatehouse.Read, gatehouse.Write, gatehouse.ReadWrite}[random.IntN(3)]
			tok.CreatedAt = start.Add(time.Duration(random.IntN(100)) * time.Microsecond)
			tok.CreatedBy = fmt.Sprintf("user%d@example.com", random.IntN(9))
			tok.Hash = sha256.Sum256([]byte(tok.Name))
			if random.IntN(3) > 0 {
				tok.Tenant = &gatehouse.Tenant{AccountID: uint32(random.IntN(30)), ProjectID: uint32(random.IntN(30))}
			}
			if random.IntN(3) > 0 {
				use := gatehouse.Use{At: start.Add(time.Duration(random.IntN(100)) * time.Second), Addr: "192.0.2.1"}
				uses = append(uses, gatehouse.TokenUse{TokenID: tok.ID, Use: use})
				tok.FirstUse, tok.LastUse = &use, &use
			}
			if err := insertToken(t.Context(), tx, tok); err != nil {
				return err
			}
			all[i] = tok.Token
		}
		return insertToken(t.Context(), tx, token(other.ID, "token of another deployment"))
	}))
	must(t, s.SaveUses(t.Context(), uses))

	lastUsed := func(t gatehouse.Token) time.Time {
		if t.LastUse == nil {
			return time.Time{}
		}
		return t.LastUse.At
	}
	tenant := func(t gatehouse.Token) int64 { // tokens for any tenant stand together
		if t.Tenant == nil {
			return -1
		}
		return int64(t.Tenant.AccountID)<<32 | int64(t.Tenant.ProjectID)
	}
	orders := map[gatehouse.TokenSort]func(a, b gatehouse.Token) int{
		"":                       func(a, b gatehouse.Token) int { return a.CreatedAt.Compare(b.CreatedAt) },
		"; DROP TABLE tokens":    func(a, b gatehouse.Token) int { return a.CreatedAt.Compare(b.CreatedAt) },
		gatehouse.SortByCreated:  func(a, b gatehouse.Token) int { return a.CreatedAt.Compare(b.CreatedAt) },
		gatehouse.SortByName:     func(a, b gatehouse.Token) int { return cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) },
		gatehouse.SortByAccess:   func(a, b gatehouse.Token) int { return cmp.Compare(a.Access, b.Access) },
		gatehouse.SortByCreator:  func(a, b gatehouse.Token) int { return cmp.Compare(a.CreatedBy, b.CreatedBy) },
		gatehouse.SortByLastUsed: func(a, b gatehouse.Token) int { return lastUsed(a).Compare(lastUsed(b)) },
		gatehouse.SortByTenant:   func(a, b gatehouse.Token) int { return cmp.Compare(tenant(a), tenant(b)) },
	}
	for sort, compare := range orders {
		for _, descending := range []bool{false, true} {
			want := slices.Clone(all)
			slices.SortFunc(want, func(a, b gatehouse.Token) int {
				order := compare(a, b)
				if descending {
					order = -order
				}
				return cmp.Or(order, cmp.Compare(a.ID, b.ID))
			})
			q := gatehouse.TokenQuery{DeploymentID: d.ID, Sort: sort, Descending: descending, Limit: 100}
			for _, q.Offset = range []int{0, 100, many / 2, many - 50, many} {
				page, total, err := s.Tokens(t.Context(), q)
				must(t, err)
				if total != many {
					t.Fatalf("the total is %d, want %d", total, many)
				}
				if rest := want[q.Offset:min(q.Offset+q.Limit, many)]; len(page) != len(rest) || len(rest) > 0 && !reflect.DeepEqual(page, rest) {
					t.Errorf("sorted by %q, descending %v: the page from %d on is not that part of the list", sort, descending, q.Offset)
				}
			}
		}
	}
	if everything, _, err := s.Tokens(t.Context(), gatehouse.TokenQuery{DeploymentID: d.ID}); err != nil || len(everything) != many {
		t.Errorf("without a limit, %d tokens are listed, %v", len(everything), err)
	}

	writers, total, err := s.Tokens(context.Background(), gatehouse.TokenQuery{DeploymentID: d.ID, Access: gatehouse.Write, Search: "TOKEN 99"})
	must(t, err)
	want := slices.DeleteFunc(slices.Clone(all), func(t gatehouse.Token) bool {
		return t.Access != gatehouse.Write || !strings.Contains(strings.ToLower(t.Name), "token 99")
	})
	if len(writers) != len(want) || total != len(want) {
		t.Errorf("filtered: %d tokens, total %d; want %d", len(writers), total, len(want))
	}
}
