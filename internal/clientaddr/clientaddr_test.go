package clientaddr

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestOf(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	f := func(peer, want string, forwarded ...string) {
		t.Helper()
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": forwarded}}
		if got := Of(r, trusted); got != want {
			t.Errorf("peer %s, X-Forwarded-For %q: got %s, want %s", peer, forwarded, got, want)
		}
	}
	f("192.0.2.1:4711", "192.0.2.1")
	f("[2001:db8::1]:4711", "2001:db8::1")
	f("192.0.2.1:4711", "192.0.2.1", "198.51.100.7") // a stranger's word counts nothing

	f("10.0.0.1:4711", "10.0.0.1")
	f("10.0.0.1:4711", "198.51.100.7", "198.51.100.7")
	f("[fd00::1]:4711", "198.51.100.7", "198.51.100.7")
	f("[::ffff:10.0.0.1]:4711", "198.51.100.7", "198.51.100.7")
	f("10.0.0.1:4711", "198.51.100.7", "203.0.113.9, 198.51.100.7") // the client made the first up
	f("10.0.0.1:4711", "198.51.100.7", "203.0.113.9", "198.51.100.7, 10.0.0.2")
	f("10.0.0.1:4711", "10.0.0.3", "10.0.0.3, 10.0.0.2")
	f("10.0.0.1:4711", "10.0.0.2", "198.51.100.7, nonsense, 10.0.0.2")
	f("10.0.0.1:4711", "10.0.0.1", "nonsense")
}

func TestNobodyIsTrustedUnlessConfigured(t *testing.T) {
	r := &http.Request{RemoteAddr: "127.0.0.1:4711", Header: http.Header{"X-Forwarded-For": {"198.51.100.7"}}}
	if got := Of(r, nil); got != "127.0.0.1" {
		t.Errorf("got %s", got)
	}
}

func TestNetworkIsWhatOneCustomerHas(t *testing.T) {
	f := func(addr, want string) {
		t.Helper()
		if got := Network(addr); got != want {
			t.Errorf("%s: got %s, want %s", addr, got, want)
		}
	}
	f("192.0.2.1", "192.0.2.1")
	f("::ffff:192.0.2.1", "192.0.2.1")
	f("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64")
	f("2001:db8:1:2::", "2001:db8:1:2::/64")
	f("2001:db8:1:3::", "2001:db8:1:3::/64")
	f("fe80::1%eth0", "fe80::/64")
	f("no address", "no address")
	f("", "")
}
