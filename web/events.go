package web

import (
	"io"
	"net/http"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	// eventPause is the least time between two events: a busy deployment must not keep its pages fetching all the time.
	eventPause = 250 * time.Millisecond
	// heartbeat finds out that a page is gone, and keeps proxies from giving up the connection.
	heartbeat    = 15 * time.Second
	eventTimeout = 10 * time.Second // for writing one event
)

func (c *console) allEvents(w http.ResponseWriter, r *http.Request, _ gatehouse.Actor) error {
	return c.stream(w, r, "")
}

func (c *console) deploymentEvents(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	return c.stream(w, r, d.ID)
}

// stream tells an open page by server-sent events that it should look again. The events carry nothing: what the page may see is
// decided when it looks. The first is sent at once, for what happened between the page and the stream.
func (c *console) stream(w http.ResponseWriter, r *http.Request, deploymentID string) error {
	changes := c.Feed.Subscribe(r.Context(), deploymentID)
	control := http.NewResponseController(w)
	// The server's read timeout would end the stream: it takes the silence of the client for a slow request.
	_ = control.SetReadDeadline(time.Time{}) // a test recorder has no deadlines
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
	send := func(text string) error {
		_ = control.SetWriteDeadline(time.Now().Add(eventTimeout))
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		return control.Flush()
	}
	const changed = "event: changed\ndata:\n\n"
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for text := changed; send(text) == nil; {
		if text == changed && !sleep(r, eventPause) {
			return nil
		}
		select {
		case <-changes:
			text = changed
		case <-beat.C:
			if !c.sessions.alive(r) {
				return nil // the page then finds out by itself
			}
			text = ":\n\n"
		case <-r.Context().Done():
			return nil
		case <-stopping(r):
			return nil
		}
	}
	return nil // the page is gone
}

// sleep waits, and reports whether the request is still of use.
func sleep(r *http.Request, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	case <-stopping(r):
		return false
	}
}
