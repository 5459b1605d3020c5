package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

const (
	// backendArgument makes this program be the backend, so that the backend is a process of its own.
	backendArgument = "backend"

	answerSize = 10 << 10
	exportSize = 200 << 20
)

// serveBackend is the trivial backend: GET gives 10 KB, a write is read and answered 204 as VictoriaMetrics does, and an export
// streams 200 MB. It prints its address and serves until it is killed.
func serveBackend() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	answer := []byte(strings.Repeat("x", answerSize))
	piece := []byte(strings.Repeat("x", 64<<10))
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Path == exportPath:
			for sent := 0; sent < exportSize; sent += len(piece) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer)
		}
	}))
}

func startBackend(ctx context.Context) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := command(ctx, self, backendArgument)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.start(); err != nil {
		return nil, err
	}
	if _, err := fmt.Fscan(stdout, &p.addr); err != nil {
		p.stop()
		return nil, fmt.Errorf("start the backend: %w", err)
	}
	return p, nil
}
