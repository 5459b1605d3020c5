package access

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// errUpstreamCredential is a backend that does not accept the deployment's own credential.
var errUpstreamCredential = errors.New("the backend answered 401")

// errNoAnswer is a backend that changes the protocol although nobody asked, or says what HTTP does not know.
var errNoAnswer = errors.New("the backend answered with a status below 200")

// newProxy makes the one proxy of all deployments. An exchange in the context says where a request goes.
func newProxy(h *Handler, responseTimeout time.Duration) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      &sender{h, newTransport(responseTimeout)},
		ModifyResponse: modifyResponse,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			h.fail(exchangeOf(r.Context()), r, err)
		},
		BufferPool: &copyBuffers,
		// Answers of unknown length are flushed as they come, whatever this says; those of known length end by themselves.
		FlushInterval: 0,
		ErrorLog:      slog.NewLogLogger(h.log.Handler(), slog.LevelDebug), // finish says the same, with more
	}
}

func newTransport(responseTimeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	t := &http.Transport{
		Proxy: nil, // a backend is reached directly, whatever the environment says
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return backendConn{conn}, nil
		},
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: responseTimeout,
		MaxIdleConnsPerHost:   1000,              // above what one token may have running
		IdleConnTimeout:       50 * time.Second,  // below VictoriaMetrics' -http.idleConnTimeout of 1 min
		WriteBufferSize:       smallSize + 8<<10, // a small body and a common header
		DisableCompression:    true,              // Accept-Encoding goes as it came
		// As much as a client may send. A backend could make us hold this much for every request.
		MaxResponseHeaderBytes: 256 << 10,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	return t
}

// backendConn copies bodies through kept buffers, where net and net/http would make a new one for each body.
type backendConn struct{ net.Conn }

func (c backendConn) ReadFrom(r io.Reader) (int64, error) {
	buffer := copyBuffers.Get()
	defer copyBuffers.Put(buffer)
	return io.CopyBuffer(writerOnly{c.Conn}, r, buffer)
}

// writerOnly hides the other methods of a connection from io.CopyBuffer.
type writerOnly struct{ io.Writer }

// rewrite makes the upstream headers. ReverseProxy has removed the hop-by-hop ones.
func rewrite(p *httputil.ProxyRequest) {
	x := exchangeOf(p.In.Context())
	out := p.Out
	out.Host = "" // the backend's
	h := out.Header
	for _, name := range credentialHeaders {
		delete(h, name)
	}
	// A cluster would take the tenant from these.
	delete(h, "Accountid")
	delete(h, "Projectid")
	// Trailers would bring back what is removed here.
	out.Trailer = nil
	// The body's head has been read, so the client has been told to go on already.
	delete(h, "Expect")
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") && !x.forward.trusted {
			delete(h, name)
		}
	}
	values := [...]string{x.forward.addr, x.forward.host, x.forward.proto, x.pool.authorization}
	h["X-Forwarded-For"] = values[0:1:1]
	h["X-Forwarded-Host"] = values[1:2:2]
	h["X-Forwarded-Proto"] = values[2:3:3]
	if x.pool.authorization != "" {
		h["Authorization"] = values[3:4:4]
	}
}

// modifyResponse removes from an answer what is about the backend itself.
func modifyResponse(res *http.Response) error {
	x := exchangeOf(res.Request.Context())
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		// It is about our credential: the client would think its token is meant, and a browser would ask for another.
		return errUpstreamCredential
	case res.StatusCode < 200:
		return errNoAnswer
	}
	res.Header.Del("X-Server-Hostname")
	res.Header.Del("Set-Cookie") // cookies do not tell ports apart, so it could replace the console's
	if x.grant.isEvaluator() {
		return boundAnswer(res, x)
	}
	return nil
}

// sender is the http.RoundTripper that chooses the backend and tries another one when that fails.
type sender struct {
	h         *Handler
	transport *http.Transport
}

// RoundTrip owns out, which ReverseProxy has made for this request alone.
func (s *sender) RoundTrip(out *http.Request) (*http.Response, error) {
	ctx := out.Context()
	x := exchangeOf(ctx)
	var tried []*backend
	repeated := false
	for b := x.pool.pick(nil); ; {
		x.moveTo(b)
		out.URL = b.url(x.route.Path, x.query, x.forceQuery)
		if out.Body != nil {
			out.Body = x.body.attempt()
		}
		res, err := s.transportFor(x.config).RoundTrip(out)
		if err == nil || ctx.Err() != nil || x.body.clientFailed() != nil {
			return res, err
		}
		switch {
		case isTimeout(err) && !isDial(err): // a heavy query is as heavy elsewhere
			return nil, err
		case !isDial(err) && !repeated && x.body.canResend():
			repeated = true // most likely a kept connection that the backend has just closed: try it once more
		default:
			s.setAside(x, b, err)
			tried = append(tried, b)
			if b = x.pool.pick(tried); b == nil || !x.body.canResend() {
				return nil, err
			}
		}
		s.h.metrics.retries.Inc()
		out = out.WithContext(ctx) // the transport may still be looking at the last one
	}
}

// transportFor gives the transport that all deployments share, unless this one has certificates of its own.
func (s *sender) transportFor(c *config) *http.Transport {
	if c.tls == nil {
		return s.transport
	}
	c.ownTransport.Do(func() {
		c.transport = s.transport.Clone()
		c.transport.TLSClientConfig = c.tls
	})
	return c.transport
}

func (s *sender) setAside(x *exchange, b *backend, err error) {
	s.h.metrics.setAside.Inc()
	if b.setAside() {
		s.h.log.Warn("a backend failed and is set aside", "deployment", x.config.name, "backend", b.host, "for", asideFor, "error", err)
	}
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// ranOut reports that the time for a request of a rule is over. No other has a deadline.
func ranOut(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) }

// finish counts how an exchange ended. Unfinished, it panicked: the answer had begun and could not be completed, and net/http
// breaks the connection off.
func (h *Handler) finish(ctx context.Context, x *exchange) {
	switch {
	case x.finished:
		h.metrics.answered(x.admission, x.status)
	case !x.answered.Load(): // counted where it failed
	case wasCut(ctx):
		h.metrics.cutOff.Inc()
	case x.lost != nil || ctx.Err() != nil && !ranOut(ctx):
		h.metrics.clientGone.Inc()
	default:
		what := "a backend broke off in the middle of its answer"
		if x.tooLong {
			what = "a backend's answer to a rule is longer than 16 MiB; let the rule select less"
		} else if ranOut(ctx) {
			what = "a backend did not complete its answer to a rule in time"
		}
		h.metrics.brokenOff.Inc()
		if n, ok := h.quietFaults.next(); ok {
			h.log.Warn(what, "deployment", x.config.name, "backend", x.backend.host, "not_logged_before", n)
		}
	}
}

// copyBuffers keeps the buffers through which bodies and answers are copied.
var copyBuffers bufferPool

type bufferPool struct{ sync.Pool }

const copySize = 32 << 10

func (p *bufferPool) Get() []byte {
	if b, ok := p.Pool.Get().(*[copySize]byte); ok {
		return b[:]
	}
	return make([]byte, copySize)
}

func (p *bufferPool) Put(b []byte) { p.Pool.Put((*[copySize]byte)(b)) }
