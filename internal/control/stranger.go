package control

import (
	"context"
	"strconv"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// Those who have proved nothing, and come from many networks, could fill the disk with records of their attempts. Beyond
// strangerRecords in an hour, attempts are counted, and one record a minute tells how many more there were.
const (
	strangerRecords = 600
	strangerSummary = time.Minute
)

// strangers counts the records of attempts to prove who one is that failed. The zero value is ready.
type strangers struct {
	mu    sync.Mutex
	since time.Time                // when the hour began
	made  int                      // records since then
	more  map[gatehouse.Action]int // attempts that wait to be summed up
}

// recordStranger records an attempt, or counts it for the next summary. The client may be gone already, which does not undo that it
// tried.
func (c *Control) recordStranger(ctx context.Context, e gatehouse.AuditEvent) error {
	if c.strangers.mayRecord(e.Action, c.recordSummary) {
		return c.store.AddAudit(context.WithoutCancel(ctx), e)
	}
	return nil
}

// mayRecord reports whether an attempt gets a record of its own. If not, it is counted, and summarise is called within a minute.
func (s *strangers) mayRecord(action gatehouse.Action, summarise func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := time.Now(); at.Sub(s.since) >= time.Hour {
		s.since, s.made = at, 0
	}
	if s.made < strangerRecords {
		s.made++
		return true
	}
	if s.more == nil {
		s.more = map[gatehouse.Action]int{}
		time.AfterFunc(strangerSummary, summarise)
	}
	s.more[action]++
	return false
}

// take gives what is to be summed up.
func (s *strangers) take() map[gatehouse.Action]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	more := s.more
	s.more = nil
	return more
}

// recordSummary writes one record for each kind of attempt. A failure is passed over: the disk is full.
func (c *Control) recordSummary() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for action, n := range c.strangers.take() {
		e := event(gatehouse.Actor{Kind: gatehouse.System, Name: "flood"}, action, "", "")
		e.Details = map[string]string{"more": strconv.Itoa(n), "reason": "too many attempts to record each"}
		_ = c.store.AddAudit(ctx, e)
	}
}
