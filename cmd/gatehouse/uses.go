package main

import (
	"context"
	"time"

	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
)

const (
	// flushEvery is how soon a token's first use is stored, and shown on open pages.
	flushEvery = 500 * time.Millisecond
	// flushAllEvery is how old the stored last use of a busy token may be: each write costs a disk flush.
	flushAllEvery = 10 * time.Second
)

// flushUses stores when tokens were last used, until ctx ends and a last time then. What cannot be stored is tried again.
func (s *server) flushUses(ctx context.Context) {
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	lastAll, failing := time.Now(), false
	for running := true; running; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			running = false
		}
		all := !running || time.Since(lastAll) >= flushAllEvery
		if all {
			lastAll = time.Now()
		}
		err := s.table.SaveUses(all, func(uses []gatehouse.TokenUse) error { return s.saveUses(ctx, uses) })
		if err != nil && !failing {
			s.log.Error("the last use of tokens could not be stored; trying again", "error", err)
		}
		failing = err != nil
	}
}

// saveUses stores uses, also after ctx has ended, and has pages show them.
func (s *server) saveUses(ctx context.Context, uses []gatehouse.TokenUse) error {
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	newcomers := map[string]bool{} // by deployment: whether one of its tokens was never used before
	for _, use := range uses {
		newcomers[use.DeploymentID] = newcomers[use.DeploymentID] || use.First && s.neverUsed(saving, use.TokenID)
	}
	if err := s.store.SaveUses(saving, uses); err != nil {
		return err
	}
	for id, newcomer := range newcomers {
		s.feed.Notify(id)
		if newcomer {
			go s.showFirstSamples(ctx, id)
		}
	}
	return nil
}

func (s *server) neverUsed(ctx context.Context, tokenID string) bool {
	t, err := s.store.Token(ctx, tokenID)
	return err == nil && t.FirstUse == nil
}

// showFirstSamples lets a newcomer who has just sent a first sample find it at once.
func (s *server) showFirstSamples(ctx context.Context, deploymentID string) {
	endpoint, ok := s.endpoints.Load(deploymentID)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := endpoint.(engine.Endpoint).Flush(ctx); err != nil {
		s.log.Debug("a first sample shows later", "deployment", deploymentID, "error", err)
	}
}
