package main

import (
	"context"
	"fmt"
	"time"
)

// start measures the time from the start of a program until it lets a token through, and its memory then. Only Gatehouse does it
// with the most tokens: vmauth would take minutes and all memory.
func (b *bench) start(ctx context.Context, most int) error {
	t := newTable(b.out, "Start", "tokens", "proxy", "ready after s", "CPU s", "resident MB", "peak MB")
	for _, p := range b.proxies {
		if err := b.startOne(ctx, t, p, 100_000); err != nil {
			return err
		}
	}
	if most > 100_000 {
		if err := b.startOne(ctx, t, b.proxies[0], most); err != nil {
			return err
		}
	}
	return t.flush()
}

func (b *bench) startOne(ctx context.Context, t *table, p proxy, count int) error {
	f, err := b.fleet(ctx, count)
	if err != nil {
		return err
	}
	running, err := p.start(ctx, b, f) // once more than is measured, so that files are in memory
	if err != nil {
		return err
	}
	running.stop()
	var took, cpu []time.Duration
	var resident, peak []int64
	for range b.rounds {
		running = running.again(ctx)
		begun := time.Now()
		if err := startReady(ctx, running, f); err != nil {
			return err
		}
		took = append(took, time.Since(begun))
		u, err := running.use()
		running.stop()
		if err != nil {
			return err
		}
		cpu, resident, peak = append(cpu, u.cpu), append(resident, u.resident), append(peak, u.peak)
	}
	t.row(fmt.Sprint(count), p.name, seconds(median(took)), seconds(median(cpu)), megabytes(median(resident)), megabytes(median(peak)))
	return nil
}
