package control

import (
	"context"
	"strconv"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// Whoever has signed in or holds an API key could fill the disk with records of what they were refused. The first attempt of its kind
// in a minute is recorded at once, and a record at the end of the minute tells how often it came again. Beyond mostDenials kinds in a
// minute, the attempts of an actor are only counted.
const (
	denialWindow = time.Minute
	mostDenials  = 30
)

// target is what an attempt was about, as far as that is known. The zero value is nothing in particular.
type target struct{ id, name, deploymentID string }

func deploymentTarget(d gatehouse.Deployment) target { return target{d.ID, d.Name, d.ID} }

func tokenTarget(t gatehouse.Token) target { return target{t.ID, t.Name, t.DeploymentID} }

// denial is one kind of refused attempt. With only an actor, it is all of their kinds.
type denial struct {
	kind     gatehouse.ActorKind
	id, name string
	addr     string
	right    string
	on       target
}

// repetition is how often an attempt came again after its record.
type repetition struct {
	event gatehouse.AuditEvent
	more  int
}

// denials knows what was refused in the last minute. The zero value is ready.
type denials struct {
	mu       sync.Mutex
	seen     map[denial]*repetition
	recorded map[denial]int // kinds of an actor
	timer    *time.Timer    // ends the minute
	writing  sync.Mutex     // held until the records of a minute are stored
}

// mayRecord reports whether a refusal gets a record of its own. If not, it is counted, and summarise is called within a minute.
func (s *denials) mayRecord(e gatehouse.AuditEvent, summarise func()) bool {
	who := denial{kind: e.Actor.Kind, id: e.Actor.ID, name: e.Actor.Name}
	what := who
	what.addr, what.right, what.on = e.Actor.Addr, e.Details["right"], target{e.ObjectID, e.ObjectName, e.DeploymentID}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen, s.recorded = map[denial]*repetition{}, map[denial]int{}
		s.timer = time.AfterFunc(denialWindow, summarise)
	}
	if s.seen[what] == nil && s.recorded[who] >= mostDenials {
		what, e.ObjectID, e.ObjectName, e.DeploymentID = who, "", "", ""
		e.Details = map[string]string{"right": "various", "reason": "too many different attempts to record each"}
	}
	again := s.seen[what]
	if again == nil {
		again = &repetition{event: e}
		s.seen[what] = again
		if what != who {
			s.recorded[who]++
			return true
		}
	}
	again.more++
	return false
}

// take gives what is to be summed up, and begins the next minute.
func (s *denials) take() map[denial]*repetition {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
	seen := s.seen
	s.seen, s.recorded, s.timer = nil, nil, nil
	return seen
}

// Close records the refusals and the attempts of strangers that were only counted until now. The server calls it when it answers nobody
// any more, before it closes the store.
func (c *Control) Close(ctx context.Context) {
	c.sumUpDenials(ctx)
	c.recordSummary()
}

func (c *Control) recordDenials() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c.sumUpDenials(ctx)
}

// sumUpDenials writes one record for each kind of attempt that came again. A failure is passed over: the disk is full.
func (c *Control) sumUpDenials(ctx context.Context) {
	c.denials.writing.Lock()
	defer c.denials.writing.Unlock()
	for _, again := range c.denials.take() {
		if again.more == 0 {
			continue
		}
		e := again.event
		e.At = now()
		e.Details = map[string]string{"more": strconv.Itoa(again.more)}
		for name, value := range again.event.Details {
			e.Details[name] = value
		}
		_ = c.store.AddAudit(ctx, e)
	}
}
