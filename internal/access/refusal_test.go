package access

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func TestWhoIsLetIn(t *testing.T) {
	e := newEndpoint(t, Options{RefusalDelay: time.Millisecond})
	e.single("d", backendServer(t, echo).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)
	const imported = "an-imported secret:with=odd,characters"
	e.add(imported, "d", gatehouse.Read, nil)
	const path = "/api/v1/query?query=1"
	in := func(headers ...string) {
		t.Helper()
		e.get(path, "", headers...).mustBe(t, 200, "GET "+path+" ")
	}
	in("Authorization", "Bearer "+s)
	in("Authorization", "bearer "+s)
	in("Authorization", "Token "+s)
	in("Authorization", basicAuth("anyone:"+s))
	in("X-Amz-Firehose-Access-Key", s)
	in("DD-API-KEY", s)
	in("Api-Key", s)
	in("X-License-Key", s)
	in("Authorization", "Bearer "+imported)
	in("Authorization", basicAuth(":"+imported))

	t.Run("without a credential", func(t *testing.T) {
		a := e.get(path, "")
		a.mustRefuse(t, 401, "Authorization: Bearer")
		if got := a.Header.Values("WWW-Authenticate"); len(got) != 1 || got[0] != `Bearer realm="gatehouse"` {
			t.Errorf("WWW-Authenticate: %q", got)
		}
		e.get("/api/v1/query?token="+s+"&access_token="+s+"&authKey="+s, "").mustRefuse(t, 401, "")
		e.get("/health", "").mustRefuse(t, 401, "")
	})
	t.Run("with a bad one, whatever is wrong with it", func(t *testing.T) {
		gone := e.token("d", gatehouse.Read, nil)
		e.get(path, gone).mustBe(t, 200, "GET "+path+" ")
		e.revoke(gone)
		key := secret.New(secret.APIKey).Reveal()
		e.add(key, "d", gatehouse.ReadWrite, nil) // must not work even if it were known
		var first string
		for what, value := range map[string]string{
			"unknown":            secret.New(secret.AccessToken).Reveal(),
			"malformed":          s[:len(s)-1],
			"an API key":         key,
			"revoked":            gone,
			"of foreign format":  "never heard of",
			"given in two lines": "",
		} {
			a := e.get(path, value)
			if value == "" {
				a = e.get(path, s, "Authorization", "Bearer "+s)
			}
			a.mustRefuse(t, 401, "not valid")
			a.mustRefuse(t, 401, "an API key (vmak_…) does not work here")
			if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="gatehouse", error="invalid_token"` {
				t.Errorf("%s: WWW-Authenticate: %q", what, got)
			}
			if first == "" {
				first = a.body
			}
			if a.body != first {
				t.Errorf("%s is told apart: %s", what, a.body)
			}
		}
		// The operator sees which, and nobody sees the secret.
		log := e.log.String()
		for _, reason := range []string{"unknown", "malformed", "api_key", "revoked"} {
			if !strings.Contains(log, "reason="+reason+" addr=127.0.0.1") {
				t.Errorf("the log does not say %s", reason)
			}
			if n := e.metric(`gatehouse_access_bad_credentials_total{flaw="` + reason + `"}`); n == "0" || n == "" {
				t.Errorf("the metric does not count %s", reason)
			}
		}
		if !strings.Contains(log, "key="+secret.Mask(gone)) || strings.Contains(log, gone[5:12]) || strings.Contains(log, key[5:12]) {
			t.Error("the log must show the first four random characters, and no more")
		}
	})
	t.Run("a browser is asked for a password", func(t *testing.T) {
		a := e.get("/vmui/", "", "Accept", "text/html,*/*")
		a.mustRefuse(t, 401, "")
		if got := a.Header.Values("WWW-Authenticate"); len(got) != 2 || got[1] != `Basic realm="gatehouse"` {
			t.Errorf("WWW-Authenticate: %q", got)
		}
	})
	t.Run("a flood of bad credentials does not flood the log", func(t *testing.T) {
		for range 3 * quietLines {
			e.get(path, "a wrong secret").mustRefuse(t, 401, "")
		}
		if n := strings.Count(e.log.String(), "refused a credential"); n > 2*quietLines {
			t.Errorf("%d lines", n)
		}
	})
}

func TestRefusals(t *testing.T) {
	e := newEndpoint(t, Options{})
	reached := 0
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) { reached++ }).URL)
	r, w, rw := e.token("d", gatehouse.Read, nil), e.token("d", gatehouse.Write, nil), e.token("d", gatehouse.ReadWrite, nil)

	a := e.post("/api/v1/write", r, "x")
	a.mustRefuse(t, 403, "needs write access")
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="gatehouse", error="insufficient_scope"` {
		t.Errorf("WWW-Authenticate: %q", got)
	}
	e.get("/api/v1/query", w).mustRefuse(t, 403, "needs read access")
	e.get("/metrics", rw).mustRefuse(t, 403, "no access token may use this path")
	e.post("/api/v1/admin/tsdb/delete_series", rw, "match[]=x").mustRefuse(t, 403, "")
	e.get("/api/v1/querry", rw).mustRefuse(t, 404, "the nearest known path is /api/v1/query")
	e.get("/api/v1/%2e%2e/querry", rw).mustRefuse(t, 404, "malformed")
	e.get("/%00", rw).mustRefuse(t, 404, "malformed")
	e.post("/api/v1/write", rw, "x", "Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request").mustRefuse(t, 415, "remote write 1.0")
	e.post("/api/v1/write", r, "x", "Content-Type", "application/x-protobuf;proto=io.prometheus.write.v2.Request").mustRefuse(t, 403, "")

	t.Run("a hint never repeats what a client put into the path", func(t *testing.T) {
		if a := e.get("/"+rw+"/api/v1/write", rw); strings.Contains(a.body, rw[5:12]) {
			t.Errorf("%s", a.body)
		}
	})
	t.Run("the id of a scrape target", func(t *testing.T) {
		for _, query := range []string{"?id=x", "?metric=a&id=", "?%69d=x", "?a;id=x", "?x=%zz"} {
			e.get("/metric-relabel-debug"+query, r).mustRefuse(t, 403, "id")
		}
		form := []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}
		e.post("/metric-relabel-debug", r, "metric=a&id=x", form...).mustRefuse(t, 403, "id")
		e.post("/prometheus/metric-relabel-debug", r, "%69d=x", form...).mustRefuse(t, 403, "id")
		e.post("/metric-relabel-debug", r, "x="+strings.Repeat("y", headSize)+"&id=x", form...).mustRefuse(t, 403, "id")
		e.post("/metric-relabel-debug", r, "--b\r\nContent-Disposition: form-data; name=id\r\n\r\nx\r\n--b--\r\n", "Content-Type", "multipart/form-data; boundary=b").mustRefuse(t, 403, "id")
	})
	if reached != 0 {
		t.Fatalf("%d of the refused requests reached the backend", reached)
	}
	e.post("/metric-relabel-debug", r, "metric=up&relabel_configs=x", "Content-Type", "application/x-www-form-urlencoded").mustBe(t, 200, "")
	e.get("/metric-relabel-debug?metric=up&identity=x", r).mustBe(t, 200, "")

	t.Run("a deployment that is not there", func(t *testing.T) {
		orphan := e.token("unheard of", gatehouse.Read, nil)
		a := e.get("/api/v1/query", orphan)
		a.mustRefuse(t, 503, "not running")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "managed", Name: "managed", Type: gatehouse.SingleNode, Managed: true}})
		managed := e.token("managed", gatehouse.Read, nil)
		e.get("/api/v1/query", managed).mustRefuse(t, 503, "not running")
		e.table.SetEngine("managed", &Engine{URL: backendServer(t, echo).URL})
		e.get("/api/v1/query", managed).mustBe(t, 200, "GET /api/v1/query ")
		e.table.SetEngine("managed", nil)
		e.get("/api/v1/query", managed).mustRefuse(t, 503, "not running")
	})
}

