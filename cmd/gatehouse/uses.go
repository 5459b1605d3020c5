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

// flushUses stores in batches when tokens were last used, until ctx ends and a last time then. What cannot be stored is kept and
// tried again.
func (s *server) flushUses(ctx context.Context) {
	pending := map[string]gatehouse.TokenUse{} // by token ID
	ticker := time.NewTicker(flushEvery)
	defer ticker.Stop()
	lastAll, failing := time.Now(), false
	for running := true; running; {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			running = false
		}
		urgent := !running
		newcomers := map[string]bool{} // deployments with a token that was never used before
		for _, use := range s.table.DrainUses() {
			pending[use.TokenID] = use
			if use.First {
				urgent = true
				if t, err := s.store.Token(ctx, use.TokenID); err == nil && t.FirstUse == nil {
					newcomers[use.DeploymentID] = true
				}
			}
		}
		for id := range newcomers {
			go s.showFirstSamples(ctx, id)
		}
		if len(pending) == 0 || !urgent && time.Since(lastAll) < flushAllEvery {
			continue
		}
		err := s.saveUses(pending)
		if err != nil && !failing {
			s.log.Error("the last use of tokens could not be stored; trying again", "error", err)
		}
		if failing = err != nil; !failing {
			clear(pending)
			lastAll = time.Now()
		}
	}
}

func (s *server) saveUses(pending map[string]gatehouse.TokenUse) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	uses := make([]gatehouse.TokenUse, 0, len(pending))
	deployments := map[string]bool{}
	for _, use := range pending {
		uses = append(uses, use)
		deployments[use.DeploymentID] = true
	}
	if err := s.store.SaveUses(ctx, uses); err != nil {
		return err
	}
	for id := range deployments {
		s.feed.Notify(id)
	}
	return nil
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
