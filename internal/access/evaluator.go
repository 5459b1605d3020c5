package access

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
)

const (
	// mostRuleAnswer bounds an answer to vmalert, which has no limit itself, and takes ten times as much memory as the answer is long.
	mostRuleAnswer = 16 << 20
	// mostRuleError bounds the text of an error, which vmalert keeps for each rule.
	mostRuleError = 4 << 10
)

// Evaluator serves the vmalert that evaluates the rules of a deployment, within the limits of a token, and guards it from what a
// backend may answer. Rules of a cluster see the tenant 0:0 and are recorded there: only VictoriaMetrics Enterprise has rules that
// choose their tenant, https://docs.victoriametrics.com/victoriametrics/vmalert/#multitenancy.
//
// Whoever holds the handler must see to it that nobody else reaches it.
func (h *Handler) Evaluator(deploymentID string) http.Handler {
	g := h.grantWithoutToken(deploymentID, "", Scope{gatehouse.ReadWrite, new(gatehouse.Tenant)})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !slices.Contains(evaluatorPaths, r.URL.Path) {
			h.refuse(w, r, refuseShut)
			return
		}
		for name := range r.Header {
			if name == "Accept-Encoding" || saysWhoAsks(name) {
				delete(r.Header, name)
			}
		}
		// vmalert waits for ever, and says all the while that it runs.
		ctx, cancel := context.WithTimeout(r.Context(), h.ruleTimeout)
		defer cancel()
		h.serveWithoutToken(w, r.WithContext(ctx), g)
	})
}

// evaluatorPaths are all that vmalert asks for, with -datasource.appendTypePrefix, and always by POST.
var evaluatorPaths = []string{"/prometheus/api/v1/query", "/graphite/render", "/prometheus/api/v1/write"}

// saysWhoAsks reports a header that proxies set. A group of rules can have any header, and loopback may be a trusted proxy.
func saysWhoAsks(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" || name == "Forwarded"
}

// isEvaluator tells the grant of an Evaluator from that of a Reader, who has a name.
func (g *Grant) isEvaluator() bool { return !g.isToken() && g.Name == "" }

// errRedirected is a backend that sends vmalert elsewhere. It would go there, with an answer that shows among its errors.
var errRedirected = errors.New("the backend answered with a redirect")

// errCompressed is a backend that compresses although nobody asked. vmalert would unpack it, to a thousand times its length.
var errCompressed = errors.New("the backend answered with a Content-Encoding that it was not asked for")

var errLongAnswer = errors.New("the backend's answer to a rule is longer than 16 MiB")

// boundAnswer keeps an answer to vmalert within limits. The text of an error is cut; half of a result would be a wrong one, so the
// connection is broken off.
func boundAnswer(res *http.Response, x *exchange) error {
	switch {
	case res.StatusCode/100 == 3:
		return errRedirected
	case len(res.Header["Content-Encoding"]) > 0:
		return errCompressed
	case res.StatusCode >= 400:
		res.Body = cutBody{io.LimitReader(res.Body, mostRuleError), res.Body}
		res.ContentLength = -1
		res.Header.Del("Content-Length")
	case res.ContentLength > mostRuleAnswer:
		return errLongAnswer
	default:
		res.Body = boundBody{http.MaxBytesReader(nil, res.Body, mostRuleAnswer), x}
	}
	return nil
}

type cutBody struct {
	io.Reader
	io.Closer
}

// boundBody notes on the exchange that the answer was too long.
type boundBody struct {
	io.ReadCloser
	x *exchange
}

func (b boundBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		b.x.tooLong = true
	}
	return n, err
}
