package access

import (
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/clientaddr"
)

const mostUserAgent = 200 // bytes

// userAgent is what the client calls itself, cut to 200 bytes of valid UTF-8.
func userAgent(r *http.Request) string {
	ua := r.Header.Get("User-Agent")
	if len(ua) > mostUserAgent {
		ua = ua[:mostUserAgent]
		for i := 0; i < utf8.UTFMax && !utf8.ValidString(ua); i++ { // do not leave half a character at the end
			ua = ua[:len(ua)-1]
		}
	}
	return strings.ToValidUTF8(ua, "\uFFFD")
}

// wantsPage reports whether a person's browser asks.
func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

// forwarding is what the backend is told about the client.
type forwarding struct {
	addr, host, proto string
	trusted           bool // the peer is a trusted proxy, so its other X-Forwarded-* headers go on
}

// forwardingOf makes it from the connection, or from what a trusted proxy says.
func forwardingOf(r *http.Request, trusted []netip.Prefix) forwarding {
	f := forwarding{addr: clientaddr.Peer(r), host: r.Host, proto: "http"}
	if r.TLS != nil {
		f.proto = "https"
	}
	if !clientaddr.IsTrusted(f.addr, trusted) {
		return f
	}
	f.trusted = true
	if prior := r.Header["X-Forwarded-For"]; len(prior) > 0 {
		f.addr = strings.Join(prior, ", ") + ", " + f.addr
	}
	if host := r.Header.Get("X-Forwarded-Host"); host != "" {
		f.host = host
	}
	if proto := r.Header.Get("X-Forwarded-Proto"); proto != "" {
		f.proto = proto
	}
	return f
}
