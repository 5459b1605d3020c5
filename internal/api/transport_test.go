package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/api"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func newRequest(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(method, url, bodyOf(body))
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// with sends a request with the header and nothing else.
func (c client) with(header http.Header, method, path, body string) answer {
	c.Helper()
	req := newRequest(c.T, method, c.base+path, body)
	req.Header = header
	return c.do(req)
}

func TestOnlyTheKeyHeaderProvesWhoAsks(t *testing.T) {
	s := newSite(t)
	key := s.key("admin")
	d := s.addDeployment("single")
	tokens, _, err := s.control.Tokens(t.Context(), system, gatehouse.TokenQuery{DeploymentID: d.ID})
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.control.RevealToken(t.Context(), system, tokens[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	f := func(header http.Header, path, why string) {
		t.Helper()
		s.client("").with(header, "GET", path, "").refused(401, why)
	}
	const path = "/api/v1/deployments"
	f(http.Header{}, path, "the API key is missing")
	f(http.Header{"X-Vm-Cloud-Access": {""}}, path, "the API key is missing")
	f(http.Header{"X-Vm-Cloud-Access": {key, key}}, path, "send it once")
	f(http.Header{"X-Vm-Cloud-Access": {"Bearer " + key}}, path, "mistyped or cut off")
	f(http.Header{"X-Vm-Cloud-Access": {key[:40]}}, path, "mistyped or cut off")
	f(http.Header{"X-Vm-Cloud-Access": {secret.New(secret.APIKey).Reveal()}}, path, "unknown or revoked")
	f(http.Header{"X-Vm-Cloud-Access": {token.Reveal()}}, path, "this is an access token")
	f(http.Header{"Authorization": {"Bearer " + key}}, path, "the API key is missing")
	f(http.Header{"Cookie": {"X-VM-Cloud-Access=" + key}}, path, "the API key is missing")
	f(http.Header{}, path+"?X-VM-Cloud-Access="+key+"&api_key="+key, "the API key is missing")

	keys, err := s.control.APIKeys(t.Context(), system)
	if err != nil {
		t.Fatal(err)
	}
	s.client(key).get("deployments").ok()
	if err := s.control.RevokeAPIKey(t.Context(), system, keys[0].ID); err != nil {
		t.Fatal(err)
	}
	s.client(key).get("deployments").refused(401, "unknown or revoked")
	if log := s.log.String(); strings.Contains(log, key) || strings.Contains(log, token.Reveal()) {
		t.Errorf("the log holds a secret: %s", log)
	}
}

func TestKeysWorkWithinTheirBounds(t *testing.T) {
	s := newSite(t)
	mine, other := s.addDeployment("mine").ID, s.addDeployment("other").ID
	reader, scoped := s.client(s.key("reader", readOnly)), s.client(s.key("scoped", only(mine)))
	admin, tokens := s.admin(), map[string]string{}
	for _, access := range []string{"r", "w"} {
		tokens[access] = admin.post(`{"type":"`+access+`","description":"`+access+`"}`, "deployments", mine, "access_tokens").object()["id"].(string)
	}

	reader.get("deployments", mine, "access_tokens").ok()
	reader.get("deployments", mine, "access_tokens", tokens["r"]).ok()
	reader.get("deployments", mine, "access_tokens", tokens["w"]).refused(403, "read-only")
	reader.post(createBody, "deployments").refused(403, "read-only")
	reader.put(updateBody, "deployments", mine).refused(403, "read-only")
	reader.del("deployments", mine).refused(403, "read-only")
	reader.post(`{"type":"r","description":"x"}`, "deployments", mine, "access_tokens").refused(403, "read-only")
	reader.post(rules, "deployments", mine, "rule-sets", "files", "a.yml").refused(403, "read-only")
	reader.post(`{"name":"k","permissions":"rw","expires":"never"}`, "api_keys").refused(403, "read-only")
	reader.post(`{"email":"a@example.com","role":"admin"}`, "users").refused(403, "read-only")
	reader.get("users").ok()

	if list := scoped.get("deployments").list(); len(list) != 1 || list[0]["id"] != mine {
		t.Errorf("the key for one deployment sees %v", list)
	}
	scoped.get("deployments", other).refused(403, "other deployments")
	scoped.get("deployments", other, "access_tokens").refused(403, "other deployments")
	scoped.post(rules, "deployments", other, "rule-sets", "files", "a.yml").refused(403, "other deployments")
	scoped.post(createBody, "deployments").refused(403, "other deployments")
	scoped.get("users").refused(403, "other deployments")
	scoped.get("api_keys").refused(403, "other deployments")
	scoped.get("audit").ok()
	scoped.query("audit", "deployment_id="+other).refused(403, "other deployments")
	scoped.post(`{"type":"r","description":"x"}`, "deployments", mine, "access_tokens").ok()
	// A token of one deployment cannot be reached through another.
	admin.get("deployments", other, "access_tokens", tokens["r"]).refused(404, "the deployment has no access token")
	admin.del("deployments", other, "access_tokens", tokens["r"]).refused(404, "the deployment has no access token")
}

func TestWhatIsNotThereIs404AndWrongMethodsAre405(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	for _, path := range []string{
		"/api", "/api/", "/api/v1", "/api/v1/", "/api/v2/deployments", "/api/v1/deployment", "/api/v1/deployments/", "/api/v1/deployments/" + id + "/",
		"//api/v1/deployments", "/api//v1/deployments", "/api/v1//deployments", "/api/v1/../v1/deployments", "/api/v1/./deployments",
		"/api/v1/deployments/../deployments", "/api/v1/%2e%2e/v1/deployments", "/api/v1/deployments%2F", "/api/v1/deployments//access_tokens",
		"/API/v1/deployments", "/api/v1/deployments/" + id + "/rule-sets", "/api/v1/deployments/" + id + "/access-tokens",
	} {
		for _, method := range []string{"GET", "POST"} {
			got := c.with(http.Header{"X-Vm-Cloud-Access": {c.key}}, method, path, "")
			got.refused(404, "no such path")
			if got.header.Get("Location") != "" {
				t.Errorf("%s leads to %s", path, got.header.Get("Location"))
			}
		}
	}
	f := func(method, allow string, path ...string) {
		t.Helper()
		if got := c.send(method, "", path...).refused(405, allow); got.header.Get("Allow") != allow {
			t.Errorf("%s %v: Allow is %q, want %q", method, path, got.header.Get("Allow"), allow)
		}
	}
	f("POST", "GET, HEAD, PUT, DELETE", "deployments", id)
	f("PATCH", "GET, HEAD, PUT, DELETE", "deployments", id)
	f("DELETE", "GET, HEAD, POST", "deployments")
	f("OPTIONS", "GET, HEAD, POST", "deployments")
	f("PUT", "GET, HEAD, POST, DELETE", "deployments", id, "rule-sets", "files", "a.yml")
	f("POST", "GET, HEAD", "tiers")

	for _, unknown := range []string{"prod", "single", "00000000-0000-0000-0000-000000000000", "{" + id + "}", strings.ReplaceAll(id, "-", ""), "urn:uuid:" + id} {
		c.get("deployments", unknown).refused(404, "no deployment with this ID")
	}
}

func TestAnswersAreForNoCacheAndNoBrowser(t *testing.T) {
	c := newSite(t).admin()
	got := c.get("deployments").ok()
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Access-Control-Allow-Origin": "", "Set-Cookie": "",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
}

// A base URL may have a path prefix, which a reverse proxy takes away.
func TestTheClientWorksBehindAPathPrefix(t *testing.T) {
	s := newSite(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/some/prefix", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}))
	t.Cleanup(proxy.Close)
	key := s.key("admin")
	for _, base := range []string{s.url, s.url + "/", proxy.URL + "/some/prefix", proxy.URL + "/some/prefix/"} {
		client{t, base, key}.get("deployments").ok()
	}
}

func TestBodiesThatAreTooLargeAreRefusedInOneLine(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	file := func(size int) string { return rules + "#" + strings.Repeat("x", size-len(rules)-1) }
	path := []string{"deployments", id, "rule-sets", "files", "large.yml"}
	c.post(file(25<<20), path...).refused(413, "larger than 20480 KB")
	c.post(file(gatehouse.MostRuleBytes+1), path...).refused(413, "larger than 20480 KB")
	c.get(path...).refused(404, "no rule file")
	c.post(file(gatehouse.MostRuleBytes), path...).ok()
	if got := c.get(path...); len(got.body) != gatehouse.MostRuleBytes {
		t.Errorf("the file has %d bytes", len(got.body))
	}
	large := fmt.Sprintf(`{"type":"r","description":%q}`, strings.Repeat("x", 64<<10))
	c.post(large, "deployments", id, "access_tokens").refused(413, "larger than 64 KB")

	// Without a length, too.
	req := newRequest(t, "POST", s.url+"/api/v1/deployments", "")
	req.Header.Set("X-VM-Cloud-Access", c.key)
	req.Body = http.NoBody
	req.ContentLength = -1
	req.Body = readCloser{strings.NewReader(large)}
	c.do(req).refused(413, "larger than 64 KB")
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestCompressedBodiesAreRefused(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if err := json.NewEncoder(z).Encode(map[string]string{"name": "x"}); err != nil {
		t.Fatal(err)
	}
	z.Close()
	header := http.Header{"X-Vm-Cloud-Access": {c.key}, "Content-Encoding": {"gzip"}}
	c.with(header, "POST", "/api/v1/deployments", packed.String()).refused(415, "without Content-Encoding")
}

func TestAKeyThatAsksTooOftenIsSlowedDownAndThenRefused(t *testing.T) {
	s := newSite(t, func(c *api.Config) { c.RequestRate = 0.5 })
	c, other := s.admin(), s.admin()
	c.get("tiers").ok() // the burst is 1, and the next is 2 seconds away: it waits
	c.get("tiers").ok()
	answers := make(chan answer, 20)
	for range cap(answers) {
		go func() { answers <- c.get("tiers") }()
	}
	refused := 0
	for range cap(answers) {
		if got := <-answers; got.status != 200 {
			refused++
			got.refused(429, "more than 0.5 requests per second")
			if got.header.Get("Retry-After") == "" {
				t.Error("nothing says when to try again")
			}
		}
	}
	if refused == 0 || refused == cap(answers) {
		t.Errorf("%d of %d requests were refused", refused, cap(answers))
	}
	other.get("tiers").ok() // which is not to blame
}

func TestTriesWithWrongKeysAreLimitedAndShutNobodyElseOut(t *testing.T) {
	s := newSite(t)
	good, fresh := s.admin(), s.admin()
	good.get("tiers").ok()
	var last answer
	for range 100 {
		if last = s.client("vmak_wrong").get("tiers"); last.status == 429 {
			break
		}
		last.refused(401, "mistyped")
	}
	last.refused(429, "wrong API keys")
	if last.header.Get("Retry-After") == "" {
		t.Error("nothing says when to try again")
	}
	good.get("tiers").ok()
	fresh.get("tiers").refused(429, "wrong API keys") // nobody knows it to be right without a look-up
}

func TestTheAddressesOfOneIPv6NetworkTryKeysTogether(t *testing.T) {
	s := newSite(t, func(c *api.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	try := func(addr string) answer {
		header := http.Header{"X-Vm-Cloud-Access": {"vmak_wrong"}, "X-Forwarded-For": {addr}}
		return s.client("").with(header, "GET", "/api/v1/tiers", "")
	}
	var last answer
	for i := range 100 {
		if last = try(fmt.Sprintf("2001:db8:1:2::%x", i)); last.status == 429 {
			break
		}
	}
	last.refused(429, "wrong API keys")
	try("2001:db8:1:3::1").refused(401, "mistyped")
}
