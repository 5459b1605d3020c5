package sqlite

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// mirror is what a follower knows: the least that the access table must be able to keep.
type mirror struct {
	deployments map[string]gatehouse.Deployment
	tokens      map[gatehouse.SecretHash]gatehouse.Credential
	broken      []string
}

func newMirror() *mirror {
	return &mirror{deployments: map[string]gatehouse.Deployment{}, tokens: map[gatehouse.SecretHash]gatehouse.Credential{}}
}

func (m *mirror) apply(c gatehouse.Change) {
	switch {
	case c.Deployment != nil:
		m.deployments[c.Deployment.ID] = *c.Deployment
	case c.Token != nil:
		m.tokens[c.Token.Hash] = *c.Token
	case c.GoneDeployment != "":
		delete(m.deployments, c.GoneDeployment)
		maps.DeleteFunc(m.tokens, func(_ gatehouse.SecretHash, t gatehouse.Credential) bool { return t.DeploymentID == c.GoneDeployment })
	case c.GoneToken != nil:
		delete(m.tokens, *c.GoneToken)
	case c.Broken != nil:
		m.broken = append(m.broken, c.Broken.Error())
	}
}

func (m *mirror) wantSame(t *testing.T, other *mirror) {
	t.Helper()
	if !reflect.DeepEqual(m.deployments, other.deployments) {
		t.Fatalf("deployments: %+v, want %+v", m.deployments, other.deployments)
	}
	if !reflect.DeepEqual(m.tokens, other.tokens) {
		t.Fatalf("tokens: %+v, want %+v", m.tokens, other.tokens)
	}
}

func credential(t gatehouse.StoredToken) gatehouse.Credential {
	return gatehouse.Credential{TokenID: t.ID, DeploymentID: t.DeploymentID, Name: t.Name, Hash: t.Hash, Access: t.Access, Tenant: t.Tenant}
}

