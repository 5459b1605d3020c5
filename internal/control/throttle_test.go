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
	_, err := th.wait(t.Context(), account, addr)
	return time.Since(at), err
}

// free makes an attempt that is not refused.
func free(t *testing.T, th *throttle, account, addr string) {
	t.Helper()
	_, err := took(t, th, account, addr)
	must(t, err)
}

func TestGuessingGetsSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for i, want := range []time.Duration{0, 0, 0, 1 * time.Second, 2 * time.Second, throttlePatience, throttlePatience, throttlePatience} {
			if got, err := took(t, th, "a@example.com", fmt.Sprint("192.0.2.", i)); err != nil || got != want {
				t.Fatalf("attempt %d on one account waits %v, %v; want %v", i+1, got, err, want)
			}
		}
		if got, err := took(t, th, "b@example.com", "192.0.2.99"); err != nil || got != 0 {
			t.Errorf("another account waits %v, %v", got, err)
		}
		time.Sleep(throttleMost)
		if got, err := took(t, th, "a@example.com", "192.0.2.99"); err != nil || got != 0 {
			t.Errorf("after a minute, an attempt waits %v, %v", got, err)
		}

		for i := range networkFree {
			free(t, th, fmt.Sprint(i), "203.0.113.1")
		}
		for _, want := range []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second} {
			if got, err := took(t, th, fmt.Sprint(want), "203.0.113.1"); err != nil || got != want {
				t.Errorf("an attempt from one address waits %v, %v; want %v", got, err, want)
			}
		}
		got, err := took(t, th, "c@example.com", "203.0.113.1")
		wantError(t, err, gatehouse.Unauthenticated, "too many failed attempts", "wait a minute")
		if got != 0 {
			t.Errorf("the refusal takes %v", got)
		}
	})
}

// flood keeps guesses at one account coming, from so many networks. It counts those that are let through, until stop.
func flood(t *testing.T, th *throttle, account string, networks int) (guesses *atomic.Int64, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	guesses = new(atomic.Int64)
	var group sync.WaitGroup
	for i := range networks {
		group.Go(func() {
			for ctx.Err() == nil {
				if _, err := th.wait(ctx, account, fmt.Sprintf("10.0.%d.%d", i/256, i%256)); err == nil {
					guesses.Add(1)
					continue
				}
				time.Sleep(time.Second)
			}
		})
	}
	return guesses, func() { cancel(); group.Wait() }
}

func TestNobodyCanKeepTheOwnerOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		free(t, th, "owner@example.com", "192.0.2.7")
		th.succeeded("owner@example.com", "192.0.2.7")
		guesses, stop := flood(t, th, "owner@example.com", 30)
		defer stop()
		time.Sleep(5 * time.Minute)
		if got, err := took(t, th, "owner@example.com", "192.0.2.7"); err != nil || got != 0 {
			t.Errorf("the owner, from where they signed in before, waits %v, %v", got, err)
		}
		if got, err := took(t, th, "owner@example.com", "198.51.100.7"); err != nil || got > throttlePatience {
			t.Errorf("the owner, from elsewhere, waits %v, %v", got, err)
		}
		before := guesses.Load()
		time.Sleep(time.Hour)
		if n := guesses.Load() - before; n == 0 || n > 30*61 {
			t.Errorf("30 networks make %d guesses in an hour, want at most one a minute each", n)
		}
	})
}

func TestManyNetworksTogetherGuessSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		guesses, stop := flood(t, th, "owner@example.com", 500)
		defer stop()
		time.Sleep(10 * time.Minute)
		if n, most := guesses.Load(), int64(accountFree+10*60/4*(accountQueue+1)); n > most {
			t.Errorf("they make %d guesses at one account in 10 minutes, want at most %d", n, most)
		}
	})
}

func TestWhoSharesTheOwnersAddressGuessesAtMostOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		th.succeeded("owner@example.com", "10.0.0.0")
		guesses, stop := flood(t, th, "owner@example.com", 1)
		defer stop()
		time.Sleep(time.Hour)
		if n := guesses.Load(); n > accountFree+6+60 { // 6: while the delay doubles
			t.Errorf("%d guesses in an hour", n)
		}
	})
}

