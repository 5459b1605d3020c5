package access

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"gatehouse/internal/gatehouse"
)

// Reason says why a request was not let in or not answered by the backend. It labels the metric of refusals.
type Reason string

const (
	NoCredential   Reason = "no_credential"
	BadCredential  Reason = "bad_credential"
	WrongScope     Reason = "insufficient_scope" // the token's access does not cover the kind
	WrongTenant    Reason = "other_tenant"
	ForbiddenPath  Reason = "forbidden_path" // known, and open to no token
	UnknownPath    Reason = "unknown_path"
	MalformedPath  Reason = "malformed_path"
	RemoteWrite2   Reason = "remote_write_2"
	TooMany        Reason = "concurrency_limit"
	SlowBody       Reason = "slow_body"
	OtherSite      Reason = "other_site"      // a browser was made to write by a page of another site
	Unavailable    Reason = "unavailable"     // no backend to be reached
	BackendFailed  Reason = "backend_failed"  // it broke off before it answered
	BackendTooSlow Reason = "backend_timeout" // it did not answer in time
)

// reasons lists all, in the order in which they are counted.
var reasons = [...]Reason{NoCredential, BadCredential, WrongScope, WrongTenant, ForbiddenPath, UnknownPath, MalformedPath, RemoteWrite2,
	OtherSite, TooMany, SlowBody, Unavailable, BackendFailed, BackendTooSlow}

const reasonCount = len(reasons)

// number gives the place of a reason in reasons.
func (r Reason) number() int { return slices.Index(reasons[:], r) }

// Refusal is an answer of the endpoint in place of the backend's. Text is one lower-case sentence that says what to do; it goes to
// the client and never holds a secret or the request's path, in which clients sometimes put one.
type Refusal struct {
	Reason Reason
	Text   string
}

// response is how a Reason is told. None may be 400, 405, 409 or 415 for a fault that is ours: vmagent loses the block on 400, 409
// and 415, and drops to an older protocol for good on 400 and 415; vmalert loses data on every 4xx but 429; Grafana repeats a
// POST answered 400 or 405 as GET.
type response struct {
	status     int
	errorType  string
	challenge  string // WWW-Authenticate, RFC 6750
	retryAfter int    // seconds
}

const bearer = `Bearer realm="gatehouse"`

var responses = map[Reason]response{
	NoCredential:   {401, "unauthorized", bearer, 0},
	BadCredential:  {401, "unauthorized", bearer + `, error="invalid_token"`, 0},
	WrongScope:     {403, "forbidden", bearer + `, error="insufficient_scope"`, 0},
	WrongTenant:    {403, "forbidden", bearer + `, error="insufficient_scope"`, 0},
	ForbiddenPath:  {403, "forbidden", "", 0},
	UnknownPath:    {404, "not_found", "", 0},
	MalformedPath:  {404, "not_found", "", 0},
	OtherSite:      {403, "forbidden", "", 0},
	SlowBody:       {503, "timeout", "", 1}, // not 408: clients drop what is refused with 4xx
	RemoteWrite2:   {415, "bad_data", "", 0},
	TooMany:        {429, "too_many_requests", "", 5},
	BackendFailed:  {502, "unavailable", "", 0},
	Unavailable:    {503, "unavailable", "", 5},
	BackendTooSlow: {504, "timeout", "", 0},
}

