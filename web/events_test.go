package web_test

import (
	"bufio"
	"context"
	"net/http"
	"testing"
	"time"
)

// patience is how long tests wait for what should come: long, since the machine may be busy.
const patience = 30 * time.Second

// listen opens a stream of events and gives the events that come.
func (v *visitor) listen(path string) <-chan string {
	v.Helper()
	ctx, cancel := context.WithCancel(v.Context())
	v.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.url+path, nil)
	if err != nil {
		v.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := v.client.Do(req)
	if err != nil {
		v.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		v.Fatalf("%s: status %d, content type %q", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	events := make(chan string, 100)
	go func() {
		defer resp.Body.Close()
		defer close(events)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if line := lines.Text(); line != "" && line[0] == 'e' {
				events <- line
			}
		}
	}()
	return events
}

func (s *site) wantEvent(events <-chan string) {
	s.Helper()
	select {
	case e := <-events:
		if e != "event: changed" {
			s.Fatalf("event %q", e)
		}
	case <-time.After(patience):
		s.Fatal("no event came")
	}
}

func TestOpenPagesHearOfChanges(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d, other := s.addDeployment("prod"), s.addDeployment("other")
	page := v.get("/deployments/" + d.ID)
	if got := page.attr("#main", "data-events"); got != "/deployments/"+d.ID+"/events" {
		t.Errorf("the page listens to %q", got)
	}
	one, all := v.listen("/deployments/"+d.ID+"/events"), v.listen("/deployments/events")
	s.wantEvent(one) // for what happened before the stream
	s.wantEvent(all)
	s.feed.Notify(other.ID)
	s.wantEvent(all)
	s.feed.Notify(d.ID)
	s.wantEvent(one)
	s.wantEvent(all)
	if len(one) > 0 {
		t.Error("a page hears of other deployments")
	}
}

func TestOpenPagesDoNotKeepTheServerFromStopping(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	events := v.listen("/deployments/events")
	s.wantEvent(events)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case _, open := <-events:
		if open {
			t.Error("an event came instead of the end")
		}
	case <-time.After(patience):
		t.Error("the stream goes on")
	}
}
