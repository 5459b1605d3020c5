package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// sealedThings makes one of each that is sealed, and gives a function that checks that a Control with the keyset file as it is now
// opens them all.
func (s *server) sealedThings(t *testing.T) (wantOpen func()) {
	t.Helper()
	d, err := s.ConnectDeployment(t.Context(), root, gatehouse.NewDeployment{Name: "sealed", Type: gatehouse.SingleNode,
		URLs: []string{"http://10.0.0.5:8428"}, Upstream: gatehouse.Upstream{Bearer: "upstream bearer"}})
	must(t, err)
	token, value := s.token(t, d.ID, "token")
	key, keyValue, err := s.CreateAPIKey(t.Context(), root, gatehouse.NewAPIKey{Name: "a key"})
	must(t, err)
	return func() {
		t.Helper()
		sealer, err := secret.LoadSealer(filepath.Join(s.dir, secret.KeysetFile))
		must(t, err)
		fresh := New(Config{Store: s.store, Sealer: sealer})
		for _, c := range []*Control{s.Control, fresh} { // a server that goes on, and one that starts
			got, err := c.RevealToken(t.Context(), root, token.ID)
			must(t, err)
			gotKey, err := c.RevealAPIKey(t.Context(), root, key.ID)
			must(t, err)
			stored, err := s.store.FindDeployment(t.Context(), d.ID)
			must(t, err)
			must(t, OpenUpstream(c.sealer, &stored))
			if got.Reveal() != value.Reveal() || gotKey.Reveal() != keyValue.Reveal() || stored.Upstream.Bearer != "upstream bearer" {
				t.Error("something opens to another secret")
			}
		}
	}
}

func TestRekeySealsEverythingAnew(t *testing.T) {
	s := newServer(t, nil)
	s.settle = 0
	wantOpen := s.sealedThings(t)
	keyset := filepath.Join(s.dir, secret.KeysetFile)
	old := filepath.Join(t.TempDir(), secret.KeysetFile)
	content, err := os.ReadFile(keyset)
	must(t, err)
	must(t, os.WriteFile(old, content, 0o600))

	records := s.newRecords(t, func() {
		resealed, lost, err := s.Rekey(t.Context(), root)
		must(t, err)
		if resealed != 4 || lost != 0 { // two tokens, a key, the credential of a deployment
			t.Errorf("%d were sealed anew, %d are lost", resealed, lost)
		}
	})
	if len(records) != 1 || records[0].Action != gatehouse.Rekeyed || records[0].Details["secrets"] != "4" {
		t.Errorf("the records are %+v", records)
	}
	wantOpen()
	sealer, err := secret.LoadSealer(old)
	must(t, err)
	samples, err := s.store.SealedSamples(t.Context())
	must(t, err)
	for _, one := range samples {
		if _, err := sealer.Open(one.Sealed, one.Row); err == nil {
			t.Error("the old key still opens something")
		}
	}
}

// brokenOff is a store with which a change of all secrets comes to nothing, or is stored but not answered.
type brokenOff struct {
	Store
	stored bool
}

var errBrokenOff = errors.New("the process was killed")

func (b brokenOff) Reseal(ctx context.Context, reseal func(gatehouse.Sealed) ([]byte, error), event func(resealed, left int) gatehouse.AuditEvent) (int, int, error) {
	if b.stored {
		if _, _, err := b.Store.Reseal(ctx, reseal, event); err != nil {
			return 0, 0, err
		}
	}
	return 0, 0, errBrokenOff
}

func TestRekeyThatIsBrokenOffLosesNothing(t *testing.T) {
	for name, break_ := range map[string]func(*server){
		"before anything is sealed anew": func(s *server) { s.Control.store = brokenOff{s.store, false} },
		"before the old key is dropped":  func(s *server) { s.Control.store = brokenOff{s.store, true} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, nil)
			s.settle = 0
			wantOpen := s.sealedThings(t)
			break_(s)
			if _, _, err := s.Rekey(t.Context(), root); !errors.Is(err, errBrokenOff) {
				t.Fatal(err)
			}
			s.Control.store = s.store
			wantOpen()
			_, _, err := s.Rekey(t.Context(), root)
			must(t, err)
			wantOpen()
		})
	}
}

func TestRekeyLeavesWhatIsLostAlready(t *testing.T) {
	s := newServer(t, nil)
	s.settle = 0
	d := s.connect(t, "prod")
	stored, _, err := s.mint(root, gatehouse.NewToken{DeploymentID: d.ID, Name: "lost", Access: gatehouse.Read})
	must(t, err)
	stored.Sealed = []byte("damaged")
	must(t, s.store.CreateToken(t.Context(), stored, tokenEvent(root, gatehouse.TokenCreated, stored.Token)))
	keyset := filepath.Join(s.dir, secret.KeysetFile)
	whole := s.sealedThings(t)
	keys := func() int {
		content, err := os.ReadFile(keyset)
		must(t, err)
		return strings.Count(string(content), `"keyId"`)
	}
	resealed, lost, err := s.Rekey(t.Context(), root)
	must(t, err)
	if resealed != 5 || lost != 1 {
		t.Errorf("%d were sealed anew, %d are lost", resealed, lost)
	}
	if keys() != 2 {
		t.Errorf("the keyset holds %d keys, and should keep the old one while something is not sealed anew", keys())
	}
	whole()
	must(t, s.RevokeToken(t.Context(), root, stored.ID))
	_, lost, err = s.Rekey(t.Context(), root)
	must(t, err)
	if lost != 0 || keys() != 1 {
		t.Errorf("%d are lost, the keyset holds %d keys", lost, keys())
	}
	whole()
}

// slowReseal is a store that does something before and after all secrets are sealed anew.
type slowReseal struct {
	Store
	before, after func()
}

func (r slowReseal) Reseal(ctx context.Context, reseal func(gatehouse.Sealed) ([]byte, error), event func(resealed, left int) gatehouse.AuditEvent) (int, int, error) {
	r.before()
	defer r.after()
	return r.Store.Reseal(ctx, reseal, event)
}

// The worst moment: the first has sealed everything, the second makes its key, the first forgets all but that.
func TestTwoWhoRekeyAtTheSameTimeLoseNothing(t *testing.T) {
	s := newServer(t, nil)
	s.settle = 0
	wantOpen := s.sealedThings(t)
	keyset := filepath.Join(s.dir, secret.KeysetFile)
	sealer, err := secret.LoadSealer(keyset)
	must(t, err)
	firstDone, secondIn, secondDone := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	enter := sync.OnceFunc(func() { close(secondIn) })
	second := New(Config{Sealer: sealer, Store: slowReseal{s.store, func() { enter(); <-firstDone }, func() {}}}) // another process
	second.settle = 0
	s.Control.store = slowReseal{s.store, func() {}, func() {
		go func() {
			_, _, err := second.Rekey(context.WithoutCancel(t.Context()), root)
			secondDone <- err
		}()
		select {
		case <-secondIn:
		case err := <-secondDone:
			secondDone <- err
		}
	}}
	_, _, err = s.Rekey(t.Context(), root)
	close(firstDone)
	must(t, err)
	if err := <-secondDone; gatehouse.ErrorCode(err) != gatehouse.Conflict {
		t.Errorf("the second one ends with %v", err)
	}
	s.Control.store = s.store
	wantOpen()
	_, _, err = second.Rekey(t.Context(), root)
	must(t, err)
	wantOpen()
}
