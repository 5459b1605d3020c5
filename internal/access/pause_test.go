package access

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// overTLS serves the endpoint once more, and gives a client for it that speaks HTTP/2 or 1.
func (e *endpoint) overTLS(http2 bool) (*httptest.Server, *http.Client) {
	s := httptest.NewUnstartedServer(nil)
	s.Config = NewServer(e.handler)
	s.Config.Protocols.SetHTTP2(http2)
	s.EnableHTTP2 = http2
	s.StartTLS()
	e.t.Cleanup(s.Close)
	transport := &http.Transport{ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	e.t.Cleanup(transport.CloseIdleConnections)
	return s, &http.Client{Transport: transport}
}

// TestABackendMayPauseForLongerThanAClientMay has one that waits before and within its answer, and one that takes a body slowly.
func TestABackendMayPauseForLongerThanAClientMay(t *testing.T) {
	t.Parallel()
	const stall, pause = 300 * time.Millisecond, 700 * time.Millisecond
	e := newEndpoint(t, Options{StallTimeout: stall})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		if r.Method == http.MethodPost {
			_ = c.EnableFullDuplex()
			n := 0
			for piece := make([]byte, 1<<20); ; time.Sleep(pause) {
				m, err := io.ReadFull(r.Body, piece)
				if n += m; err != nil {
					break
				}
			}
			fmt.Fprint(w, n)
			return
		}
		for _, piece := range []string{"", "one ", "two"} {
			_, _ = io.WriteString(w, piece)
			_ = c.Flush()
			time.Sleep(pause)
		}
	}).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)
	body := strings.Repeat("x", 3<<20)
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		server, client := e.overTLS(proto == "HTTP/2.0")
		for method, want := range map[string]string{"GET": "one two", "POST": fmt.Sprint(len(body))} {
			t.Run(proto+" "+method, func(t *testing.T) {
				path := map[string]string{"GET": "/api/v1/query", "POST": "/api/v1/write"}[method]
				r, err := http.NewRequest(method, server.URL+path, strings.NewReader(map[string]string{"POST": body}[method]))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Authorization", "Bearer "+s)
				res, err := client.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, err := io.ReadAll(res.Body)
				if err != nil || string(got) != want || res.Proto != proto {
					t.Errorf("%s %q, %v; want %q", res.Proto, got, err, want)
				}
			})
		}
	}
}

// TestAClientThatTakesNothingIsGivenUpInHTTP2 has one whose window is full: it reads the header, and then no more.
func TestAClientThatTakesNothingIsGivenUpInHTTP2(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{StallTimeout: 300 * time.Millisecond})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
				return
			}
		}
	}).URL)
	server, client := e.overTLS(true)
	r, err := http.NewRequest("GET", server.URL+"/api/v1/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e.token("d", gatehouse.Read, nil))
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	eventually(t, "the request is given up", func() bool { return e.metric("gatehouse_access_running_requests") == "0" })
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the answer seems complete")
	}
}
