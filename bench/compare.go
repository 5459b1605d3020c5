package main

import (
	"cmp"
	"context"
	"fmt"
)

func compareName(tokens int, l load) string { return fmt.Sprintf("compare/%d/%s", tokens, l.name) }

// compare loads all proxies in turn, which all hold the same tokens and run all the time.
func (b *bench) compare(ctx context.Context, count int) error {
	f, err := b.fleet(ctx, count)
	if err != nil {
		return err
	}
	running := make([]*process, len(b.proxies))
	for i, p := range b.proxies {
		if running[i], err = p.start(ctx, b, f); err != nil {
			return err
		}
		defer running[i].stop()
	}
	t := newTable(b.out, fmt.Sprintf("%d tokens", count), "load", "proxy", "requests/s", "p50 ms", "p99 ms", "CPU µs/request", "resident MB", "peak MB",
		"Gatehouse's CPU / its", "Gatehouse's requests/s / its")
	for _, l := range loads {
		if !b.only.MatchString(compareName(count, l)) {
			continue
		}
		samples, err := b.takeTurns(ctx, running, l, f)
		if err != nil {
			return fmt.Errorf("%s: %w", compareName(count, l), err)
		}
		for i, p := range b.proxies {
			ours, its := samples[0], samples[i]
			last := its[len(its)-1].usage
			t.row(l.name, p.name,
				fmt.Sprintf("%.0f", medianOf(its, requests)),
				fmt.Sprintf("%.2f", medianOf(its, func(s sample) float64 { return s.p50.Seconds() * 1e3 })),
				fmt.Sprintf("%.2f", medianOf(its, func(s sample) float64 { return s.p99.Seconds() * 1e3 })),
				fmt.Sprintf("%.1f", medianOf(its, cpu)),
				megabytes(last.resident), megabytes(last.peak),
				ratio(ours, its, cpu), ratio(ours, its, requests))
		}
	}
	return t.flush()
}

func requests(s sample) float64 { return s.perSecond }
func cpu(s sample) float64      { return s.cpu.Seconds() * 1e6 }

// takeTurns gives the samples of each proxy, round by round.
func (b *bench) takeTurns(ctx context.Context, running []*process, l load, f *fleet) ([][]sample, error) {
	samples := make([][]sample, len(running))
	for round := range b.rounds + 1 {
		for i, p := range running {
			d := b.duration
			if round == 0 {
				d /= 4 // to warm up
			}
			saved := b.saveProfile(ctx, p, fmt.Sprintf("%d %s", len(f.tokens), l.name), round, d)
			s, err := measure(ctx, p, l, f.tokens, d)
			saved()
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return nil, fmt.Errorf("%s: %w", b.proxies[i].name, err)
			}
			if round > 0 {
				samples[i] = append(samples[i], s)
			}
		}
	}
	return samples, nil
}
