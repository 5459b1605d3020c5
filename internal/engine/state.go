package engine

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse/internal/gatehouse"
)

// reporter tells OnState what has changed. It belongs to one deployment and outlives its workers, so that a new worker does not
// repeat what the one before has said. Only one worker at a time uses it.
type reporter struct {
	what string // "deployment", or what else it is, for the log
	id   string
	log  *slog.Logger
	tell func(string, gatehouse.State, *Endpoint)

	last     gatehouse.State
	endpoint *Endpoint
	status   atomic.Value // that of last, for everybody
}

// report passes a state on unless it is the one reported last. Of a deleted deployment nothing is said any more: whoever listens
// has already forgotten it.
func (r *reporter) report(ctx context.Context, status gatehouse.Status, detail, version string, e *Endpoint) {
	if errors.Is(context.Cause(ctx), errGone) {
		return
	}
	s := gatehouse.State{Status: status, Detail: detail, Version: version}
	if s == r.last && e.equal(r.endpoint) {
		return
	}
	if s != r.last {
		level := slog.LevelInfo
		if status == gatehouse.Failed || (status == gatehouse.Running && detail != "") {
			level = slog.LevelWarn
		}
		r.log.Log(ctx, level, r.what+" "+status.Label(), r.what, r.id, "detail", detail, "version", version)
	}
	r.last, r.endpoint = s, e
	r.status.Store(status)
	s.At = time.Now()
	r.tell(r.id, s, e)
}

// sleep waits for d, or less if ctx is done.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