// Random changes by two processes: a mirror that follows them, a fresh snapshot, and a model of what was done must always agree.
func TestFollowersSeeExactlyWhatChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	stores := []*Store{openStore(t, path), openStore(t, path)}
	random := rand.New(rand.NewPCG(7, 9))
	model, followed := newMirror(), newMirror()
	stored := map[string]gatehouse.StoredToken{} // by token ID
	seq, err := stores[0].Snapshot(t.Context(), followed.apply)
	must(t, err)

	anyDeployment := func() (gatehouse.Deployment, bool) {
		ids := slices.Sorted(maps.Keys(model.deployments))
		if len(ids) == 0 {
			return gatehouse.Deployment{}, false
		}
		return model.deployments[ids[random.IntN(len(ids))]], true
	}
	anyToken := func() (gatehouse.StoredToken, bool) {
		ids := slices.Sorted(maps.Keys(stored))
		if len(ids) == 0 {
			return gatehouse.StoredToken{}, false
		}
		return stored[ids[random.IntN(len(ids))]], true
	}
	keep := func(tok gatehouse.StoredToken) {
		stored[tok.ID] = tok
		c := credential(tok)
		model.apply(gatehouse.Change{Token: &c})
	}
	for i := range 400 {
		s := stores[random.IntN(2)]
		d, hasDeployment := anyDeployment()
		tok, hasToken := anyToken()
		switch n := random.IntN(20); {
		case n < 2:
			d, tok := deployment(fmt.Sprint("deployment ", i)), token("", "default")
			tok.DeploymentID = d.ID
			must(t, s.CreateDeployment(t.Context(), d, tok))
			model.apply(gatehouse.Change{Deployment: &d})
			keep(tok)
		case n < 10 && hasDeployment:
			tok := token(d.ID, fmt.Sprint("token ", i))
			tok.Access = []gatehouse.Access{gatehouse.Read, gatehouse.Write, gatehouse.ReadWrite}[random.IntN(3)]
			if random.IntN(2) == 0 {
				tok.Tenant = &gatehouse.Tenant{AccountID: random.Uint32(), ProjectID: random.Uint32N(2)}
			}
			must(t, s.CreateToken(t.Context(), tok, event(gatehouse.TokenCreated, tok.ID)))
			keep(tok)
		case n < 12 && hasToken:
			again := token(tok.DeploymentID, tok.Name)
			wantError(t, s.CreateToken(t.Context(), again, event(gatehouse.TokenCreated, again.ID)), gatehouse.Conflict)
		case n < 15 && hasToken:
			must(t, s.RevokeToken(t.Context(), tok.ID, event(gatehouse.TokenRevoked, tok.ID)))
			delete(stored, tok.ID)
			model.apply(gatehouse.Change{GoneToken: &tok.Hash})
		case n < 16 && hasDeployment:
			must(t, s.DeleteDeployment(t.Context(), d.ID, event(gatehouse.DeploymentDeleted, d.ID)))
			maps.DeleteFunc(stored, func(_ string, t gatehouse.StoredToken) bool { return t.DeploymentID == d.ID })
			model.apply(gatehouse.Change{GoneDeployment: d.ID})
		case n < 17 && hasDeployment: // no method changes a deployment yet; the triggers are ready for one
			d.MaxConcurrentRequests = 1 + random.IntN(1000)
			run(t, s, `UPDATE deployments SET max_concurrent_requests = ? WHERE id = ?`, d.MaxConcurrentRequests, d.ID)
			model.apply(gatehouse.Change{Deployment: &d})
		case n < 18 && hasToken: // neither does one change a token; an import might
			old := tok.Hash
			tok.Hash = gatehouse.SecretHash{byte(i), byte(i >> 8), 1}
			run(t, s, `UPDATE tokens SET hash = ? WHERE id = ?`, tok.Hash[:], tok.ID)
			model.apply(gatehouse.Change{GoneToken: &old})
			keep(tok)
		case hasToken:
			must(t, s.SaveUses(t.Context(), []gatehouse.TokenUse{{TokenID: tok.ID, Use: gatehouse.Use{At: start}}}))
			must(t, s.SetState(t.Context(), tok.DeploymentID, gatehouse.State{Status: gatehouse.Running, At: start}))
		}
		if random.IntN(3) > 0 {
			continue // several changes come at once
		}
		follower := stores[random.IntN(2)]
		seq, err = follower.Changes(t.Context(), seq, followed.apply)
		must(t, err)
		followed.wantSame(t, model)
		fresh := newMirror()
		at, err := follower.Snapshot(t.Context(), fresh.apply)
		must(t, err)
		fresh.wantSame(t, model)
		if at != seq {
			t.Fatalf("the snapshot holds change %d, the follower is at %d", at, seq)
		}
	}
	if len(followed.broken) > 0 {
		t.Errorf("rows are called broken: %v", followed.broken)
	}
	fromTheBeginning := newMirror()
	if _, err := stores[0].Changes(t.Context(), 0, fromTheBeginning.apply); err != nil {
		t.Fatal(err)
	}
	fromTheBeginning.wantSame(t, model)
}

