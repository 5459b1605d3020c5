package access

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/clientaddr"
)

// Options are the settings of a Handler. The zero value of each takes its default.
type Options struct {
	// Log gets what an operator should see; never a secret. Default: slog.Default().
	Log *slog.Logger
	// TrustedProxies may say in X-Forwarded-* where a request came from. Default: none.
	TrustedProxies []netip.Prefix
	// MaxConcurrentRequests limits the requests of all tokens together. Each costs about 100 KB of memory and two connections.
	// Default: 10,000.
	MaxConcurrentRequests int
	// MaxQueueDuration is how long a request waits for a slot, and how long the head of its body may take. Default: 10 s.
	MaxQueueDuration time.Duration
	// ResponseTimeout is how long a backend may take until its answer begins. Default: 5 min.
	ResponseTimeout time.Duration
	// StallTimeout is how long a client may neither send nor take anything in the middle of a body. Default: 1 min.
	StallTimeout time.Duration
	// RuleTimeout is how long a request of a rule may take, with its answer. Default: 1 min.
	RuleTimeout time.Duration
	// AccessLog gets a line for each request. Nil: none is written.
	AccessLog *slog.Logger
	// RefusalDelay is how late a client that comes with many wrong credentials gets its answers. Default: 1 s.
	RefusalDelay time.Duration
}

// Handler is the access endpoint.
type Handler struct {
	table *Table
	log   *slog.Logger
	// accessLog is nil unless asked for.
	accessLog *slog.Logger
	metrics   *meters
	trusted   []netip.Prefix
	limit     int64
	maxQueue  time.Duration
	stall     time.Duration
	// ruleTimeout is for Evaluators.
	ruleTimeout time.Duration
	gate        gate
	slowdown    *slowdown
	tally       *tally
	proxy       http.Handler

	// Apart, so that a stranger's flood does not hide what a backend does.
	quietRefusals, quietFaults quiet
}

// NewHandler makes the endpoint over t.
func NewHandler(t *Table, o Options) *Handler {
	h := &Handler{
		table:     t,
		log:       o.Log,
		accessLog: o.AccessLog,
		metrics:   t.meters,
		trusted:   o.TrustedProxies,
		limit:     int64(withDefault(o.MaxConcurrentRequests, 10_000)),
		maxQueue:  withDefault(o.MaxQueueDuration, 10*time.Second),
		stall:     withDefault(o.StallTimeout, time.Minute),

		ruleTimeout: withDefault(o.RuleTimeout, time.Minute),
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	h.slowdown = newSlowdown(withDefault(o.RefusalDelay, time.Second), h.metrics.delayed)
	h.tally = newTally(h.metrics, h.log)
	h.proxy = newProxy(h, withDefault(o.ResponseTimeout, 5*time.Minute))
	h.metrics.set.GetOrCreateGauge("gatehouse_access_running_requests", func() float64 { return float64(h.gate.running.Load()) })
	h.metrics.set.GetOrCreateGauge("gatehouse_access_waiting_requests", func() float64 { return float64(h.gate.waiting.Load()) })
	return h
}

func withDefault[T int | time.Duration](v, standard T) T {
	if v <= 0 {
		return standard
	}
	return v
}

// admission is a request that was let in, with what was known when it was.
type admission struct {
	grant  *Grant
	config *config
	route  Route
	at     time.Time
}

// ServeHTTP lets a request in or refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !r.ProtoAtLeast(1, 1) {
		// Chunks in HTTP/1.0 were framed wrongly by somebody, and net/http hides that there were any, RFC 9112 section 6.1.
		w.Header().Set("Connection", "close")
	}
	if r.Method == http.MethodOptions {
		h.hurry(w)
		// The backend would allow every origin everything. Without such headers, browsers keep other sites out.
		w.Header().Set("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	a, refusal := h.judge(r)
	h.answer(w, r, a, refusal)
}

// answer serves a request that was judged.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, a admission, refusal *Refusal) {
	switch {
	case refusal != nil:
		if refusal.Reason == BadCredential && !h.slowdown.wait(r.Context(), clientaddr.Of(r, h.trusted)) {
			w.Header().Set("Connection", "close")
		}
		h.refuse(w, r, refusal)
		h.record(r, &outcome{admission: a, refusal: refusal, status: refusal.status()})
	case a.route.Answer != nil:
		h.hurry(w)
		h.noteUse(a, r)
		a.route.Answer.write(w)
		h.metrics.answered(a, a.route.Answer.Status)
		h.record(r, &outcome{admission: a, status: a.route.Answer.Status, out: int64(len(a.route.Answer.Body))})
	default:
		h.forward(w, r, a)
	}
}

