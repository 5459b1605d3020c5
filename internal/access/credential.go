package access

import (
	"encoding/base64"
	"net/http"
	"strings"

	"gatehouse/internal/clientaddr"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// mostSecretLength bounds the work of hashing what a stranger sends.
const mostSecretLength = 4096

// keyHeaders carry a bare secret, in the order in which they are looked at: AWS Firehose, the Datadog agent, the New Relic agent.
// Names are canonical.
var keyHeaders = []string{"X-Amz-Firehose-Access-Key", "Dd-Api-Key", "Api-Key", "X-License-Key"}

// credentialHeaders never go upstream. The last two belong to the console and its API, which browsers and clients may send here.
var credentialHeaders = append([]string{"Authorization", "Cookie", "X-Vm-Cloud-Access"}, keyHeaders...)

// secretOf finds the credential of a request: the first place that holds one wins, and two places are never combined. Found says
// that there was one; the secret is "" when it cannot be read. The query string is never looked at: URLs end up in logs.
func secretOf(h http.Header) (value string, found bool) {
	authorization, given := only(h, "Authorization")
	if given && authorization == "" {
		return "", true // it came twice, and no other place mends that
	}
	if given {
		scheme, rest, _ := strings.Cut(authorization, " ")
		rest = strings.Trim(rest, " ")
		switch {
		case strings.EqualFold(scheme, "Bearer"), strings.EqualFold(scheme, "Token"):
			return rest, true
		case strings.EqualFold(scheme, "Basic"):
			return passwordOf(rest), true
		}
	}
	for _, name := range keyHeaders {
		if value, ok := only(h, name); ok {
			return value, true
		}
	}
	return "", given // an unknown scheme is a credential that cannot be read
}

// only gives the value of a header. One that is there twice cannot be read: two programs might choose differently.
func only(h http.Header, canonical string) (value string, given bool) {
	switch values := h[canonical]; {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", false
	case len(values) == 1:
		return values[0], true
	}
	return "", true
}

// passwordOf takes the secret out of Basic credentials; the user name may be anything.
func passwordOf(encoded string) string {
	_, password, _ := strings.Cut(pairOf(encoded), ":")
	return password
}

// pairOf decodes Basic credentials, RFC 7617: user name, colon, password.
func pairOf(encoded string) string {
	if len(encoded) > 2*mostSecretLength {
		return ""
	}
	decoded, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || !strings.Contains(string(decoded), ":") {
		return ""
	}
	return string(decoded)
}

// imported finds the grant of a user that came from vmauth with Basic credentials. User name and password together are the secret
// there: the password alone lets nobody in, and two users may share it. Without a password, the user name is one, as vmauth has it; of
// Gatehouse's own secrets it never is.
func (t *Table) imported(h http.Header) *Grant {
	authorization, _ := only(h, "Authorization")
	scheme, rest, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return nil
	}
	pair := pairOf(strings.Trim(rest, " "))
	if pair == "" {
		return nil
	}
	if g := t.lookup(secret.Hash(pair)); g != nil {
		return g
	}
	if name, ok := strings.CutSuffix(pair, ":"); ok && name != "" && !secret.HasPrefix(name) {
		return t.lookup(secret.Hash(name))
	}
	return nil
}

// flaw is why a credential was refused. The client is told one and the same for all; the operator sees which.
type flaw string

const (
	malformed flaw = "malformed" // unreadable, or a typing error by the checksum
	apiKey    flaw = "api_key"   // belongs to the management API
	revoked   flaw = "revoked"
	unheard   flaw = "unknown"
)

// flawOf judges a secret by its form, before any look-up.
func flawOf(value string) (flaw, bool) {
	kind, own := secret.KindOf(value)
	switch {
	case value == "" || len(value) > mostSecretLength:
		return malformed, true
	case !own: // imported from elsewhere, perhaps: known by its hash alone
		return "", false
	case !secret.Valid(value):
		return malformed, true
	case kind == secret.APIKey:
		return apiKey, true
	}
	return "", false
}

// authenticate finds the grant that the request's credential stands for.
func (h *Handler) authenticate(r *http.Request) (*Grant, *Refusal) {
	value, found := secretOf(r.Header)
	if !found {
		return nil, refuseNoCredential
	}
	if g := h.table.imported(r.Header); g != nil {
		return g, nil
	}
	flaw, bad := flawOf(value)
	var hash gatehouse.SecretHash
	if !bad {
		hash = secret.Hash(value)
		if g := h.table.lookup(hash); g != nil {
			return g, nil
		}
		flaw = unheard
		if h.table.wasRevoked(hash) {
			flaw = revoked
		}
	}
	h.metrics.flaws[flaw].Inc()
	if n, ok := h.quietRefusals.next(); ok {
		h.log.Warn("refused a credential", "reason", string(flaw), "addr", clientaddr.Of(r, h.trusted), "key", secret.Mask(value), "not_logged_before", n)
	}
	return nil, refuseCredential
}
