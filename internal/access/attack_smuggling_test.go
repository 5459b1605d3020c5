package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// TestNoRequestIsSmuggled sends what two servers might cut into requests in different places. Behind each follows a stranger, who
// must never be judged by the credential before.
func TestNoRequestIsSmuggled(t *testing.T) {
	e := newTarget(t, Options{MaxQueueDuration: time.Second})
	s := e.token("single", gatehouse.ReadWrite, nil)
	post := "POST /api/v1/import/prometheus HTTP/1.1\r\n" + bearing(s)
	hidden := "GET /api/v1/export HTTP/1.1\r\nHost: x\r\n\r\n" // would be read with the attacker's credential if at all

	// Turned away: nothing reaches the backend.
	for what, raw := range map[string]string{
		"two lengths":                           post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
		"two lengths in one line":               post + "Content-Length: 1, 2\r\n\r\nxy",
		"the same length twice in one line":     post + "Content-Length: 1, 1\r\n\r\nx",
		"a negative length":                     post + "Content-Length: -1\r\n\r\nx",
		"a signed length":                       post + "Content-Length: +1\r\n\r\nx",
		"a length in hexadecimal":               post + "Content-Length: 0x1\r\n\r\nx",
		"a length with a space in it":           post + "Content-Length: 1 2\r\n\r\nx",
		"a length with an underscore":           post + "Content-Length: 1_0\r\n\r\nx",
		"an endless length":                     post + "Content-Length: 18446744073709551617\r\n\r\nx",
		"an empty length":                       post + "Content-Length: \r\n\r\nx",
		"a bad length beside chunks":            post + "Content-Length: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked, identity":                     post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"identity, chunked":                     post + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
		"identity":                              post + "Transfer-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
		"gzip, chunked":                         post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"chunked twice":                         post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"chunked and identity":                  post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		"xchunked":                              post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		"quoted chunked":                        post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
		"chunked with a vertical tab":           post + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
		"chunked with a parameter":              post + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n",
		"no encoding":                           post + "Transfer-Encoding:\r\n\r\n0\r\n\r\n",
		"a space before the colon":              post + "Content-Length : 1\r\n\r\nx",
		"a tab before the colon":                post + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n",
		"a first line that is folded":           "POST /api/v1/write HTTP/1.1\r\n X: y\r\n" + bearing(s) + "\r\n",
		"a line without colon":                  post + "Content-Length\r\n\r\n",
		"an empty name":                         post + ": x\r\n\r\n",
		"NUL in a name":                         post + "X\x00: y\r\n\r\n",
		"NUL in a value":                        post + "X: y\x00z\r\n\r\n",
		"CR in a value":                         post + "X: a\rContent-Length: 5\r\n\r\nhello",
		"CR instead of a line's end":            strings.ReplaceAll(post, "\r\n", "\r") + "\r\r",
		"a letter that is not ASCII in a name":  post + "Content-L\xc3\xa9ngth: 1\r\n\r\nx",
		"a chunk without a size":                post + "Transfer-Encoding: chunked\r\n\r\n\r\nx\r\n0\r\n\r\n",
		"a negative chunk":                      post + "Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
		"a signed chunk":                        post + "Transfer-Encoding: chunked\r\n\r\n+1\r\nx\r\n0\r\n\r\n",
		"a chunk size with 0x":                  post + "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
		"a chunk size that overflows":           post + "Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\nx\r\n0\r\n\r\n",
		"a chunk size of many zeroes":           post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 5000) + "1\r\nx\r\n0\r\n\r\n",
		"a chunk longer than it says":           post + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n",
		"a chunk size that ends in a bare LF":   post + "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
		"a chunk that ends in a bare LF":        post + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n",
		"a chunk extension with a bare LF":      post + "Transfer-Encoding: chunked\r\n\r\n1;a\nb\r\nx\r\n0\r\n\r\n",
		"a chunk extension without end":         post + "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("a", 10_000) + "\r\nx\r\n0\r\n\r\n",
		"a trailer that sets the length":        post + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
		"a body that stops":                     post + "Content-Length: 1000\r\n\r\n" + hidden,
		"a chunk that stops":                    post + "Transfer-Encoding: chunked\r\n\r\nfff\r\n" + hidden,
		"HTTP/0.9":                              "GET /api/v1/export\r\n",
		"HTTP/2 without TLS":                    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"HTTP/2 by its name":                    "GET /api/v1/export HTTP/2.0\r\n" + bearing(s) + "\r\n",
		"HTTP/1.2":                              "GET /api/v1/export HTTP/1.2x\r\n" + bearing(s) + "\r\n",
		"two spaces in the request line":        "GET  /api/v1/export HTTP/1.1\r\n" + bearing(s) + "\r\n",
		"a tab in the request line":             "GET\t/api/v1/export\tHTTP/1.1\r\n" + bearing(s) + "\r\n",
		"a space in the target":                 "GET /api/v1/export /x HTTP/1.1\r\n" + bearing(s) + "\r\n",
		"a method that is no word":              "G@T /api/v1/export HTTP/1.1\r\n" + bearing(s) + "\r\n",
		"no host":                               "GET /api/v1/export HTTP/1.1\r\nAuthorization: Bearer " + s + "\r\n\r\n",
		"two hosts":                             "GET /api/v1/export HTTP/1.1\r\nHost: y\r\n" + bearing(s) + "\r\n",
		"a host with a path":                    "GET /api/v1/export HTTP/1.1\r\nHost: a/b?c\r\nAuthorization: Bearer " + s + "\r\n\r\n",
		"an expectation that nobody can meet":   post + "Expect: a-miracle\r\nContent-Length: 1\r\n\r\nx",
		"a tunnel to a path":                    "CONNECT /api/v1/query HTTP/1.1\r\n" + bearing(s) + "\r\n",
		"a tunnel to a host":                    "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + bearing(s) + "\r\n",
		"a trace, which shows what was sent on": "TRACE /api/v1/query HTTP/1.1\r\n" + bearing(s) + "\r\n",
	} {
		t.Run(what, func(t *testing.T) {
			answers := e.attack(t, raw)
			if got := e.backend.take(); len(got) != 0 {
				t.Errorf("the backend sees %q", got[0].raw)
			}
			for _, a := range answers {
				if a.StatusCode < 400 {
					t.Errorf("%v", answers.statuses())
				}
			}
		})
	}

	// Let in: the backend sees one request, written anew, with this body; then the stranger is refused.
	for what, raw := range map[string]string{
		"the same length twice":            post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nx 1",
		"a length with zeroes before":      post + "Content-Length: 003\r\n\r\nx 1",
		"chunks":                           post + "Transfer-Encoding: chunked\r\n\r\n2\r\nx \r\n1\r\n1\r\n0\r\n\r\n",
		"chunked in capitals after a tab":  post + "Transfer-Encoding:\tCHUNKED \r\n\r\n3\r\nx 1\r\n0\r\n\r\n",
		"a length beside chunks":           post + "Content-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nx 1\r\n0\r\n\r\n",
		"chunks beside a length":           post + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n3\r\nx 1\r\n0\r\n\r\n",
		"chunks with extensions":           post + "Transfer-Encoding: chunked\r\n\r\n3;a=b;c=\"\r\nx 1\r\n0;d\r\n\r\n",
		"a folded header":                  post + "X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nx 1",
		"an encoding with an underscore":   post + "Transfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nx 1",
		"lines that end in a bare LF":      strings.ReplaceAll(post, "\r\n", "\n") + "Content-Length: 3\n\nx 1",
		"a request in the body":            post + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(hidden)) + hidden,
		"GET with a body":                  "GET /api/v1/import/prometheus HTTP/1.1\r\n" + bearing(s) + "Content-Length: 3\r\n\r\nx 1",
		"a body after Connection's orders": post + "Connection: keep-alive, Content-Length, Transfer-Encoding\r\nContent-Length: 3\r\n\r\nx 1",
		"a body that waits to be expected": post + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nx 1",
		"an offer of h2c with a body":      post + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 3\r\n\r\nx 1",
	} {
		t.Run(what, func(t *testing.T) {
			answers := e.attack(t, raw)
			seen := e.backend.take()
			if len(seen) != 1 || seen[0].path != "/api/v1/import/prometheus" || seen[0].body != "x 1" && seen[0].body != hidden {
				t.Fatalf("the backend sees %q", seen)
			}
			seen[0].mustNotBetray(t, s)
			if got := answers.statuses(); !slices.Equal(got, []int{200, 401}) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestAFrontThatIgnoresChunksCannotBeSplitFrom(t *testing.T) {
	// HTTP/1.0 knows no chunks. A message that has them nevertheless is framed wrongly for somebody, and the connection must end
	// with it, RFC 9112 section 6.1.
	e := newTarget(t, Options{})
	s := e.token("single", gatehouse.ReadWrite, nil)
	hidden := "GET /api/v1/export HTTP/1.1\r\n" + bearing(s) + "\r\n"
	answers := e.attack(t, "POST /api/v1/import/prometheus HTTP/1.0\r\n"+bearing(s)+"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"+
		hidden)
	for _, r := range e.backend.take() {
		if r.path != "/api/v1/import/prometheus" {
			t.Errorf("the backend sees what came as a body: %q", r.raw)
		}
	}
	if len(answers) != 1 || !answers[0].Close {
		t.Errorf("%v", answers.statuses())
	}
}

func TestPipelinedRequestsAreJudgedEachByItself(t *testing.T) {
	e := newTarget(t, Options{})
	r, w := e.token("single", gatehouse.Read, nil), e.token("single", gatehouse.Write, nil)
	tenant := e.token("cluster", gatehouse.ReadWrite, tenant7)
	get := func(path, s string) string { return "GET " + path + " HTTP/1.1\r\n" + bearing(s) + "\r\n" }
	anonymous := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }

	answers := e.attack(t, get("/api/v1/export", r)+anonymous("/api/v1/export/csv")+get("/api/v1/export/native", w)+get("/metrics", r)+
		get("/prometheus/api/v1/query", tenant)+get("/api/v1/write", w)+get("/select/8/prometheus/api/v1/query", tenant))
	if got := answers.statuses(); !slices.Equal(got, []int{200, 401, 403, 403, 200, 200, 403, 401}) {
		t.Errorf("%v", got)
	}
	var paths []string
	for _, r := range e.backend.take() {
		paths = append(paths, r.path)
	}
	if !slices.Equal(paths, []string{"/api/v1/export", "/select/7/prometheus/api/v1/query", "/api/v1/write"}) {
		t.Errorf("the backend sees %q", paths)
	}

	t.Run("also behind one whose body nobody read", func(t *testing.T) {
		body := get("/api/v1/export", r)
		answers := e.attack(t, fmt.Sprintf("POST /metrics HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s", bearing(r), len(body), body))
		if got := answers.statuses(); !slices.Equal(got, []int{403, 401}) {
			t.Errorf("%v", got)
		}
		if got := e.backend.take(); len(got) != 0 {
			t.Errorf("the backend sees the body as a request: %q", got[0].raw)
		}
	})
	t.Run("also behind one whose broken body nobody read", func(t *testing.T) {
		e.attack(t, "POST /metrics HTTP/1.1\r\n"+bearing(r)+"Transfer-Encoding: chunked\r\n\r\nzz\r\n"+get("/api/v1/export", r))
		if got := e.backend.take(); len(got) != 0 {
			t.Errorf("the backend sees the body as a request: %q", got[0].raw)
		}
	})
}

// TestTrailersBringNothingIn sends in trailers what is removed from headers.
func TestTrailersBringNothingIn(t *testing.T) {
	e := newTarget(t, Options{})
	s := e.token("cluster", gatehouse.ReadWrite, tenant7)
	trailers := "Authorization: Bearer " + s + "\r\nDD-API-KEY: " + s + "\r\nAccountID: 8\r\nProjectID: 9\r\nX-Forwarded-For: 1.1.1.1\r\n"
	announced := "Trailer: Authorization, DD-API-KEY, AccountID, ProjectID, X-Forwarded-For\r\n"
	for what, size := range map[string]int{"a short body": 3, "a body longer than its head": 3 * headSize} {
		for _, announce := range []string{announced, ""} {
			t.Run(what, func(t *testing.T) {
				body := strings.Repeat("x", size)
				answers := e.attack(t, "POST /prometheus/api/v1/import HTTP/1.1\r\n"+bearing(s)+announce+"Transfer-Encoding: chunked\r\n\r\n"+
					fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n", size, body, trailers))
				seen := e.backend.take()
				if len(seen) != 1 || seen[0].path != "/insert/7/prometheus/api/v1/import" || seen[0].body != body {
					t.Fatalf("%v; the backend sees %d requests", answers.statuses(), len(seen))
				}
				seen[0].mustNotBetray(t, s)
				if tail := strings.ToLower(seen[0].raw); strings.Contains(tail, "accountid") || strings.Contains(tail, "1.1.1.1") {
					t.Errorf("the backend sees the trailers: %q", seen[0].raw[max(0, len(tail)-300):])
				}
			})
		}
	}
	t.Run("nor do they let a stranger in", func(t *testing.T) {
		answers := e.attack(t, "POST /prometheus/api/v1/import HTTP/1.1\r\nHost: x\r\n"+announced+"Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n"+trailers+"\r\n")
		if got := answers.statuses(); !slices.Equal(got, []int{401, 401}) {
			t.Errorf("%v", got)
		}
	})
}
