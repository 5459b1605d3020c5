// Package api is the management API: the JSON API of VictoriaMetrics Cloud, so that its Go client and its Terraform provider work
// against Gatehouse unmodified, and what Gatehouse can do beyond it. It knows HTTP and JSON, and calls control for everything else.
//
// An endpoint is one typed function. What all of them share (limits, identity, decoding, errors) is written once, in handler.go.
package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/openapi"
)

// Prefix is what the paths of the API begin with.
const Prefix = "/api/v1"

// KeyHeader is the header in which requests carry their API key. Nothing else is taken as a proof of identity: no cookie, so that
// no other site can make a signed-in browser act, and nothing in the address, which logs keep.
const KeyHeader = "X-VM-Cloud-Access"

// Config is what the API is made of. Control and Log must be set.
type Config struct {
	Control *control.Control
	// AccessEndpointURL is where the data of all deployments is, such as http://127.0.0.1:8427, without a slash at the end.
	AccessEndpointURL string
	// InviteURL is the page to which a one-time code leads. Nil: the bare code is given.
	InviteURL func(code string) string
	// EngineVersion is the version of VictoriaMetrics that managed deployments of a type will run, or "". Nil: not known.
	EngineVersion func(gatehouse.DeploymentType) string
	// Figures tells what the VictoriaMetrics of a deployment says of itself. Nil: nobody knows.
	Figures func(deploymentID string) (gatehouse.Figures, error)
	// TrashRetention is how long deleted deployments can be restored.
	TrashRetention time.Duration
	// TrustedProxies may say in X-Forwarded-For from where a request comes. Nil: none.
	TrustedProxies []netip.Prefix
	// RequestRate is how many requests per second one API key may make for long; at once it is twice as many. 0: no limit.
	RequestRate float64
	Log         *slog.Logger
	// Version is Gatehouse's own, for the OpenAPI document.
	Version string
}

// api is the handler of all endpoints.
type api struct {
	Config
	mux      *http.ServeMux
	document openapi.Document
	limits   *limits
}

// New makes the handler of all paths below /api/, and the description of what it serves.
func New(config Config) (http.Handler, openapi.Document) {
	a := &api{Config: config, mux: http.NewServeMux(), limits: newLimits(config.RequestRate)}
	if a.EngineVersion == nil {
		a.EngineVersion = func(gatehouse.DeploymentType) string { return "" }
	}
	if a.Figures == nil {
		a.Figures = func(string) (gatehouse.Figures, error) { return gatehouse.Figures{}, nil }
	}
	if a.InviteURL == nil {
		a.InviteURL = func(code string) string { return code }
	}
	routes := a.routes()
	a.document = describe(routes, config.Version)
	for _, r := range routes {
		a.mux.Handle(r.method+" "+r.path, a.handler(r))
	}
	a.mux.Handle("/", a.answer(a.unknown))
	return a.withPlainPaths(a.mux), a.document
}

// Mount puts the API beside the console on one listener. Nothing of the console stands before it: no session, no protection against
// forged forms, no redirect.
func Mount(api, console http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(path.Clean("/"+r.URL.Path)+"/", "/api/") {
			api.ServeHTTP(w, r)
			return
		}
		console.ServeHTTP(w, r)
	})
}

// withPlainPaths turns away what http.ServeMux would redirect. Clients follow a redirect with another method, or send their key to
// another host.
func (a *api) withPlainPaths(next http.Handler) http.Handler {
	unknown := a.answer(func(http.ResponseWriter, *http.Request) error { return noSuchPath() })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if escaped := r.URL.EscapedPath(); r.URL.Path != path.Clean(r.URL.Path) || escaped != path.Clean(escaped) {
			unknown.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unknown tells a wrong path from a wrong method.
func (a *api) unknown(w http.ResponseWriter, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		probe := *r
		probe.Method = method
		if _, pattern := a.mux.Handler(&probe); strings.Contains(pattern, " ") {
			allowed = append(allowed, method)
		}
	}
	if allowed == nil {
		return noSuchPath()
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return refusal{http.StatusMethodNotAllowed, "this path does not take the method; it takes " + strings.Join(allowed, ", ")}
}

func noSuchPath() error {
	return gatehouse.Errorf(gatehouse.NotFound, "there is no such path in this API; /api-docs lists all")
}
