package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// memory measures what Gatehouse holds while large bodies pass through it.
func (b *bench) memory(ctx context.Context) error {
	duration := 10 * time.Second
	if b.short {
		duration = 2 * time.Second
	}
	f, err := b.fleet(ctx, 1_000)
	if err != nil {
		return err
	}
	server, err := b.proxies[0].start(ctx, b, f)
	if err != nil {
		return err
	}
	defer server.stop()

	t := newTable(b.out, "Memory", "while", "passed MB", "resident before MB", "highest, first half MB", "highest, second half MB")
	write := loads[len(loads)-1]
	err = watch(ctx, t, server, fmt.Sprintf("%s, %d connections, %v", write.name, connections, duration), func() (int64, error) {
		latencies, err := write.run(ctx, server.addr, f.tokens, duration)
		return int64(len(latencies) * write.body), err
	})
	if err != nil {
		return err
	}
	err = watch(ctx, t, server, fmt.Sprintf("a client takes %v for a 200 MB export", duration), func() (int64, error) {
		return readSlowly(server.addr, f.tokens[0], duration)
	})
	if err != nil {
		return err
	}
	return t.flush()
}

// watch looks at the memory of a process ten times a second while work runs.
func watch(ctx context.Context, t *table, p *process, name string, work func() (passed int64, err error)) error {
	before, err := p.use()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var seen []int64
	var watching sync.WaitGroup
	watching.Go(func() {
		for ctx.Err() == nil {
			if u, err := p.use(); err == nil {
				seen = append(seen, u.resident)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	passed, err := work()
	cancel()
	watching.Wait()
	if err != nil {
		return err
	}
	half := len(seen) / 2
	t.row(name, megabytes(passed), megabytes(before.resident), megabytes(highest(seen[:half])), megabytes(highest(seen[half:])))
	return nil
}

func highest(values []int64) int64 {
	var most int64
	for _, v := range values {
		most = max(most, v)
	}
	return most
}

// readSlowly reads an export at an even pace, so that it takes the given time.
func readSlowly(addr, token string, d time.Duration) (int64, error) {
	c, err := dial(addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: gatehouse.test\r\nAuthorization: Bearer %s\r\n\r\n", exportPath, token); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("the export was answered %s", answer.Status)
	}
	begun := time.Now()
	var total int64
	for {
		n, err := io.CopyN(io.Discard, answer.Body, 1<<20)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			return total, err
		}
		time.Sleep(time.Until(begun.Add(d * time.Duration(total) / exportSize)))
	}
	if total != exportSize {
		return total, fmt.Errorf("the export has %d bytes instead of %d", total, exportSize)
	}
	return total, nil
}
