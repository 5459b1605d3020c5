package access

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// pollEvery is how often the store is asked whether another process changed it; asking costs microseconds.
const pollEvery = 25 * time.Millisecond

// Source is the store that the access table follows.
type Source interface {
	// Snapshot gives everything there is, and the sequence number of the last change in it.
	Snapshot(ctx context.Context, apply func(gatehouse.Change)) (seq int64, err error)
	// Changes gives what changed after since, in order, and the sequence number of the last change.
	Changes(ctx context.Context, since int64, apply func(gatehouse.Change)) (seq int64, err error)
	// DataVersion differs from the last one when another connection has changed the store.
	DataVersion(ctx context.Context) (int64, error)
}

// Follower keeps what apply feeds up to date with a Source. When the store is away, the last good state stays in force.
type Follower struct {
	source Source
	apply  func(gatehouse.Change)
	log    *slog.Logger

	mu      sync.Mutex
	seq     int64
	version int64
}

// NewFollower makes a Follower that gives every change to apply, in order and never two at a time.
func NewFollower(source Source, apply func(gatehouse.Change), log *slog.Logger) *Follower {
	return &Follower{source: source, apply: apply, log: log}
}

// Load reads the first snapshot. It must succeed before the endpoint serves.
func (f *Follower) Load(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	version, err := f.source.DataVersion(ctx) // before the snapshot: what changes in between is read again
	if err != nil {
		return fmt.Errorf("read the version of the store: %w", err)
	}
	seq, err := f.source.Snapshot(ctx, f.apply)
	if err != nil {
		return fmt.Errorf("read the access table from the store: %w", err)
	}
	f.seq, f.version = seq, version
	return nil
}

// Sync reads and applies what changed. When it returns nil, every change committed before the call is in force.
func (f *Follower) Sync(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sync(ctx)
}

func (f *Follower) sync(ctx context.Context) error {
	seq, err := f.source.Changes(ctx, f.seq, f.apply)
	if err != nil {
		return fmt.Errorf("read the changes of the access table: %w", err)
	}
	f.seq = seq
	return nil
}

// Run follows changes of other processes until ctx ends. An outage of the store is logged once when it begins and once when it ends.
func (f *Follower) Run(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := f.poll(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			f.log.Error("cannot follow the store; the last good access table stays in force", "error", err)
		case err == nil && failing:
			f.log.Info("the store can be followed again")
		}
		failing = err != nil
	}
}

func (f *Follower) poll(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	version, err := f.source.DataVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the store: %w", err)
	}
	if version == f.version {
		return nil
	}
	if err := f.sync(ctx); err != nil {
		return err
	}
	f.version = version
	return nil
}
