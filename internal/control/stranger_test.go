package control

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestAFloodFromEverywhereIsSummedUp(t *testing.T) {
	s := newServer(t, nil)
	const keys, more = 30, 7
	records := s.newRecords(t, func() {
		for i := range strangerRecords + keys {
			_, err := s.KeyActor(t.Context(), "wrong", at(fmt.Sprintf("10.0.%d.%d", i/256, i%256)))
			wantError(t, err, gatehouse.Unauthenticated)
		}
		for range more {
			must(t, s.recordFailure(t.Context(), "192.0.2.1", "user@example.com", "", ""))
		}
	})
	if len(records) != strangerRecords {
		t.Fatalf("%d records are made, want %d", len(records), strangerRecords)
	}
	records = s.newRecords(t, s.recordSummary)
	got := map[gatehouse.Action]string{}
	for _, e := range records {
		got[e.Action] = e.Details["more"]
	}
	if len(records) != 2 || got[gatehouse.APIKeyRefused] != fmt.Sprint(keys) || got[gatehouse.SignInFailed] != fmt.Sprint(more) {
		t.Errorf("the summary is %+v", records)
	}
	if n := len(s.newRecords(t, s.recordSummary)); n != 0 {
		t.Errorf("nothing makes %d records", n)
	}
	must(t, s.recordFailure(t.Context(), "192.0.2.1", "user@example.com", "", ""))
	if n := len(s.newRecords(t, func() { s.Close(t.Context()) })); n != 1 {
		t.Errorf("what was counted when the server stops makes %d records, want 1", n)
	}
}

func TestASummaryComesOnceAMinuteWhileTheFloodLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s strangers
		var mu sync.Mutex
		var sums []int
		summarise := func() {
			mu.Lock()
			defer mu.Unlock()
			sums = append(sums, s.take()[gatehouse.SignInFailed])
		}
		for range strangerRecords {
			if !s.mayRecord(gatehouse.SignInFailed, summarise) {
				t.Fatal("an attempt is not recorded too early")
			}
		}
		for range 3 * 60 {
			if s.mayRecord(gatehouse.SignInFailed, summarise) {
				t.Fatal("the flood is recorded")
			}
			time.Sleep(time.Second)
		}
		time.Sleep(strangerSummary)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		total := 0
		for _, n := range sums {
			total += n
		}
		if len(sums) < 3 || len(sums) > 4 || total != 3*60 {
			t.Errorf("the summaries are %v", sums)
		}
		time.Sleep(time.Hour)
		if !s.mayRecord(gatehouse.SignInFailed, summarise) {
			t.Error("an hour later, an attempt is not recorded")
		}
	})
}

func TestOnlySoManyWaitForTheirPasswordToBeChecked(t *testing.T) {
	s := newServer(t, nil)
	s.user(t, "user@example.com", gatehouse.Viewer)
	for range mostChecking {
		checking <- struct{}{}
	}
	_, _, err := s.SignIn(t.Context(), at("192.0.2.7"), "user@example.com", password)
	wantError(t, err, gatehouse.Unavailable, "try again")
	for range mostChecking {
		<-checking
	}
	s.signIn(t, "user@example.com")
}