func TestOneBrokenRowDoesNotStopTheOthers(t *testing.T) {
	s := newStore(t)
	run(t, s, `PRAGMA ignore_check_constraints = on`)
	good, goodToken := addDeployment(t, s, "good")
	f := func(what, query string, args ...any) {
		t.Run(what, func(t *testing.T) {
			d, tok := addDeployment(t, s, "broken")
			seq, err := s.Changes(t.Context(), 0, func(gatehouse.Change) {})
			must(t, err)
			id := tok.ID
			if strings.Contains(query, "deployments") {
				id = d.ID
			}
			run(t, s, query+` WHERE id = ?`, append(args, id)...)

			fresh, followed := newMirror(), newMirror()
			_, err = s.Snapshot(t.Context(), fresh.apply)
			must(t, err)
			_, err = s.Changes(t.Context(), seq, followed.apply)
			must(t, err)
			for _, m := range []*mirror{fresh, followed} {
				if len(m.broken) != 1 || !strings.Contains(m.broken[0], id) {
					t.Errorf("told as broken: %q; want the row %s", m.broken, id)
				}
			}
			if _, ok := fresh.deployments[good.ID]; !ok || fresh.tokens[goodToken.Hash].TokenID != goodToken.ID {
				t.Error("the good rows are not loaded")
			}
			if _, ok := fresh.tokens[tok.Hash]; ok && id == tok.ID {
				t.Error("the broken token lets somebody in")
			}

			// People must still see all, and be able to delete what is broken.
			all, err := s.Deployments(t.Context())
			must(t, err)
			broken, err := s.FindDeployment(t.Context(), d.ID)
			must(t, err)
			if len(all) != 2 || (id == d.ID) != (broken.State.Status == gatehouse.Failed) {
				t.Errorf("%d deployments are listed, the broken one as %+v", len(all), broken.State)
			}
			tokens, total, err := s.Tokens(t.Context(), gatehouse.TokenQuery{DeploymentID: d.ID})
			must(t, err)
			if total != 1 || len(tokens) != 1 || tokens[0].ID != tok.ID || tokens[0].Broken != (id == tok.ID && what != "hash of the wrong length") {
				t.Errorf("the tokens are listed as %+v, total %d", tokens, total)
			}
			if _, err := s.Token(t.Context(), tok.ID); err != nil {
				t.Error(err)
			}
			must(t, s.RevokeToken(t.Context(), tok.ID, event(gatehouse.TokenRevoked, tok.ID)))
			must(t, s.DeleteDeployment(t.Context(), d.ID, event(gatehouse.DeploymentDeleted, d.ID)))
			if _, err := s.Changes(t.Context(), seq, followed.apply); err != nil {
				t.Error(err)
			}
		})
	}
	f("unknown tenant", `UPDATE tokens SET tenant = 'multitenant'`)
	f("number as tenant out of range", `UPDATE tokens SET tenant = 4294967296`)
	f("unknown access", `UPDATE tokens SET access = 'admin'`)
	f("hash of the wrong length", `UPDATE tokens SET hash = ?`, []byte("short"))
	f("unknown type", `UPDATE deployments SET type = 'mesh'`)
	f("list that is no JSON", `UPDATE deployments SET urls = '["http'`)
	f("list of numbers", `UPDATE deployments SET insert_urls = '[1]'`)
	f("unknown retention", `UPDATE deployments SET retention = 'for ever'`)
	f("text as limit", `UPDATE deployments SET max_concurrent_requests = 'many'`)
	f("number as flag", `UPDATE deployments SET managed = 7`)
	f("text as time", `UPDATE deployments SET created_at = 'yesterday'`)
}

func TestDataVersionTellsOfEveryWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), File)
	s, other := openStore(t, path), openStore(t, path)
	version := func() int64 {
		t.Helper()
		v, err := s.DataVersion(t.Context())
		must(t, err)
		return v
	}
	first := version()
	if version() != first {
		t.Error("the version changes by itself")
	}
	if _, err := s.Deployments(t.Context()); err != nil || version() != first {
		t.Errorf("the version changes by reading: %v", err)
	}
	d, _ := addDeployment(t, other, "by another process")
	second := version()
	if second == first {
		t.Error("another process's write goes unnoticed")
	}
	addToken(t, s, d.ID, "by this process")
	if version() == second {
		t.Error("an own write goes unnoticed")
	}
}

func TestPruneChangesKeepsTheLatest(t *testing.T) {
	s := newStore(t)
	must(t, s.PruneChanges(t.Context())) // of none
	run(t, s, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
		INSERT INTO changes (kind, id) SELECT 'gone_deployment', i FROM n`, changesKept+10)
	must(t, s.PruneChanges(t.Context()))
	var got []string
	seq, err := s.Changes(t.Context(), 0, func(c gatehouse.Change) { got = append(got, c.GoneDeployment) })
	must(t, err)
	if len(got) != changesKept || got[0] != "11" || seq != changesKept+10 {
		t.Errorf("%d changes are kept from %q on, the last is %d", len(got), got[0], seq)
	}
	run(t, s, `DELETE FROM changes`)
	addDeployment(t, s, "after")
	if after, err := s.Changes(t.Context(), seq, func(gatehouse.Change) {}); err != nil || after <= seq {
		t.Errorf("the numbers start again: %d, %v", after, err)
	}
}
