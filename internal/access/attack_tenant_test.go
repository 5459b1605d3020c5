package access

import (
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// otherTenant are headers by which somebody might choose tenant 8.
var otherTenant = []string{
	"AccountID: 8\r\nProjectID: 0\r\n", "accountid: 8\r\nprojectid: 0\r\n", "ACCOUNTID: 8\r\nPROJECTID: 0\r\n", "aCCOUNTiD:8\r\n", "AccountID: 8\r\nAccountID: 7\r\n", "AccountID:\r\n 8\r\n",
	"Connection: AccountID\r\nAccountID: 8\r\n", "Connection: X-Forwarded-For\r\nAccountID: 8\r\n", "X-Forwarded-Prefix: /insert/8\r\n", "X-Forwarded-Uri: /insert/8/prometheus/api/v1/write\r\n",
	"X-Forwarded-AccountID: 8\r\n", "x-forwarded-prefix: /select/8\r\nX-FORWARDED-PREFIX: /select/8\r\n",
}

// hiddenTenant are spellings of a tenant that is not 7, or none that can be parsed, for which a cluster would look into the headers.
var hiddenTenant = []string{
	"8", "8:0", "008", "%38", "%2538", "8%3A0", "8%253A0", "7:1", "07:01", "7%3a1", "0", "0:7", "multitenant", "MULTITENANT", "%6dultitenant", "multitenant%20", "multitenant:0", "7multitenant",
	"+7", "%2b7", "-7", " 7", "%207", "7%20", "7%00", "7%09", "7:", ":7", "7:0:0", "7:0x0", "0x7", "7e0", "7.0", "7,8", "7;8", "7%2c8", "4294967303", "4294967296", "7:4294967296", "18446744073709551623",
	"\xd9\xa7", "%d9%a7", "%ef%bc%97", "", "x", "..", ".", "7%2f..%2f8", "7/../8", "7%2f8", "8/../7", "../select/8", "7%3fx", "7%23", "7?x", "7#x", "7\\8", "7%5c..%5c8",
}

// TestATenantTokenReachesNoOtherTenant tries everything that might choose a tenant, and all of it at once.
func TestATenantTokenReachesNoOtherTenant(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("cluster", gatehouse.ReadWrite, tenant7)
	scope := Scope{gatehouse.ReadWrite, tenant7}
	arguments := "?AccountID=8&accountID=8&account_id=8&ProjectID=0&tenant=8&vm_account_id=8&extra_label=vm_account_id=8&extra_filters[]={vm_account_id=\"8\"}"
	suffixes := []string{"prometheus/api/v1/write", "prometheus/api/v1/query", "prometheus/api/v1/import/prometheus", "graphite/render", "influx/write", "vmui/", "prometheus/api/v1/status/tsdb"}

	var targets []string
	for i, suffix := range suffixes {
		targets = append(targets, "/"+suffix, "/insert/7/"+suffix, "/select/007:00/"+suffix)
		if i >= 3 {
			continue
		}
		for _, tenant := range hiddenTenant {
			for _, word := range []string{"/insert/", "/select/", "/Insert/", "/%69nsert/", "//select//", "/select/7/../", "/delete/", "/", "/prometheus/insert/", "/insert/insert/", "/insert/7/select/"} {
				targets = append(targets, word+tenant+"/"+suffix)
			}
		}
	}
	let, refused := 0, 0
	for i, target := range targets {
		if strings.ContainsAny(target, " ") {
			continue // is no request line
		}
		raw := "POST " + target + arguments + " HTTP/1.1\r\n" + bearing(s) + otherTenant[i%len(otherTenant)] + "Content-Length: 3\r\n\r\nx 1"
		answers := e.attack(t, raw)
		for _, r := range e.backend.take() {
			let++
			if !strings.HasPrefix(r.path, "/insert/7/") && !strings.HasPrefix(r.path, "/select/7/") || strings.Contains(r.path, "8") {
				t.Errorf("%s: the backend sees %s", target, r.target)
			}
			r.mustNotBetray(t, s)
			if head, _, _ := strings.Cut(r.raw, "\r\n\r\n"); strings.Contains(head[strings.Index(head, "\r\n"):], "8/") {
				t.Errorf("%s: the backend sees %q", target, r.raw)
			}
			mustBeHarmless(t, gatehouse.Cluster, scope, r.path)
			checkJudgedTarget(t, gatehouse.Cluster, scope, r)
		}
		if answers[0].StatusCode >= 400 {
			refused++
		}
	}
	if let < len(suffixes) || let > 4*len(suffixes) || refused < len(targets)/2 {
		t.Errorf("%d of %d let in, %d refused", let, len(targets), refused)
	}
}

// TestHeadersNeverChooseATenant sends every header to a token of any tenant: the path alone may name one.
func TestHeadersNeverChooseATenant(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("cluster", gatehouse.ReadWrite, nil)
	for _, header := range otherTenant {
		for path, want := range map[string]string{
			"/insert/multitenant/prometheus/api/v1/write": "/insert/multitenant/prometheus/api/v1/write",
			"/insert/%37/prometheus/api/v1/write":         "/insert/7/prometheus/api/v1/write",
			"/insert/prometheus/api/v1/write":             "",
			"/prometheus/api/v1/write":                    "",
			"/insert//prometheus/api/v1/write":            "",
			"/insert/x/prometheus/api/v1/write":           "",
		} {
			answers := e.attack(t, "POST "+path+" HTTP/1.1\r\n"+bearing(s)+header+"\r\n")
			seen := e.backend.take()
			if want == "" && (len(seen) != 0 || answers[0].StatusCode < 403) || want != "" && (len(seen) != 1 || seen[0].path != want) {
				t.Errorf("%s with %q: %v; the backend sees %q", path, header, answers.statuses(), seen)
			}
			for _, r := range seen {
				r.mustNotBetray(t, s)
			}
		}
	}
}
