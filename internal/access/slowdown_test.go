package access

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

var discard = slog.New(slog.DiscardHandler)

func TestManyWrongCredentialsAreAnsweredLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := NewTable(discard)
		good := secret.New(secret.AccessToken).Reveal()
		table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode}})
		table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "t", DeploymentID: "d", Hash: secret.Hash(good), Access: gatehouse.Read}})
		h := NewHandler(table, Options{Log: discard})
		ask := func(addr, bearer string, wantStatus int, wantLate time.Duration) {
			t.Helper()
			r := httptest.NewRequest("GET", "/health", nil)
			r.RemoteAddr = addr
			if bearer != "" {
				r.Header.Set("Authorization", "Bearer "+bearer)
			}
			w := httptest.NewRecorder()
			start := time.Now()
			h.ServeHTTP(w, r)
			if late := time.Since(start); late != wantLate || w.Code != wantStatus {
				t.Errorf("%s with %.6q: %d after %s; want %d after %s", addr, bearer, w.Code, late, wantStatus, wantLate)
			}
		}
		for i := range freeRefusals {
			ask("192.0.2.1:1", fmt.Sprint("wrong ", i), 401, 0)
		}
		ask("192.0.2.1:2", "wrong", 401, time.Second)
		ask("192.0.2.1:3", "vmat_misspelt", 401, time.Second)
		ask("192.0.2.1:2", good, 200, 0) // the same address, but nothing wrong
		ask("192.0.2.1:2", "", 401, 0)   // a health check without credential
		ask("192.0.2.2:1", "wrong", 401, 0)
		time.Sleep(refusalWindow)
		ask("192.0.2.1:1", "wrong", 401, 0)
	})
}

func TestSlowdownKnowsNetworks(t *testing.T) {
	s := newSlowdown(time.Second, &metrics.Counter{})
	for i := range freeRefusals {
		if late, _ := s.count(fmt.Sprintf("2001:db8::%x", i)); late {
			t.Fatal("too early")
		}
	}
	if late, _ := s.count("2001:db8::ffff:1"); !late {
		t.Error("an address of the same /64 gets away")
	}
	if late, _ := s.count("2001:db8:0:1::1"); late {
		t.Error("an address of another /64 pays for it")
	}
}

func TestSlowdownHoldsBackOnlySoMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlowdown(time.Second, &metrics.Counter{})
		for range freeRefusals {
			s.wait(t.Context(), "192.0.2.1")
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range mostDelayed {
			go func() {
				if !s.wait(ctx, "192.0.2.1") {
					t.Error("no room too early")
				}
			}()
		}
		synctest.Wait()
		start := time.Now()
		if s.wait(t.Context(), "192.0.2.1") || time.Since(start) != 0 {
			t.Error("one more was held back, too")
		}
		if !s.wait(t.Context(), "192.0.2.2") || time.Since(start) != 0 {
			t.Error("an innocent address was made to wait, or was told to close")
		}
		cancel() // the clients go away
		synctest.Wait()
		if s.delayed != 0 || time.Since(start) != 0 {
			t.Errorf("%d still wait", s.delayed)
		}
	})
}

func TestAFullSlowdownClosesTheConnection(t *testing.T) {
	h := NewHandler(NewTable(discard), Options{Log: discard})
	for range freeRefusals {
		h.slowdown.count("192.0.2.1")
	}
	h.slowdown.delayed = mostDelayed
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "192.0.2.1:1"
	r.Header.Set("Authorization", "Bearer wrong")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || w.Header().Get("Connection") != "close" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
