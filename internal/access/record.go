package access

import (
	"log/slog"
	"net/http"
	"time"

	"gatehouse/internal/clientaddr"
)

// outcome is how a request came out. Its admission holds what was known of it: at least the grant, when there was one.
type outcome struct {
	admission
	refusal *Refusal // nil: answered by the backend, or by the endpoint itself
	status  int      // 0: the connection was broken off before there was one
	in, out int64    // bytes of the bodies
	took    time.Duration
}

// record counts a request that has ended, for its token and its deployment, and logs it where that is asked for.
func (h *Handler) record(r *http.Request, o *outcome) {
	now := time.Now()
	o.took = now.Sub(o.at)
	if o.grant != nil {
		l := o.grant.live()
		if l != dead && o.grant.isToken() {
			h.table.enlist(o.grant, l)
			l.totals.add(o)
			l.recent.add(now, o.refusal != nil)
		}
		d := o.grant.deployment
		d.totals.add(o)
		if o.refusal == nil {
			d.durations.add(o.took)
		}
	}
	if h.accessLog != nil {
		h.logAccess(r, o)
	}
}

// logAccess writes a line. It names the token by its ID and name. The path stands only in lines of requests that were let in, since
// those hold nothing but what the path table knows; clients put secrets into other ones.
func (h *Handler) logAccess(r *http.Request, o *outcome) {
	line := make([]slog.Attr, 0, 14)
	line = append(line, slog.String("client", clientaddr.Of(r, h.trusted)), slog.String("user_agent", userAgent(r)), slog.String("method", r.Method))
	switch {
	case o.grant == nil:
	case o.grant.isToken():
		line = append(line, slog.String("token_id", o.grant.TokenID), slog.String("token", o.grant.Name))
	case o.grant.isEvaluator():
		line = append(line, slog.Bool("rules", true))
	default:
		line = append(line, slog.String("person", o.grant.Name))
	}
	if o.config != nil {
		line = append(line, slog.String("deployment", o.config.name))
	}
	if o.route.Kind != "" {
		line = append(line, slog.String("kind", string(o.route.Kind)), slog.String("path", o.route.Path))
	}
	if o.refusal != nil {
		line = append(line, slog.String("refusal", string(o.refusal.Reason)))
	}
	line = append(line, slog.Int("status", o.status), slog.Int64("bytes_in", o.in), slog.Int64("bytes_out", o.out))
	if !o.at.IsZero() {
		line = append(line, slog.Float64("seconds", o.took.Seconds()))
	}
	h.accessLog.LogAttrs(r.Context(), slog.LevelInfo, "request", line...)
}
