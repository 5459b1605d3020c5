package web

import (
	"context"
	"net"
	"net/http"
	"time"
)

// The time limits of the console. Pages are small and quick; what streams (see events.go) lifts them for itself.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// stoppingKey is where the context of a request holds one that ends when the server begins to stop.
type stoppingKey struct{}

// NewServer makes a server for the console. Its Shutdown ends the streams of open pages, which would go on for ever.
func NewServer(h http.Handler) *http.Server {
	stopping, stop := context.WithCancel(context.Background())
	s := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext: func(net.Listener) context.Context {
			return context.WithValue(context.Background(), stoppingKey{}, stopping)
		},
	}
	s.RegisterOnShutdown(stop)
	return s
}

// stopping gives a channel that is closed when the server begins to stop.
func stopping(r *http.Request) <-chan struct{} {
	if ctx, ok := r.Context().Value(stoppingKey{}).(context.Context); ok {
		return ctx.Done()
	}
	return nil
}
