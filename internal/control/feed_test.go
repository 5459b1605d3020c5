package control

import (
	"context"
	"testing"
	"testing/synctest"
)

func woken(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestFeedWakesThoseWhoFollow(t *testing.T) {
	f := NewFeed()
	a, b, all := f.Subscribe(t.Context(), "a"), f.Subscribe(t.Context(), "b"), f.Subscribe(t.Context(), "")
	check := func(notified string, wantA, wantB, wantAll bool) {
		t.Helper()
		f.Notify(notified)
		if gotA, gotB, gotAll := woken(a), woken(b), woken(all); gotA != wantA || gotB != wantB || gotAll != wantAll {
			t.Errorf("%q wakes a: %v, b: %v, all: %v", notified, gotA, gotB, gotAll)
		}
	}
	check("a", true, false, true)
	check("b", false, true, true)
	check("c", false, false, true)
	check("", true, true, true)
	if woken(a) || woken(b) || woken(all) {
		t.Error("somebody is woken twice")
	}
}

func TestFeedNeverBlocksAndNeverLosesTheLastChange(t *testing.T) {
	f := NewFeed()
	slow := f.Subscribe(t.Context(), "a")
	for range 1000 {
		f.Notify("a")
	}
	if !woken(slow) || woken(slow) {
		t.Error("a thousand changes are not one wake-up")
	}
	f.Notify("a")
	if !woken(slow) {
		t.Error("a change after the wake-up is lost")
	}
}

func TestFeedForgetsWhoIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := NewFeed()
		stay := f.Subscribe(t.Context(), "a")
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			f.Subscribe(ctx, "a")
			cancel()
			f.Subscribe(ctx, "a") // comes too late
		}
		synctest.Wait()
		if len(f.subscribers) != 1 {
			t.Errorf("%d subscribers are left, want 1", len(f.subscribers))
		}
		f.Notify("a")
		if !woken(stay) {
			t.Error("the one that stays is not woken")
		}
	})
}
