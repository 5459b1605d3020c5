package access

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
)

// evaluator serves the Evaluator of the deployment "d", whose backend is h, over real connections.
func evaluator(t *testing.T, o Options, h http.HandlerFunc) (*endpoint, *httptest.Server) {
	e := newEndpoint(t, o)
	e.single("d", backendServer(t, h).URL)
	srv := httptest.NewServer(e.handler.Evaluator("d"))
	t.Cleanup(srv.Close)
	return e, srv
}

// askAsVmalert queries as vmalert does, and reads all of the answer.
func (e *endpoint) askAsVmalert(srv *httptest.Server, header http.Header) (resp *http.Response, body string, err error) {
	e.t.Helper()
	req, _ := http.NewRequest("POST", srv.URL+"/prometheus/api/v1/query?query=up", nil)
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err = srv.Client().Do(req) // asks for gzip, and unpacks it
	if err != nil {
		e.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func TestVmalertIsSparedAnAnswerThatFillsItsMemory(t *testing.T) {
	e, srv := evaluator(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		zeros := strings.Repeat("0", 1<<20)
		for range 64 {
			if _, err := io.WriteString(w, zeros); err != nil {
				return
			}
		}
	})
	if _, body, err := e.askAsVmalert(srv, nil); err == nil || len(body) > mostRuleAnswer {
		t.Errorf("vmalert gets %d bytes, and the error %v", len(body), err)
	}
	eventually(t, "the log says so", func() bool { return strings.Contains(e.log.String(), "longer than 16 MiB") })
}

func TestAnAnswerThatSaysHowLongItIsIsRefusedInWords(t *testing.T) {
	e, srv := evaluator(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(mostRuleAnswer+1))
		w.WriteHeader(http.StatusOK)
	})
	if resp, body, err := e.askAsVmalert(srv, nil); resp.StatusCode != 502 || !strings.Contains(body, "longer than 16 MiB") {
		t.Errorf("status %d: %s, %v", resp.StatusCode, body, err)
	}
}

func TestAnAnswerThatJustFitsIsPassedOn(t *testing.T) {
	e, srv := evaluator(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).Flush() // so that its length is not known
		io.WriteString(w, strings.Repeat("0", mostRuleAnswer))
	})
	if _, body, err := e.askAsVmalert(srv, nil); err != nil || len(body) != mostRuleAnswer {
		t.Errorf("vmalert gets %d bytes, and the error %v", len(body), err)
	}
}

func TestVmalertUnpacksNothing(t *testing.T) {
	t.Run("as the backend is not asked to compress", func(t *testing.T) {
		var asked []string
		e, srv := evaluator(t, Options{}, func(w http.ResponseWriter, r *http.Request) { asked = r.Header["Accept-Encoding"] })
		e.askAsVmalert(srv, nil)
		if len(asked) > 0 {
			t.Errorf("it is asked for %q", asked)
		}
	})
	t.Run("and one that does it all the same is refused", func(t *testing.T) {
		e, srv := evaluator(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			pack := gzip.NewWriter(w)
			pack.Write(make([]byte, 1<<20))
			pack.Close()
		})
		if resp, body, _ := e.askAsVmalert(srv, nil); resp.StatusCode != 502 || len(body) > 1000 {
			t.Errorf("status %d, %d bytes", resp.StatusCode, len(body))
		}
	})
}

func TestTheTextOfAnErrorOfARuleIsCut(t *testing.T) {
	for _, known := range []bool{true, false} {
		e, srv := evaluator(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
			text := "bad query " + strings.Repeat("x", 1<<20)
			if known {
				w.Header().Set("Content-Length", strconv.Itoa(len(text)))
			}
			w.WriteHeader(422)
			io.WriteString(w, text)
		})
		if resp, body, err := e.askAsVmalert(srv, nil); err != nil || resp.StatusCode != 422 || len(body) != mostRuleError || !strings.HasPrefix(body, "bad query") {
			t.Errorf("length known: %v: status %d, %d bytes, %v", known, resp.StatusCode, len(body), err)
		}
	}
}

func TestABackendThatStallsFailsTheRuleInTime(t *testing.T) {
	const limit = 300 * time.Millisecond
	t.Run("before its answer", func(t *testing.T) {
		e, srv := evaluator(t, Options{RuleTimeout: limit}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		if resp, body, _ := e.askAsVmalert(srv, nil); resp.StatusCode != 504 || !strings.Contains(body, "took too long") {
			t.Errorf("status %d: %s", resp.StatusCode, body)
		}
	})
	t.Run("in mid-answer", func(t *testing.T) {
		e, srv := evaluator(t, Options{RuleTimeout: limit}, func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"status":`)
			http.NewResponseController(w).Flush()
			<-r.Context().Done()
		})
		if _, body, err := e.askAsVmalert(srv, nil); err == nil {
			t.Errorf("vmalert takes %q for a whole answer", body)
		}
		eventually(t, "the log says so", func() bool { return strings.Contains(e.log.String(), "did not complete its answer to a rule in time") })
		if got := e.metric("gatehouse_access_answers_broken_off_total"); got != "1" {
			t.Errorf("%s answers were broken off", got)
		}
	})
}

func TestHeadersOfARuleGroupForgeNoClient(t *testing.T) {
	var seen http.Header
	e, srv := evaluator(t, Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		func(w http.ResponseWriter, r *http.Request) { seen = r.Header })
	e.askAsVmalert(srv, http.Header{
		"X-Forwarded-For": {"203.0.113.7"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Prefix": {"/evil"},
		"X-Real-Ip": {"203.0.113.7"}, "Forwarded": {"for=203.0.113.7"},
	})
	if seen == nil {
		t.Fatal("the backend was not asked")
	}
	for name, values := range seen {
		if text := strings.Join(values, " "); strings.Contains(text, "203.0.113.7") || strings.Contains(text, "evil") {
			t.Errorf("the backend gets %s: %s", name, text)
		}
	}
}
