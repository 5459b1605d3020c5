package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

const mostUserAgent = 200 // bytes

// peerAddr is the address at the other end of the connection, without port.
func peerAddr(r *http.Request) string {
	addr := r.RemoteAddr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		addr = addr[:i]
	}
	return strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
}

// clientAddr is where the request began: the peer, or what trusted proxies say in X-Forwarded-For. That list is read from its end,
// since a client can put anything at its beginning.
func clientAddr(r *http.Request, trusted []netip.Prefix) string {
	addr := peerAddr(r)
	if !isTrusted(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		parsed, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = parsed.Unmap().String()
		if !isTrusted(addr, trusted) {
			break
		}
	}
	return addr
}

func isTrusted(addr string, trusted []netip.Prefix) bool {
	if len(trusted) == 0 {
		return false
	}
	parsed, err := netip.ParseAddr(addr)
	if err != nil {
		return false
	}
	parsed = parsed.Unmap().WithZone("")
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(parsed) })
}

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
	f := forwarding{addr: peerAddr(r), host: r.Host, proto: "http"}
	if r.TLS != nil {
		f.proto = "https"
	}
	if !isTrusted(f.addr, trusted) {
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