func TestTheAddressesOfOneIPv6NetworkCountTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		passed := 0
		for i := range 1000 {
			if !th.book(fmt.Sprint(i), fmt.Sprintf("2001:db8:1:2::%x", i)).refused {
				passed++
			}
		}
		if passed > networkFree+3 {
			t.Errorf("%d of 1000 attempts from one /64 pass", passed)
		}
		if got, err := took(t, th, "other", "2001:db8:1:3::1"); err != nil || got != 0 {
			t.Errorf("the next /64 waits %v, %v", got, err)
		}
	})
}

func TestAFloodFromEverywhereTakesBoundedMemory(t *testing.T) {
	th := newThrottle()
	for i := range throttleEntries + 1000 {
		th.book("", fmt.Sprint(i))
		th.succeeded(fmt.Sprint(i), "192.0.2.7")
		th.book("", fmt.Sprint(i, " again"))
	}
	if len(th.attempts) > throttleEntries || len(th.familiar) > throttleFamiliar {
		t.Errorf("%d entries and %d familiar networks are remembered", len(th.attempts), len(th.familiar))
	}
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
					if _, err := th.wait(t.Context(), account(i), addr(i)); err == nil {
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
		f(one, each, accountFree+accountQueue)
		f(each, one, networkFree+3)
	})
}

func TestSuccessPaysForNoGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for range networkFree { // guesses at others' passwords
			free(t, th, fmt.Sprint(time.Now(), len(th.attempts)), "192.0.2.7")
		}
		if got, err := took(t, th, "own@example.com", "192.0.2.7"); err != nil || got != time.Second {
			t.Errorf("the own account waits %v, %v", got, err)
		}
		th.succeeded("own@example.com", "192.0.2.7")
		if got, err := took(t, th, "other@example.com", "192.0.2.7"); err != nil || got != time.Second {
			t.Errorf("after a success, the next guess waits %v, %v; want as long as before", got, err)
		}

		th = newThrottle()
		for range 3 * networkFree { // an office that signs in
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
			free(t, th, fmt.Sprint(i), fmt.Sprint(i))
		}
		time.Sleep(throttleForget + time.Second)
		free(t, th, "", "192.0.2.7")
		if len(th.attempts) != 1 {
			t.Errorf("%d entries are left, want the new one", len(th.attempts))
		}
	})
}

func TestWaitingEndsWhenTheClientHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := newThrottle()
		for range accountFree {
			free(t, th, "a", "b")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 2 * accountQueue { // and gives its place in the queue back
			if _, err := th.wait(ctx, "a", "b"); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			delete(th.attempts, "network b")
			delete(th.attempts, pairKey("a", "b"))
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
	for i := range accountQueue {
		s.throttle.book("user@example.com", fmt.Sprint("192.0.2.", 8+i))
	}
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
		noted := func(account, addr func(i int) string) (n int) {
			for i := range 100 {
				if th.book(account(i), addr(i)).note {
					n++
				}
			}
			return n
		}
		one := func(text string) func(int) string { return func(int) string { return text } }
		each := func(prefix string) func(int) string { return func(i int) string { return fmt.Sprint(prefix, i) } }
		if n := noted(one("a@example.com"), each("192.0.2.")); n != 1 {
			t.Errorf("a flood on one account is noted %d times", n)
		}
		if n := noted(one("b@example.com"), each("192.0.2.")); n != 1 {
			t.Errorf("one on another account is noted %d times", n)
		}
		if n := noted(each("account"), one("203.0.113.9")); n != 1 {
			t.Errorf("a flood from one address is noted %d times", n)
		}
		if n := noted(one("a@example.com"), each("192.0.2.")); n != 0 {
			t.Errorf("within a minute, it is noted again")
		}
		time.Sleep(time.Minute)
		if n := noted(one("a@example.com"), each("192.0.2.")); n != 1 {
			t.Errorf("after a minute, it is noted %d times", n)
		}
	})
}
