package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

// place is the part of a URL that says where it leads.
func place(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the access endpoint"
	}
	return u.Scheme + "://" + u.Host
}

const checkURL = "Check --access-endpoint-url, with which Gatehouse is started: users copy this address."

// unreachable explains why no answer came from to.
func unreachable(to string, err error) string {
	at := place(to)
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "The test was broken off."
	case errors.As(err, &dns) && !dns.IsTimeout:
		return "The host name in " + at + " is not known. " + checkURL
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens at " + at + ". " + checkURL
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "There is no way to " + at + " from the machine on which Gatehouse runs. " + checkURL
	case errors.As(err, &certificate):
		return badCertificate(at, certificate.Err)
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, new(tls.RecordHeaderError)):
		return at + " does not speak TLS: the address begins with https, and plain http is spoken there. " + checkURL
	case errors.As(err, new(tls.AlertError)), strings.Contains(err.Error(), "tls: "):
		return "TLS with " + at + " fails: both sides agree on no version, or a client certificate is asked for."
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("%s did not answer within %d seconds. A firewall may drop the packets, or the machine may be overloaded. %s", at, requestTimeout/time.Second, checkURL)
	}
	return at + " broke the connection off before it answered. " + checkURL
}

func badCertificate(at string, err error) string {
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &authority):
		return "The machine on which Gatehouse runs does not trust who signed the certificate of " + at + ". Clients refuse it too, unless they are told that authority."
	case errors.As(err, &name):
		return "The certificate of " + at + " is made for another name. Clients refuse it. Use the name of the certificate in --access-endpoint-url, or get another certificate."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The certificate of " + at + " has expired, or is not valid yet. Clients refuse it; renew it, and check the clock."
	}
	return "The certificate of " + at + " is not valid. Clients refuse it."
}

// foreign is said when something answers, but not Gatehouse.
func foreign(to string) string {
	return "Something else than Gatehouse answers at " + place(to) + ". " + checkURL
}

// endpointErrors are the error types with which the access endpoint itself answers. Those of VictoriaMetrics are numbers.
var endpointErrors = []string{"unauthorized", "forbidden", "not_found", "too_many_requests", "unavailable", "timeout", "bad_data"}

// ours reports whether the access endpoint itself refused the request.
func (a answer) ours() bool {
	var refusal struct {
		Status    string `json:"status"`
		ErrorType string `json:"errorType"`
	}
	return json.Unmarshal(a.body, &refusal) == nil && refusal.Status == "error" && slices.Contains(endpointErrors, refusal.ErrorType)
}

// refused explains an answer other than the wanted one.
func (r *run) refused(a answer, to string) string {
	at := place(to)
	switch {
	case a.status >= 300 && a.status < 400:
		return fmt.Sprintf("%s leads to another address (%d). Clients do not follow with the token. Put the final address into --access-endpoint-url.", at, a.status)
	case a.status == http.StatusBadRequest && bytes.Contains(bytes.ToLower(a.body), []byte("https")) && strings.HasPrefix(at, "http:"):
		return at + " speaks TLS: the address must begin with https. " + checkURL
	case a.ours():
		return r.refusedByEndpoint(a)
	case a.status >= 500:
		return fmt.Sprintf("The answer was %d, and it does not come from Gatehouse itself: a proxy in front of it does not reach it, or VictoriaMetrics failed. %s", a.status, r.state())
	case a.status == http.StatusUnauthorized, a.status == http.StatusForbidden, a.status == http.StatusNotFound, a.status < 300:
		return fmt.Sprintf("%s (It answered %d.)", foreign(to), a.status)
	}
	return fmt.Sprintf("VictoriaMetrics, or a proxy in front of Gatehouse, refused the request (%d). %s", a.status, r.state())
}

func (r *run) refusedByEndpoint(a answer) string {
	switch a.status {
	case http.StatusUnauthorized:
		if strings.Contains(a.challenge, "invalid_token") {
			return "The access endpoint does not know this token (401). It was deleted, or the address that users copy is that of another Gatehouse."
		}
		return "The request arrived without its token (401): something in front of Gatehouse removes the header Authorization. Let it pass that on."
	case http.StatusForbidden:
		return "The token may not do this (403): its access level or its tenant does not cover the request."
	case http.StatusNotFound:
		return "The path arrived changed (404): something in front of Gatehouse rewrites it. Let it pass paths on as they are."
	case http.StatusTooManyRequests:
		return "Too many requests with this token are running (429). Try again when fewer do, or have the limit of the deployment raised."
	case http.StatusBadGateway:
		return "VictoriaMetrics broke off, or refuses the credential that Gatehouse sends it (502). " + r.state()
	case http.StatusServiceUnavailable:
		return "The deployment cannot be reached (503). " + r.state()
	case http.StatusGatewayTimeout:
		return "The deployment took too long to answer (504). " + r.state()
	}
	return fmt.Sprintf("The access endpoint refused the request (%d). %s", a.status, r.state())
}

// state says how the deployment is doing.
func (r *run) state() string {
	text := "The deployment is in the state " + r.State.Status.Label() + "."
	if detail := r.State.Detail; detail != "" && r.State.Status != gatehouse.Running {
		text += " Gatehouse says: " + detail
		if !strings.HasSuffix(detail, ".") {
			text += "."
		}
	}
	return text
}
