package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
)

// took gives how long an attempt has to wait.
func took(t *testing.T, th *throttle, account, addr string) (time.Duration, error) {
	t.Helper()
	at := time.Now()
	err := th.wait(t.Context(), account, addr)
	return time.Since(at), err
}

func TestGuessingGetsSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for i, want := range []time.Duration{0, 0, 0, 1 * time.Second, 2 * time.Second, 4 * time.Second} {
			if got, err := took(t, th, "a@example.com", fmt.Sprint("192.0.2.", i)); err != nil || got != want {
				t.Fatalf("attempt %d waits %v, %v; want %v", i+1, got, err, want)
			}
		}
		got, err := took(t, th, "a@example.com", "192.0.2.99")
		wantError(t, err, gatehouse.Unauthenticated, "too many failed attempts", "wait a minute")
		if got != 0 {
			t.Errorf("the refusal takes %v", got)
		}
		if got, err := took(t, th, "b@example.com", "192.0.2.99"); err != nil || got != 0 {
			t.Errorf("another account waits %v, %v", got, err)
		}
		time.Sleep(throttleMost)
		if got, err := took(t, th, "a@example.com", "192.0.2.99"); err != nil || got != 0 {
			t.Errorf("after a minute, an attempt waits %v, %v", got, err)
		}
	})
}

func TestManyAttemptsAtOnceGainNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := func(account, addr func(i int) string, most int) {
			t.Helper()
			th := newThrottle()
			var passed atomic.Int64
			var group sync.WaitGroup
			for i := range 1000 {
				group.Go(func() {
					if th.wait(t.Context(), account(i), addr(i)) == nil {
						passed.Add(1)
					}
				})
			}
			group.Wait()
			if n := int(passed.Load()); n > most {
				t.Errorf("%d of 1000 attempts at once pass, want at most %d", n, most)
			}
		}
		one := func(int) string { return "one@example.com" }
		each := func(i int) string { return fmt.Sprint(i) }
		f(one, each, accountFree+3)
		f(each, one, addressFree+3)
	})
}

func TestSuccessClearsTheAccountButNotTheAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for range addressFree { // guesses at others' passwords
			_, err := took(t, th, fmt.Sprint(time.Now(), len(th.attempts)), "192.0.2.7")
			must(t, err)
		}
		if got, err := took(t, th, "own@example.com", "192.0.2.7"); err != nil || got != time.Second {
			t.Errorf("the own account waits %v, %v", got, err)
		}
		th.succeeded("own@example.com", "192.0.2.7")
		if got, err := took(t, th, "other@example.com", "192.0.2.7"); err != nil || got != time.Second {
			t.Errorf("after a success, the next guess waits %v, %v; want as long as before", got, err)
		}

		th = newThrottle()
		for range 3 * addressFree { // an office that signs in
			got, err := took(t, th, "own@example.com", "192.0.2.7")
			if err != nil || got != 0 {
				t.Fatalf("a user who always succeeds waits %v, %v", got, err)
			}
			th.succeeded("own@example.com", "192.0.2.7")
		}
		if len(th.attempts) != 0 {
			t.Errorf("%d entries are left", len(th.attempts))
		}
	})
}

func TestThrottleForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for i := range 1000 {
			must(t, th.wait(t.Context(), fmt.Sprint(i), fmt.Sprint(i)))
		}
		time.Sleep(throttleForget + time.Second)
		must(t, th.wait(t.Context(), "", "192.0.2.7"))
		if len(th.attempts) != 1 {
			t.Errorf("%d entries are left, want the new one", len(th.attempts))
		}
	})
}

func TestWaitingEndsWhenTheClientHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for range accountFree {
			must(t, th.wait(t.Context(), "a", "b"))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := th.wait(ctx, "a", "b"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestSignInIsThrottled(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "user@example.com", gatehouse.Viewer)
	for range accountFree {
		_, _, err := s.SignIn(t.Context(), at("192.0.2.7"), "user@example.com", "a wrong password")
		wantError(t, err, gatehouse.Unauthenticated, "wrong")
	}
	s.throttle.book("user@example.com", "192.0.2.8")
	s.throttle.book("user@example.com", "192.0.2.8")
	records := s.newRecords(t, func() {
		for i, email := range []string{"user@example.com", " USER@example.com", "user@example.com"} {
			_, _, err := s.SignIn(t.Context(), at(fmt.Sprint("198.51.100.", i)), email, password)
			wantError(t, err, gatehouse.Unauthenticated, "too many failed attempts")
		}
	})
	if len(records) != 1 || records[0].Action != gatehouse.SignInFailed || records[0].Details["reason"] != "throttled" || records[0].ObjectName != "user@example.com" {
		t.Errorf("the flood is recorded as %+v, want one record", records)
	}
}

func TestThrottledAttemptsAreNotedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		refused := func(account, addr string) bool {
			t.Helper()
			for th.book(account, addr) <= throttlePatience {
			}
			return th.noteRefusal(account, addr)
		}
		if !refused("a@example.com", "192.0.2.1") {
			t.Error("the first is not noted")
		}
		for i := range 100 {
			if refused("a@example.com", fmt.Sprint("192.0.2.", i)) {
				t.Fatal("a flood on one account is noted again and again")
			}
		}
		if !refused("b@example.com", "203.0.113.1") {
			t.Error("another account is not noted")
		}
		for len(th.attempts) < 100 && th.book(fmt.Sprint(len(th.attempts)), "203.0.113.9") <= throttlePatience {
		}
		if !th.noteRefusal("c@example.com", "203.0.113.9") || th.noteRefusal("d@example.com", "203.0.113.9") {
			t.Error("a flood from one address is not noted exactly once")
		}
		time.Sleep(time.Minute)
		if !refused("a@example.com", "192.0.2.1") {
			t.Error("after a minute, it is not noted again")
		}
		if th.noteRefusal("never@example.com", "233.252.0.1") {
			t.Error("an attempt that was not refused is noted")
		}
	})
}
