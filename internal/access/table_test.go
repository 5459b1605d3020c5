package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func newTestTable(t testing.TB) (*Table, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	return NewTable(slog.New(slog.NewTextHandler(log, nil))), log
}

func credential(i int, deployment string) *gatehouse.Credential {
	return &gatehouse.Credential{TokenID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), DeploymentID: deployment, Name: fmt.Sprintf("token %d", i),
		Hash: secret.Hash(fmt.Sprint(i)), Access: gatehouse.ReadWrite}
}

func TestTableTakesChangesInAnyOrderAndTwice(t *testing.T) {
	table, log := newTestTable(t)
	one := credential(1, "d")
	d := &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, URLs: []string{"http://127.0.0.1:1"}}

	table.Apply(gatehouse.Change{GoneToken: &one.Hash})
	table.Apply(gatehouse.Change{GoneDeployment: "d"})
	table.Apply(gatehouse.Change{Broken: errors.New("row 7 has no name")})
	table.Apply(gatehouse.Change{Token: one})
	g := table.lookup(one.Hash)
	if g == nil || g.deployment.config.Load() != nil {
		t.Fatal("a token may come before its deployment")
	}
	table.Apply(gatehouse.Change{Deployment: d})
	table.Apply(gatehouse.Change{Deployment: d})
	table.Apply(gatehouse.Change{Token: one})
	if table.lookup(one.Hash) != g || table.Len() != 1 || g.deployment.config.Load().backends[Single] == nil {
		t.Fatal("the token should be there once, and know its deployment")
	}
	if !strings.Contains(log.String(), "row 7 has no name") {
		t.Error("a broken row is not told")
	}

	two := credential(2, "d")
	table.Apply(gatehouse.Change{Token: two})
	table.Apply(gatehouse.Change{GoneToken: &one.Hash})
	if table.lookup(one.Hash) != nil || table.lookup(two.Hash) == nil || table.Len() != 1 {
		t.Error("the wrong token is gone")
	}
	table.Apply(gatehouse.Change{GoneDeployment: "d"})
	if table.lookup(two.Hash) != nil || table.Len() != 0 {
		t.Error("a token outlives its deployment")
	}
	table.SetEngine("d", nil)
	if len(table.deployments) != 0 {
		t.Error("a deployment that is gone comes back")
	}
	table.SetEngine("m", &Engine{URL: "http://127.0.0.1:2"})
	table.Apply(gatehouse.Change{Token: credential(3, "m")})
	table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "m", Name: "m", Type: gatehouse.SingleNode, Managed: true}})
	if table.deployments["m"].config.Load().backends[Single] == nil {
		t.Error("an engine may be there before its deployment is known")
	}
}

func TestOfAManagedClusterThePartsThatServeAreUsed(t *testing.T) {
	table, _ := newTestTable(t)
	table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "c", Name: "c", Type: gatehouse.Cluster, Managed: true}})
	want := func(insert, query bool) {
		t.Helper()
		backends := table.deployments["c"].config.Load().backends
		if backends[Single] != nil || (backends[Insert] != nil) != insert || (backends[Select] != nil) != query {
			t.Errorf("it is served by %v", backends)
		}
		for _, p := range backends {
			if p != nil && p.authorization != basic("gatehouse", "secret") {
				t.Errorf("a part is asked with %q", p.authorization)
			}
		}
	}
	want(false, false)
	table.SetEngine("c", &Engine{InsertURL: "http://127.0.0.1:1", Username: "gatehouse", Password: "secret"})
	want(true, false)
	table.SetEngine("c", &Engine{InsertURL: "http://127.0.0.1:1", SelectURL: "http://127.0.0.1:2", Username: "gatehouse", Password: "secret"})
	want(true, true)
	table.SetEngine("c", nil)
	want(false, false)
}

func TestTableServesWhileItChanges(t *testing.T) {
	table, _ := newTestTable(t)
	table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, URLs: []string{"http://127.0.0.1:1"}}})
	kept := credential(0, "d")
	table.Apply(gatehouse.Change{Token: kept})
	ctx, cancel := context.WithCancel(t.Context())
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				g := table.lookup(kept.Hash)
				if g == nil {
					t.Error("a token that nobody removed is gone")
					return
				}
				table.noteUse(g, time.Now(), fmt.Sprint(i%2), "")
				if g := table.lookup(secret.Hash(fmt.Sprint(1 + i%500))); g != nil {
					table.noteUse(g, time.Now(), "a", "")
				}
			}
		})
	}
	readers.Go(func() {
		for ctx.Err() == nil {
			table.DrainUses()
		}
	})
	for w := range 2 {
		writers.Go(func() {
			for round := range 4 {
				for i := 1 + w; i <= 500; i += 2 {
					c := credential(i, "d")
					table.Apply(gatehouse.Change{Token: c})
					if round < 3 {
						table.Apply(gatehouse.Change{GoneToken: &c.Hash})
					}
				}
				table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: fmt.Sprint("d", round), Type: gatehouse.SingleNode}})
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	if table.Len() != 501 {
		t.Errorf("%d tokens", table.Len())
	}
}

