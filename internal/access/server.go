package access

import (
	"net/http"
	"time"
)

// NewServer makes the server of the access endpoint, with timeouts set on purpose. There is no write timeout and no read timeout:
// bodies and answers stream for as long as they move, which the Handler watches itself.
func NewServer(handler http.Handler) *http.Server {
	s := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// Longer than the idle timeouts of clients (Go's 90 s, Grafana's and vmagent's less), so that the client closes first and
		// no request meets a connection that is just being closed.
		IdleTimeout: 2 * time.Minute,
		// Queries of dashboards come as GET with a long URL.
		MaxHeaderBytes: 256 << 10,
		// "OPTIONS *" is ours to answer, too.
		DisableGeneralOptionsHandler: true,
		Protocols:                    new(http.Protocols),
	}
	s.Protocols.SetHTTP1(true)
	return s
}