var (
	refuseNoCredential = &Refusal{NoCredential, "no access token came with this request; send the header Authorization: Bearer <access token>"}
	// One text for all: whether a secret once worked is nobody's business, and the same hint helps who has taken the wrong kind.
	refuseCredential = &Refusal{BadCredential, "this access token is not valid; copy it again from the console, or generate a new one; an API key (vmak_…) does not work here"}
	refuseShut       = &Refusal{ForbiddenPath, "no access token may use this path, as it manages VictoriaMetrics or shows its inner state; ask your operator"}
	refuseID         = &Refusal{ForbiddenPath, "no access token may give this page an id or anything but a short form; leave the argument id out"}
	refuseMethod     = &Refusal{ForbiddenPath, "no access token may use the methods CONNECT and TRACE; use GET or POST"}
	refuseWrite2     = &Refusal{RemoteWrite2, "VictoriaMetrics does not store remote write 2.0; let the client send remote write 1.0 (in Prometheus: protobuf_message: prometheus.WriteRequest)"}
	refuseSlowBody   = &Refusal{SlowBody, "the request body came too slowly; send it faster or in smaller pieces"}
	refuseOtherSite  = &Refusal{OtherSite, "a page of another site asked for this, so nothing was written; use a client instead of a browser"}
	refuseTooMany    = &Refusal{TooMany, "too many requests of this token are running; send fewer at a time, or have the limit of the deployment raised"}
	refuseAllTooMany = &Refusal{TooMany, "too many requests are running on this access endpoint; try again later"}
	refuseStopped    = &Refusal{Unavailable, "the deployment is not running; start it, or try again later"}
	refuseUnreached  = &Refusal{Unavailable, "the deployment cannot be reached; check that VictoriaMetrics runs and is reachable from Gatehouse, or try again later"}
	refuseBroken     = &Refusal{BackendFailed, "the deployment broke off before it answered; try again, and look into the log of VictoriaMetrics if this goes on"}
	refuseUpstream   = &Refusal{BackendFailed, "the deployment refused the credential that Gatehouse sent it; check its -httpAuth flags"}
	refuseLong       = &Refusal{BackendFailed, "the answer is longer than 16 MiB, the most that a rule may get; let the rule select less"}
	refuseTimeout    = &Refusal{BackendTooSlow, "the deployment took too long to answer; ask for less at a time"}
)

func refuseUnknown(nearest string) *Refusal {
	return &Refusal{UnknownPath, "this path is not known; the nearest known path is " + nearest}
}

func refuseMalformed(nearest string) *Refusal {
	return &Refusal{MalformedPath, "the path is malformed: it has an invalid escape, a control byte, or a . or .. segment; the nearest known path is " + nearest}
}

// refuseClusterPath answers a cluster's path on a single node.
func refuseClusterPath(word, example string) *Refusal {
	return &Refusal{ForbiddenPath, "this deployment is a single node, which has no " + word + " paths; leave that and the tenant out, for example " + example}
}

// refuseNoTenant answers a path without a tenant where a cluster's path must have one; kind is what it would be with one.
func refuseNoTenant(part Part, kind Kind) *Refusal {
	reason := ForbiddenPath
	if kind == none {
		reason = UnknownPath
	}
	return &Refusal{reason, "the path needs a tenant after " + part.word() + ": accountID or accountID:projectID, each a number from 0 to 4294967295; the nearest known path is " +
		part.word() + "/0/prometheus/"}
}

func refuseScope(a gatehouse.Access, k Kind) *Refusal {
	needs := "read"
	if k == Write {
		needs = "write"
	}
	return &Refusal{WrongScope, "this path needs " + needs + " access, and this token has " + a.Label() + "; use a token whose access covers it"}
}

func refuseTenant(own gatehouse.Tenant) *Refusal {
	return &Refusal{WrongTenant, "this token is bound to tenant " + own.String() + "; leave the tenant out of the path, or use a token for the other tenant"}
}

func (f *Refusal) status() int { return responses[f.Reason].status }

// write answers with the refusal in the shape of the Prometheus API, of which Grafana shows the text,
// https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview.
func (f *Refusal) write(w http.ResponseWriter, r *http.Request) {
	how := responses[f.Reason]
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	if how.challenge != "" {
		h.Set("WWW-Authenticate", how.challenge)
		if how.status == http.StatusUnauthorized && wantsPage(r) {
			// A browser asks its user only for Basic; the user name does not matter.
			h.Add("WWW-Authenticate", `Basic realm="gatehouse"`)
		}
	}
	if how.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(how.retryAfter))
	}
	if f.Reason == SlowBody {
		h.Set("Connection", "close")
	}
	w.WriteHeader(how.status)
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // texts hold <tenant>; nosniff keeps browsers from reading it as HTML
	_ = e.Encode(struct {
		Status    string `json:"status"`
		ErrorType string `json:"errorType"`
		Error     string `json:"error"`
	}{"error", how.errorType, f.Text})
	_, _ = w.Write(body.Bytes())
}