func TestTheEndpointAnswersItself(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s reached the backend", r.Method, r.URL)
	}).URL)
	s := e.token("d", gatehouse.Write, nil)
	e.get("/health", s).mustBe(t, 200, "OK")
	e.get("/robots.txt", s).mustBe(t, 200, "User-agent: *\nDisallow: /\n")

	for _, path := range []string{"/api/v1/query", "/api/v1/admin/tsdb/delete_series", "*"} {
		r := e.request("OPTIONS", "/", "", nil, "Origin", "http://evil.test", "Access-Control-Request-Method", "POST")
		r.URL.Path, r.URL.Opaque = path, map[bool]string{true: "*"}[path == "*"]
		a := e.do(r)
		a.mustBe(t, 204, "")
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("OPTIONS %s: %s: %s", path, name, a.Header.Get(name))
			}
		}
	}

	t.Run("rules and alerts of a tenant", func(t *testing.T) {
		e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "c", Name: "c", Type: gatehouse.Cluster}})
		s := e.token("c", gatehouse.Read, tenant7)
		a := e.get("/prometheus/api/v1/rules", s)
		a.mustBe(t, 200, `{"status":"success","data":{"groups":[]}}`)
		if a.Header.Get("Content-Type") != "application/json" {
			t.Error(a.Header)
		}
		if uses := e.table.DrainUses(); len(uses) != 2 {
			t.Errorf("%d tokens used; want 2", len(uses))
		}
	})
}
