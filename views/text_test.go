package views

import (
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestAgeSaysHowLongAgo(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		now := time.Now()
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	const day = 24 * time.Hour
	f(-time.Second, "just now")
	f(4*time.Second, "just now")
	f(40*time.Second, "40 seconds ago")
	f(time.Minute, "1 minute ago")
	f(59*time.Minute, "59 minutes ago")
	f(time.Hour, "1 hour ago")
	f(47*time.Hour, "47 hours ago")
	f(2*day, "2 days ago")
	f(59*day, "59 days ago")
	f(60*day, "2 months ago")
}

func TestSentenceReadsLikeOne(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := sentence(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
	f("", "")
	f("the disk is full; free some space", "The disk is full; free some space.")
	f("ähnlich", "Ähnlich.")
	f("really?", "Really?")
	f("vmselect does not answer", "vmselect does not answer.")
}

func TestNumbersAreGrouped(t *testing.T) {
	f := func(n int, want string) {
		t.Helper()
		if got := number(n); got != want {
			t.Errorf("%d became %s, want %s", n, got, want)
		}
	}
	f(0, "0")
	f(999, "999")
	f(1000, "1,000")
	f(1234567, "1,234,567")
}

func TestClientsThatTalkMuchAreCutShort(t *testing.T) {
	long := make([]byte, 200)
	for i := range long {
		long[i] = 'x'
	}
	if got := []rune(client(gatehouse.Use{UserAgent: string(long)})); len(got) != 61 {
		t.Errorf("%d characters", len(got))
	}
}

func TestActivityTellsRequestsRefusalsAndTheLimit(t *testing.T) {
	for want, a := range map[string]gatehouse.TokenActivity{
		"":                                      {Period: 10 * time.Minute},
		"1 request in 10 minutes; now 0 of 600": {Requests: 1, Period: 10 * time.Minute},
		"1,204 requests, 3 refused in 10 minutes; now 600 of 600, 24 waiting": {Requests: 1204, Refusals: 3, Running: 600, Waiting: 24, Period: 10 * time.Minute},
	} {
		if got := activity(a, 600); got != want {
			t.Errorf("activity(%+v) = %q, want %q", a, got, want)
		}
	}
}

func TestLoadIsShownBesideItsLimit(t *testing.T) {
	f := func(l gatehouse.EndpointLoad, want string) {
		t.Helper()
		if got := loadText(l); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	f(gatehouse.EndpointLoad{Running: 3, Limit: 10_000}, "All tokens of all deployments together: 3 of at most 10,000 requests running.")
	f(gatehouse.EndpointLoad{Running: 10_000, Waiting: 7, Limit: 10_000}, "All tokens of all deployments together: 10,000 of at most 10,000 requests running, 7 waiting in line.")
}
