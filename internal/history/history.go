// Package history knows how Gatehouse's own metrics are kept over time, in a small VictoriaMetrics of its own, and how to ask for them.
package history

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"gatehouse/internal/engine"
)

const (
	pushEvery   = 15 * time.Second // two points for each of the last hour's charts
	retryEvery  = time.Second      // while VictoriaMetrics does not run
	pushTimeout = 5 * time.Second
)

// Config is what a History is made of.
type Config struct {
	// Endpoint is where the VictoriaMetrics answers that keeps the history. Its error is for the user's eyes.
	Endpoint func() (engine.Endpoint, error)
	// Metrics writes what is to be kept, in the Prometheus text format. All counters began at 0 when the History was made, or later.
	Metrics func(io.Writer)
	// Limit is how many requests a token of the deployment may have running at a time; 0 is unknown. Nil: nobody knows.
	Limit func(ctx context.Context, deploymentID string) int
	// Log takes a line when the history begins to be incomplete, and when it goes on. Nil: nothing is logged.
	Log *slog.Logger
}

// History keeps the metrics, and draws charts from them.
type History struct {
	Config
	http    *http.Client
	journal *journal
	failing bool        // known to who pushes
	up      atomic.Bool // the last push was stored
}

// New makes one that keeps nothing until Run is called.
func New(c Config) *History {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Limit == nil {
		c.Limit = func(context.Context, string) int { return 0 }
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: mostQueries, IdleConnTimeout: time.Minute}}
	return &History{Config: c, http: client, journal: newJournal(time.Now())}
}

// Run keeps the metrics every 15 s until ctx is done, and once more then.
func (h *History) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := pushEvery
		if !h.push(ctx) {
			wait = retryEvery
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	h.push(context.WithoutCancel(ctx))
}

// push reports false when there is nobody to push to. What a failed push would have kept, the next one keeps.
func (h *History) push(ctx context.Context) bool {
	endpoint, err := h.Endpoint()
	if err != nil {
		h.up.Store(false)
		return false // who runs it has said so
	}
	err = h.send(ctx, endpoint)
	h.up.Store(err == nil)
	switch {
	case ctx.Err() != nil:
	case err != nil && !h.failing:
		h.Log.Warn("the history of metrics has a gap from now on; Gatehouse goes on trying", "error", err)
	case err == nil && h.failing:
		h.Log.Info("the history of metrics goes on")
	}
	h.failing = err != nil
	return true
}

func (h *History) send(ctx context.Context, to engine.Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	var page bytes.Buffer
	now := time.Now()
	h.Metrics(&page)
	entry := h.journal.entry(page.Bytes())
	err := metrics.PushMetricsExt(ctx, to.URL+"/api/v1/import/prometheus", func(w io.Writer) { w.Write(entry.text) }, &metrics.PushOptions{
		Method:  http.MethodPost,
		Headers: []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(to.Username+":"+to.Password))},
	})
	if err == nil {
		err = ctx.Err() // PushMetricsExt keeps that to itself
	}
	if err == nil {
		h.journal.keep(entry, now)
	}
	return err
}

// WriteMetrics writes whether metrics are kept at present.
func (h *History) WriteMetrics(w io.Writer) {
	up := 0
	if h.up.Load() {
		up = 1
	}
	fmt.Fprintf(w, "gatehouse_history_up %d\n", up)
}