// judge decides on what the request says before its body. The admission of a request that is refused holds what was known by then.
func (h *Handler) judge(r *http.Request) (admission, *Refusal) {
	grant, refusal := h.authenticate(r)
	if refusal != nil {
		return admission{at: time.Now()}, refusal
	}
	return h.admit(r, grant)
}

// admit is judge for a request whose grant is known.
func (h *Handler) admit(r *http.Request, g *Grant) (admission, *Refusal) {
	a := admission{grant: g, at: time.Now()}
	if a.config = a.grant.deployment.config.Load(); a.config == nil {
		return a, refuseStopped
	}
	path, err := CleanPath(r.URL.Path) // net/url has decoded it once
	if err != nil {
		return a, refuseMalformed(pathsOf[a.config.kind].nearest(r.URL.Path))
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace {
		return a, refuseMethod
	}
	route, refusal := Decide(a.config.kind, a.grant.scope, path)
	switch {
	case refusal != nil:
		return a, refusal
	case route.Kind == Write && fromOtherSite(r):
		return a, refuseOtherSite
	case route.Kind == Write && isRemoteWrite2(r):
		return a, refuseWrite2
	case route.NoID && mayNameID(r.URL.RawQuery):
		return a, refuseID
	}
	a.route = route
	return a, nil
}

// forward waits for a slot and sends the request on.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, a admission) {
	pool := a.config.backends[a.route.Part]
	x := newExchange(w, r, a, pool, h)
	defer func() {
		h.record(r, &outcome{admission: a, refusal: x.refusal, status: x.status, in: x.body.taken.Load(), out: x.written})
		h.tally.note(x)
	}()
	if pool == nil {
		h.refuse(x, r, refuseStopped)
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	x.cancel, x.body.ctx = cancel, ctx
	r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	defer x.end()
	state := a.grant.live()
	switch err := state.begin(x, a.config.limit+mostWaiting); {
	case errors.Is(err, errRevoked):
		h.refuse(x, r, refuseCredential)
		return
	case err != nil:
		h.refuse(x, r, refuseTooMany)
		return
	}
	defer state.end(x) // before x.end: after it nobody cuts the exchange off
	if a.grant.isToken() {
		h.table.enlist(a.grant, state) // so that pages show a first request while it waits or runs
	}

	deadline := a.at.Add(h.maxQueue)
	if err := x.body.readHead(deadline); err != nil {
		h.fail(x, r, err)
		return
	}
	if a.route.NoID && mayHoldID(r.Header, &x.body) {
		h.refuse(x, r, refuseID)
		return
	}
	if !h.enter(x, r, deadline) {
		return
	}
	defer h.leave(a.grant)
	h.noteUse(a, r)
	x.copy = h.tally.copyOf(x, r)

	// Ignoring Upgrade refuses it, RFC 9110 section 7.8; some clients offer h2c with every request.
	r.Header.Del("Upgrade")
	defer h.finish(ctx, x)
	h.proxy.ServeHTTP(x, r)
	x.finished = true
}

// enter waits for a slot of the token and for one of all together. It reports false when it has answered instead.
func (h *Handler) enter(x *exchange, r *http.Request, deadline time.Time) bool {
	state := x.grant.live()
	full := refuseTooMany
	err := state.gate.enter(r.Context(), x.config.limit, x.grant, deadline)
	if err == nil {
		full = refuseAllTooMany
		if err = h.gate.enter(r.Context(), h.limit, x.grant, deadline); err != nil {
			state.gate.leave()
		}
	}
	switch {
	case errors.Is(err, errQueueTimeout):
		h.refuse(x, r, full)
	case err != nil:
		h.fail(x, r, err)
	case state.revoked.Load(): // the slot may have come from another request that was cut off just now
		h.leave(x.grant)
		x.cancel(errRevoked)
		h.fail(x, r, errRevoked)
	default:
		return true
	}
	return false
}

func (h *Handler) leave(g *Grant) {
	h.gate.leave()
	g.live().gate.leave()
}

func (h *Handler) noteUse(a admission, r *http.Request) {
	if a.grant.isToken() {
		h.table.noteUse(a.grant, a.at, clientaddr.Of(r, h.trusted), userAgent(r))
	}
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, refusal *Refusal) {
	h.metrics.refusals[refusal.Reason].Inc()
	if x, ok := w.(*exchange); ok {
		x.refusal = refusal
	}
	if refusal.Reason != SlowBody { // its time is up
		h.hurry(w)
	}
	refusal.write(w, r)
}

// hurry bounds how long a client can hold its connection when the answer is the endpoint's own: net/http first waits for the rest
// of the body, and a client that sends request after request and reads no answer keeps it from writing.
func (h *Handler) hurry(w http.ResponseWriter) {
	conn := http.NewResponseController(w)
	deadline := time.Now().Add(h.maxQueue)
	_ = conn.SetReadDeadline(deadline)
	_ = conn.SetWriteDeadline(deadline)
}

// fail answers a request that was let in and came to nothing. The request must carry the exchange's context.
func (h *Handler) fail(x *exchange, r *http.Request, err error) {
	if failed := x.body.clientFailed(); failed != nil {
		err = failed
	}
	switch {
	case wasCut(r.Context()):
		h.metrics.cutOff.Inc()
		x.Header().Set("Connection", "close")
		h.refuse(x, r, refuseCredential)
	case x.body.clientFailed() != nil && errors.Is(err, os.ErrDeadlineExceeded):
		h.refuse(x, r, refuseSlowBody)
	case ranOut(r.Context()):
		h.refuse(x, r, refuseTimeout)
	case r.Context().Err() != nil || x.body.clientFailed() != nil:
		h.metrics.clientGone.Inc()
		panic(http.ErrAbortHandler) // else net/http would send an empty success, to a client that may still listen
	case errors.Is(err, errUpstreamCredential):
		h.complain(x, err)
		h.refuse(x, r, refuseUpstream)
	case errors.Is(err, errLongAnswer):
		h.refuse(x, r, refuseLong)
	case isDial(err):
		h.refuse(x, r, refuseUnreached)
	case isTimeout(err):
		h.refuse(x, r, refuseTimeout)
	default:
		h.complain(x, err)
		h.refuse(x, r, refuseBroken)
	}
}

// complain logs that a backend did not do its part.
func (h *Handler) complain(x *exchange, err error) {
	if n, ok := h.quietFaults.next(); ok {
		h.log.Warn("a backend did not answer as it should", "deployment", x.config.name, "backend", x.backend.host, "error", err, "not_logged_before", n)
	}
}

// write answers without the backend.
func (a *Answer) write(w http.ResponseWriter) {
	if a.ContentType != "" {
		w.Header().Set("Content-Type", a.ContentType)
	}
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// fromOtherSite reports a request that a page of another site makes a browser send with the Basic credential that it keeps for vmui.
// The method does not matter, as GET writes too. Clients that are no browsers send neither Sec-Fetch-Site nor Origin.
func fromOtherSite(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return false
	}
	unsafe := *r
	unsafe.Method = http.MethodPost
	return http.NewCrossOriginProtection().Check(&unsafe) != nil
}

// isRemoteWrite2 reports a body that VictoriaMetrics would answer with 204 and not store,
// https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/#content-type.
func isRemoteWrite2(r *http.Request) bool {
	return slices.ContainsFunc(r.Header["Content-Type"], func(v string) bool {
		return strings.Contains(strings.ToLower(v), "io.prometheus.write.v2.request")
	})
}

// mayNameID reports whether URL-encoded arguments hold an id, or something that two parsers could read differently.
func mayNameID(encoded string) bool {
	values, err := url.ParseQuery(encoded)
	return err != nil || values.Has("id")
}

// mayHoldID reports whether a body could give an id to a program that merges the arguments of query and body.
func mayHoldID(h http.Header, b *body) bool {
	if b.whole && len(b.head) == 0 {
		return false
	}
	form, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return !b.whole || err != nil || form != "application/x-www-form-urlencoded" || mayNameID(string(b.head))
}
