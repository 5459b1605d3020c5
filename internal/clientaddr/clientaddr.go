// Package clientaddr knows where a request began: at the other end of the connection, or where trusted proxies say.
package clientaddr

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Of gives the address of the client without port: the peer, or what trusted proxies say in X-Forwarded-For. That list is read from
// its end, since a client can put anything at its beginning.
func Of(r *http.Request, trusted []netip.Prefix) string {
	addr := Peer(r)
	if !IsTrusted(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		parsed, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = parsed.Unmap().String()
		if !IsTrusted(addr, trusted) {
			break
		}
	}
	return addr
}

// Peer gives the address at the other end of the connection, without port.
func Peer(r *http.Request) string {
	addr := r.RemoteAddr
	if i := strings.LastIndexByte(addr, ':'); i >= 0 {
		addr = addr[:i]
	}
	return strings.TrimSuffix(strings.TrimPrefix(addr, "["), "]")
}

// Network gives whom an address belongs to, for limits per address: an IPv4 address as it is, and of IPv6 the /64, all of which one
// customer has. What is no address stays as it is.
func Network(addr string) string {
	parsed, err := netip.ParseAddr(addr)
	if err != nil {
		return addr
	}
	if parsed = parsed.Unmap(); parsed.Is4() {
		return parsed.String()
	}
	return netip.PrefixFrom(parsed.WithZone(""), 64).Masked().String()
}

// IsTrusted reports whether the address belongs to a trusted proxy.
func IsTrusted(addr string, trusted []netip.Prefix) bool {
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
