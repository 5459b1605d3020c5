package control

import (
	"context"
	"sync"
)

// Feed tells open pages that something about a deployment has changed, so that they can look again. It carries no content: what a
// page may see is decided when it looks.
type Feed struct {
	mu          sync.Mutex
	subscribers map[chan struct{}]string // to deployment ID; empty: all
}

// NewFeed makes a Feed.
func NewFeed() *Feed { return &Feed{subscribers: map[chan struct{}]string{}} }

// Notify wakes those who follow the deployment, or everybody when the ID is empty. It never blocks.
func (f *Feed) Notify(deploymentID string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ch, id := range f.subscribers {
		if id == "" || deploymentID == "" || id == deploymentID {
			select {
			case ch <- struct{}{}:
			default: // it has a wake-up pending already
			}
		}
	}
}

// Subscribe gives a channel that receives after each change of the deployment, or of any when the ID is empty, until ctx ends.
// Several changes in a row may arrive as one.
func (f *Feed) Subscribe(ctx context.Context, deploymentID string) <-chan struct{} {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	f.subscribers[ch] = deploymentID
	f.mu.Unlock()
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		delete(f.subscribers, ch)
		f.mu.Unlock()
	})
	return ch
}