func TestAnIdleTokenIsSmall(t *testing.T) {
	const n = 200_000
	table, _ := newTestTable(t)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range n {
		table.Apply(gatehouse.Change{Token: credential(i, "d")})
	}
	if each := (heap() - before) / n; each > 700 {
		t.Errorf("a token takes %d bytes; a million must fit in 1 GB", each)
	} else {
		t.Logf("%d bytes each", each)
	}
	runtime.KeepAlive(table)
}

func TestUses(t *testing.T) {
	table, _ := newTestTable(t)
	for i := range 3 {
		table.Apply(gatehouse.Change{Token: credential(i, "d")})
	}
	grant := func(i int) *Grant { return table.lookup(secret.Hash(fmt.Sprint(i))) }
	at := time.Date(2025, 5, 1, 12, 0, 0, 0, time.UTC)
	if uses := table.DrainUses(); len(uses) != 0 {
		t.Fatalf("%v", uses)
	}
	table.noteUse(grant(0), at, "10.0.0.1", "vmagent")
	table.noteUse(grant(0), at.Add(time.Second), "10.0.0.2", "curl")
	table.noteUse(grant(1), at, "10.0.0.3", "")
	uses := table.DrainUses()
	if len(uses) != 2 {
		t.Fatalf("%v", uses)
	}
	if u := uses[0]; u.TokenID != credential(0, "d").TokenID || u.DeploymentID != "d" || !u.First ||
		u.Use != (gatehouse.Use{At: at.Add(time.Second), Addr: "10.0.0.2", UserAgent: "curl"}) {
		t.Errorf("%+v", u)
	}
	if len(table.DrainUses()) != 0 {
		t.Error("the same uses come twice")
	}
	table.noteUse(grant(1), at.Add(time.Minute), "10.0.0.3", "")
	uses = table.DrainUses()
	if len(uses) != 1 || uses[0].First {
		t.Errorf("%+v; want one use, and no second first use", uses)
	}
}

func TestUsesThatCannotBeSavedComeAgain(t *testing.T) {
	table, _ := newTestTable(t)
	const tokens = usesAtOnce + 2
	for i := range tokens {
		c := credential(i, "d")
		table.Apply(gatehouse.Change{Token: c})
		table.noteUse(table.lookup(c.Hash), time.Now(), "10.0.0.1", "")
	}
	full := errors.New("the disk is full")
	if err := table.SaveUses(false, func([]gatehouse.TokenUse) error {
		table.noteUse(table.lookup(credential(0, "d").Hash), time.Now(), "10.0.0.2", "") // while it is being saved
		return full
	}); err != full {
		t.Fatalf("the error is %v", err)
	}
	saved := map[string]bool{}
	var pieces []int
	save := func(uses []gatehouse.TokenUse) error {
		pieces = append(pieces, len(uses))
		for _, use := range uses {
			if saved[use.TokenID] || !use.First {
				t.Errorf("%+v comes twice, or not as a first use", use)
			}
			saved[use.TokenID] = true
		}
		return nil
	}
	if err := table.SaveUses(false, save); err != nil || len(saved) != tokens || !slices.Equal(pieces, []int{usesAtOnce, 2}) {
		t.Errorf("%d of %d were saved in pieces of %v: %v", len(saved), tokens, pieces, err)
	}
	table.noteUse(table.lookup(credential(0, "d").Hash), time.Now(), "10.0.0.1", "")
	if err := table.SaveUses(false, save); err != nil || len(pieces) != 2 {
		t.Error("a later use is taken for a first one")
	}
	if uses := table.DrainUses(); len(uses) != 1 || uses[0].First {
		t.Errorf("later uses: %+v", uses)
	}
}

func TestUserAgentIsCutToValidText(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, echo).URL)
	s := e.token("d", gatehouse.Read, nil)
	for sent, want := range map[string]string{
		"vmagent/1.151.0":                "vmagent/1.151.0",
		strings.Repeat("x", 300):         strings.Repeat("x", 200),
		strings.Repeat("x", 199) + "üüü": strings.Repeat("x", 199),
		"bad \xff text":                  "bad \uFFFD text",
	} {
		e.get("/api/v1/query", s, "User-Agent", sent)
		uses := e.table.DrainUses()
		if len(uses) != 1 || uses[0].Use.UserAgent != want || uses[0].Use.Addr != "127.0.0.1" {
			t.Errorf("%q is noted as %+v", sent, uses)
		}
	}
}

// DrainUses gives what SaveUses gives, all at once.
func (t *Table) DrainUses() []gatehouse.TokenUse {
	var uses []gatehouse.TokenUse
	_ = t.SaveUses(true, func(piece []gatehouse.TokenUse) error {
		uses = append(uses, piece...)
		return nil
	})
	return uses
}
