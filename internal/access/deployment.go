package access

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"gatehouse/internal/gatehouse"
)

// Engine is where a managed deployment answers while it runs.
type Engine struct {
	URL       string // of a single node
	InsertURL string // of a cluster's vminsert; empty while it does not serve
	SelectURL string // of its vmselect; the same
	Username  string // Basic credentials for upstream; empty sends none
	Password  string
}

// deployment is what the tokens of one deployment share. It exists as soon as anything names its ID, so that changes may come in
// any order.
type deployment struct {
	id string
	// config is nil until the deployment itself is known. A request reads it once, so it never sees a mix of old and new.
	config    atomic.Pointer[config]
	totals    totals
	durations durations

	// The rest belongs to whoever holds the table's lock.
	known  *gatehouse.Deployment
	engine *Engine
}

// config is one state of a deployment, immutable.
type config struct {
	name     string
	kind     gatehouse.DeploymentType
	limit    int64        // concurrent requests per token
	backends [parts]*pool // nil where nothing answers
	tls      *tls.Config  // for a deployment with certificates of its own; nil: the usual ones

	ownTransport sync.Once
	transport    *http.Transport // made on the first request, when tls is set
}

// configure publishes what known and engine say now.
func (d *deployment) configure() {
	if d.known == nil {
		return
	}
	c := &config{name: d.known.Name, kind: gatehouse.SingleNode, limit: int64(d.known.MaxConcurrentRequests)}
	if d.known.Type == gatehouse.Cluster {
		c.kind = gatehouse.Cluster
	}
	if c.limit <= 0 {
		c.limit = gatehouse.DefaultMaxConcurrentRequests
	}
	switch {
	case !d.known.Managed:
		authorization := d.known.Upstream.Authorization()
		c.backends = [parts]*pool{Single: newPool(d.known.URLs, authorization), Insert: newPool(d.known.InsertURLs, authorization), Select: newPool(d.known.SelectURLs, authorization)}
		c.tls, _ = d.known.Upstream.TLS() // it was checked before it was stored
	case d.engine != nil:
		authorization := basic(d.engine.Username, d.engine.Password)
		c.backends = [parts]*pool{
			Single: newPool([]string{d.engine.URL}, authorization), Insert: newPool([]string{d.engine.InsertURL}, authorization), Select: newPool([]string{d.engine.SelectURL}, authorization),
		}
	}
	d.config.Store(c)
}

func basic(username, password string) string {
	if username == "" && password == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

// newPool gives nil when no URL can be used.
func newPool(urls []string, authorization string) *pool {
	p := &pool{authorization: authorization}
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			continue // the domain has checked URLs before they were stored
		}
		p.backends = append(p.backends, &backend{scheme: u.Scheme, host: u.Host, base: strings.TrimRight(u.Path, "/")})
	}
	if len(p.backends) == 0 {
		return nil
	}
	return p
}
