package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// saveProfile takes a CPU profile of Gatehouse during the last round. The function that it gives waits for it.
func (b *bench) saveProfile(ctx context.Context, p *process, name string, round int, d time.Duration) func() {
	if b.profiles == "" || p.ops == "" || round != b.rounds {
		return func() {}
	}
	done := make(chan error, 1)
	go func() {
		done <- save(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", p.ops, max(1, int(d.Seconds()))),
			filepath.Join(b.profiles, strings.NewReplacer(" ", "-", ",", "").Replace(name)+".pprof"))
	}()
	return func() {
		if err := <-done; err != nil {
			fmt.Fprintln(b.out, "no profile:", err)
		}
	}
}

func save(ctx context.Context, url, path string) error {
	profile, err := get(ctx, url)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(profile), 0o600)
}

func get(ctx context.Context, url string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %s", url, answer.Status)
	}
	return string(body), err
}
