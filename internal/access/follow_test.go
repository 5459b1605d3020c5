package access

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
)

// journal is a store in memory: the real one knows this package and is tested with it elsewhere.
type journal struct {
	mu      sync.Mutex
	changes []gatehouse.Change
	broken  error
}

func (j *journal) add(c gatehouse.Change) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.changes = append(j.changes, c)
}

func (j *journal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.broken = err
}

func (j *journal) Snapshot(ctx context.Context, apply func(gatehouse.Change)) (int64, error) {
	return j.Changes(ctx, 0, apply)
}

func (j *journal) Changes(_ context.Context, since int64, apply func(gatehouse.Change)) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return 0, j.broken
	}
	for _, c := range j.changes[since:] {
		apply(c)
	}
	return int64(len(j.changes)), nil
}

func (j *journal) DataVersion(context.Context) (int64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int64(len(j.changes)), j.broken
}

func TestFollower(t *testing.T) {
	table, _ := newTestTable(t)
	log := &logBuffer{}
	j := &journal{}
	f := NewFollower(j, table.Apply, slog.New(slog.NewTextHandler(log, nil)))
	has := func(i int) bool { return table.lookup(credential(i, "d").Hash) != nil }
	add := func(i int) { j.add(gatehouse.Change{Token: credential(i, "d")}) }

	add(1)
	j.fail(errors.New("disk I/O error"))
	if err := f.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "disk I/O error") {
		t.Fatalf("%v; without a first table nothing can be served", err)
	}
	j.fail(nil)
	if err := f.Load(t.Context()); err != nil || !has(1) {
		t.Fatalf("%v, %v", err, has(1))
	}
	add(2)
	if err := f.Sync(t.Context()); err != nil || !has(2) {
		t.Fatalf("%v, %v; a change must be in force when Sync returns", err, has(2))
	}

	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		f.Run(ctx)
	}()
	add(3)
	eventually(t, "a change by another process is in force", func() bool { return has(3) })

	j.fail(errors.New("database is locked"))
	add(4)
	eventually(t, "the outage is logged", func() bool { return strings.Contains(log.String(), "database is locked") })
	if err := f.Sync(t.Context()); err == nil {
		t.Error("Sync hides the outage")
	}
	if !has(1) || !has(2) || !has(3) {
		t.Error("the last good table must stay in force")
	}
	j.fail(nil)
	eventually(t, "what changed meanwhile is in force", func() bool { return has(4) })
	eventually(t, "the end of the outage is logged", func() bool { return strings.Contains(log.String(), "can be followed again") })
	cancel()
	<-stopped
	if n := strings.Count(log.String(), "database is locked"); n != 1 {
		t.Errorf("one outage is logged %d times", n)
	}
}
