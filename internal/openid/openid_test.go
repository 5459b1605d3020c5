package openid

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// hangingProvider takes requests and answers none until it is told to.
func hangingProvider(t *testing.T) (issuer string, asked *atomic.Int32, answer func()) {
	t.Helper()
	asked = new(atomic.Int32)
	hanging := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-hanging
		http.Error(w, "away", http.StatusServiceUnavailable)
	}))
	answer = sync.OnceFunc(func() { close(hanging) })
	t.Cleanup(server.Close)
	t.Cleanup(answer)
	return server.URL, asked, answer
}

func TestNobodyWaitsInLineForAProviderThatHangs(t *testing.T) {
	issuer, asked, answer := hangingProvider(t)
	p := New(Config{Issuer: issuer})

	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, _, err := p.Begin(ctx)
		left <- err
	}()
	leave()
	if err := <-left; err != context.Canceled {
		t.Errorf("who has gone is told %v", err)
	}

	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, _, err := p.Begin(t.Context())
			if gatehouse.ErrorCode(err) != gatehouse.Unavailable || !strings.Contains(gatehouse.ErrorMessage(err), "does not answer") {
				t.Errorf("got %v", err)
			}
		})
	}
	for asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	answer()
	all.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the provider was asked %d times at once", n)
	}
}

func TestAFlowBelongsToItsState(t *testing.T) {
	if !(Flow{State: "a"}).Began("a") {
		t.Error("its own state is refused")
	}
	if (Flow{State: "a"}).Began("b") || (Flow{}).Began("") {
		t.Error("another state is taken")
	}
}
