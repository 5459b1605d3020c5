package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

// newHealthClient makes the client for health checks. It goes straight to the URL: neither a proxy from the environment nor a
// redirect may answer in its place.
func newHealthClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: 3 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// clientFor makes the client for a connected deployment, which may ask for a credential or have a certificate of its own authority.
func clientFor(u gatehouse.Upstream) *http.Client {
	client := newHealthClient()
	transport := client.Transport.(*http.Transport)
	if config, err := u.TLS(); err == nil { // it was checked before it was stored
		transport.TLSClientConfig = config
	}
	if authorization := u.Authorization(); authorization != "" {
		client.Transport = authorized{transport, authorization}
	}
	return client
}

// authorized adds a credential to each request.
type authorized struct {
	http.RoundTripper
	authorization string
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", a.authorization)
	return a.RoundTripper.RoundTrip(r)
}

// probe asks whether the VictoriaMetrics at the URL is well. The error is for the user's eyes: what its subject, the VictoriaMetrics,
// does wrong, and the remedy. It reads the same each time as long as the cause is the same.
func probe(ctx context.Context, client *http.Client, url string, timeout time.Duration) error {
	status, body, err := get(ctx, client, healthURL(url), timeout, 16)
	switch {
	case err != nil:
		return errors.New(reason(err, timeout))
	case status >= 300 && status < 400:
		return fmt.Errorf("answers with a redirect (HTTP status %d); connect the URL that it leads to", status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fmt.Errorf("asks for a credential at /health (HTTP status %d); connect it with the right credential", status)
	case status != http.StatusOK:
		return fmt.Errorf("answers HTTP status %d instead of 200 at /health; look at its log, and check the path in the URL", status)
	case strings.TrimSpace(string(body)) != "OK":
		return errors.New("is not VictoriaMetrics, as it does not say OK at /health; check the URL")
	}
	return nil
}

// healthURL gives where to ask. VictoriaMetrics serves /health below its -http.pathPrefix, but not below /prometheus, which single-node
// takes in front of its API paths and people therefore have in their URLs.
func healthURL(url string) string {
	return strings.TrimSuffix(strings.TrimRight(url, "/"), "/prometheus") + "/health"
}

// get reads at most the first bytes of an answer.
func get(ctx context.Context, client *http.Client, url string, timeout time.Duration, most int64) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("User-Agent", "gatehouse")
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	return resp.StatusCode, body, err
}

// reason is what people need to know of a failed request. The text of err itself holds local ports, which change all the time.
func reason(err error, timeout time.Duration) string {
	const check = "; check that it runs and that Gatehouse can reach it"
	var dns *net.DNSError
	var network net.Error
	if tls := tlsReason(err); tls != "" {
		return tls
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses the connection" + check
	case errors.As(err, &dns) && dns.IsNotFound:
		return "cannot be found, as its host name is unknown; check the name"
	case errors.As(err, &dns):
		return "cannot be found, as its host name cannot be looked up; check this machine's name service"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("does not answer within %s", timeout) + check
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "cannot be reached, as there is no route to it" + check
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		strings.Contains(err.Error(), "server closed idle connection"):
		return "closes the connection without an answer; check the port in the URL"
	}
	return "cannot be reached" + check
}

// tlsReason is the same for what goes wrong with TLS, or "".
func tlsReason(err error) string {
	var (
		unknown  x509.UnknownAuthorityError
		hostname x509.HostnameError
		invalid  x509.CertificateInvalidError
		alert    tls.AlertError
		record   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown):
		return "has a TLS certificate of an unknown authority; add the authority to this machine's certificates"
	case errors.As(err, &hostname):
		return "has a TLS certificate for another host name; connect it by the name in the certificate"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "has a TLS certificate that has expired or is not valid yet; renew it"
	case errors.As(err, &invalid):
		return "has a TLS certificate that is not valid; replace it"
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return "does not speak TLS; connect it with http instead of https"
	case errors.As(err, &alert):
		return "breaks off the TLS handshake; look at its log"
	}
	return ""
}
