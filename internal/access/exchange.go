package access

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// exchange is one request on its way through the proxy. It is also the http.ResponseWriter of that way.
type exchange struct {
	http.ResponseWriter
	conn   *http.ResponseController
	cancel context.CancelCauseFunc
	stall  time.Duration
	http2  bool

	admission
	pool       *pool
	backend    *backend // whose running count includes this exchange
	body       body
	copy       *bodyCopy // of the body whose samples are counted; nil for most
	forward    forwarding
	query      string
	forceQuery bool

	refusal  *Refusal // the answer, when it is one
	status   int
	answered atomic.Bool // the status line is on its way
	written  int64
	paced    time.Time // when the client's time to take what is written began
	lost     error     // the client could not be written to
	finished bool      // the proxy has not broken off
	tooLong  bool      // the answer was longer than a rule may get

	// These belong to whoever holds the token's lock.
	wasCut         bool // cut has set deadlines
	previous, next *exchange
}

// newExchange makes one that lacks its context yet.
func newExchange(w http.ResponseWriter, r *http.Request, a admission, pool *pool, h *Handler) *exchange {
	conn := http.NewResponseController(w)
	return &exchange{
		ResponseWriter: w,
		conn:           conn,
		stall:          h.stall,
		http2:          r.ProtoMajor >= 2,
		admission:      a,
		pool:           pool,
		body:           body{ctx: r.Context(), client: r.Body, conn: conn, stall: h.stall, http2: r.ProtoMajor >= 2},
		forward:        forwardingOf(r, h.trusted),
		query:          r.URL.RawQuery,
		forceQuery:     r.URL.ForceQuery,
	}
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// Unwrap is for http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// WriteHeader leaves out 1xx: VictoriaMetrics sends none, a backend could send them without end, and one clears what the
// endpoint has put into the header.
func (x *exchange) WriteHeader(status int) {
	if status < 200 {
		return
	}
	x.status = status
	x.answered.Store(true)
	x.body.hurry()
	x.ResponseWriter.WriteHeader(status)
}

// Write writes a piece of the answer. Answers stream for as long as they need, but a client that stops reading altogether may not
// hold its slot forever.
func (x *exchange) Write(p []byte) (int, error) {
	x.pace()
	defer x.relax()
	n, err := x.ResponseWriter.Write(p)
	x.written += int64(n)
	if x.copy != nil && x.copy.read {
		x.copy.add(p[:n])
	}
	if err != nil {
		x.lost = err
	}
	return n, err
}

// FlushError is for http.ResponseController. ReverseProxy flushes an answer of unknown length, beginning with its header, before there is
// anything to write.
func (x *exchange) FlushError() error {
	x.pace()
	defer x.relax()
	return x.conn.Flush()
}

// pace gives the client the stall timeout to take what is written next. Small answers need it, too: who sends request after request
// and reads no answer has filled the kernel's buffers.
func (x *exchange) pace() {
	x.paced = time.Now()
	_ = x.conn.SetWriteDeadline(x.paced.Add(x.stall))
}

// relax takes the deadline off while the backend is waited for. In HTTP/1 it only counts when something is written; in HTTP/2 it ends
// the stream when it passes.
func (x *exchange) relax() {
	if x.http2 {
		_ = x.conn.SetWriteDeadline(time.Time{})
	}
}

// cut ends the exchange from another goroutine. One whose answer has begun is broken off, so that the client does not take a part
// for the whole. The caller holds the token's lock, so that the connection does not carry the next request meanwhile.
func (x *exchange) cut(cause error) {
	x.wasCut = true
	x.cancel(cause)
	now := time.Now()
	_ = x.conn.SetReadDeadline(now)
	if x.answered.Load() {
		_ = x.conn.SetWriteDeadline(now)
	}
}

// moveTo counts the exchange among those of b, or of none.
func (x *exchange) moveTo(b *backend) {
	if x.backend != nil {
		x.backend.running.Add(-1)
	}
	if x.backend = b; b != nil {
		b.running.Add(1)
	}
}

// end gives back what the exchange holds.
func (x *exchange) end() {
	x.moveTo(nil)
	x.body.release()
	if x.http2 || x.wasCut || time.Since(x.paced) > x.stall/2 {
		x.pace() // net/http writes what is left, and then takes the deadline off
	}
}
