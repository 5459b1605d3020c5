package api

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestReadersOfTheAuditLogLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits(0)
		h := http.Header{}
		enter := func(key string, searches bool, wantStatus int) (release func()) {
			t.Helper()
			release, err := l.enter(t.Context(), h, key, searches)
			if got, _ := err.(refusal); got.status != wantStatus {
				t.Fatalf("key %s: %v, want status %d", key, err, wantStatus)
			}
			return release
		}
		release := enter("a", true, 0)
		for range mostKeySearches - 1 {
			enter("a", true, 0)
		}
		enter("a", true, http.StatusTooManyRequests)
		for range mostRunning - mostKeySearches { // what the refused one had taken is free again
			enter("a", false, 0)
		}
		enter("a", false, http.StatusTooManyRequests)
		for range mostSearches - mostKeySearches {
			enter("b", true, 0)
		}
		enter("b", true, http.StatusTooManyRequests)
		enter("c", true, http.StatusTooManyRequests)
		enter("c", false, 0)
		release()
		enter("c", true, 0)
		if h.Get("Retry-After") == "" {
			t.Error("nothing says when to try again")
		}
	})
}

func TestWhateverReadsTheAuditLogIsASearch(t *testing.T) {
	for _, r := range (&api{}).routes() {
		if want := strings.HasPrefix(r.path, Prefix+"/audit"); r.searches != want {
			t.Errorf("%s %s is a search: %v, want %v", r.method, r.path, r.searches, want)
		}
	}
}
