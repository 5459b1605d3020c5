package engine

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
)

// Flush makes visible to queries what the engine has just taken, https://docs.victoriametrics.com/victoriametrics/#troubleshooting.
// Left alone it takes seconds, and whoever asks too early for a new series finds nothing for ten more. It costs the engine some
// work, so it is for a newcomer's first sample, not for every one.
func (e Endpoint) Flush(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cmp.Or(e.StorageURL, e.URL)+"/internal/force_flush", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(e.Username, e.Password)
	resp, err := flushClient.Do(req)
	if err != nil {
		return fmt.Errorf("make new samples visible: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("make new samples visible: the engine answered %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
	return err
}

var flushClient = newHealthClient()
