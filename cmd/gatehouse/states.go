package main

import (
	"context"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

// unsavedStates are the states of deployments that are not stored yet: the disk may be full, or the database locked. What is
// reported once is not reported again, so it must not be lost here.
type unsavedStates struct {
	mu   sync.Mutex
	byID map[string]gatehouse.State

	saving sync.Mutex // keeps an older state from overtaking a newer one
}

func (u *unsavedStates) set(id string, state gatehouse.State) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.byID == nil {
		u.byID = map[string]gatehouse.State{}
	}
	u.byID[id] = state
}

func (u *unsavedStates) get(id string) (gatehouse.State, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	state, ok := u.byID[id]
	return state, ok
}

// save gives each unsaved state to store, and forgets those that were stored and have not changed since.
func (u *unsavedStates) save(store func(id string, state gatehouse.State) error) error {
	u.saving.Lock()
	defer u.saving.Unlock()
	for id, state := range u.snapshot() {
		if err := store(id, state); err != nil {
			return err
		}
		u.mu.Lock()
		if u.byID[id] == state {
			delete(u.byID, id)
		}
		u.mu.Unlock()
	}
	return nil
}

func (u *unsavedStates) snapshot() map[string]gatehouse.State {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make(map[string]gatehouse.State, len(u.byID))
	for id, state := range u.byID {
		all[id] = state
	}
	return all
}

// diskUsed is what a deployment's engine says that it uses.
func (s *server) diskUsed(deploymentID string) (bytes uint64, known bool) {
	f, err := s.engines.Figures(deploymentID)
	return uint64(f.DiskBytes.Value), err == nil && f.DiskBytes.Known
}

// retryStates stores what could not be stored before, until ctx ends.
func (s *server) retryStates(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = s.saveStates(ctx) // noteState has logged the failure
		case <-ctx.Done():
			return
		}
	}
}
