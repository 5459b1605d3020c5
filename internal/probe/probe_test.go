package probe_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/probe"
)

const testSecret = "vmat_7e22k3Jq9ZxW0aBcDeFgHiJkLmNoPqRsTuVwXy"

// writeTo is a target whose token may only write.
func writeTo(url string) probe.Target {
	return probe.Target{ImportURL: url + "/api/v1/import/prometheus", Secret: testSecret}
}

// readFrom is a target whose token may only read.
func readFrom(url string) probe.Target {
	return probe.Target{QueryURL: url + "/api/v1/query", Secret: testSecret}
}

// fails runs a test that must fail with the text in its last step, and without the secret in any.
func fails(t *testing.T, target probe.Target, want string) {
	t.Helper()
	steps := probe.Prober{Wait: 100 * time.Millisecond}.Run(t.Context(), target)
	last := steps[len(steps)-1]
	if last.OK || probe.OK(steps) || !strings.Contains(last.Text, want) {
		t.Errorf("the test says %+v, want %q", last, want)
	}
	for _, s := range steps {
		if strings.Contains(s.Text, testSecret) || s.Cause != nil && strings.Contains(s.Cause.Error(), testSecret) {
			t.Errorf("the test tells the secret: %+v", s)
		}
	}
}

// answering is a server that answers every request in the same way.
func answering(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		// Whatever the other side says stays out of the page, above all the secret that it was told.
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "SECRET", r.Header.Get("Authorization")))
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestEndpointsThatCannotBeReachedAreExplained(t *testing.T) {
	fails(t, writeTo("http://"+freeAddress(t)), "Nothing listens at http://127.0.0.1:")
	fails(t, readFrom("http://"+freeAddress(t)), "--access-endpoint-url")
	fails(t, writeTo("http://gatehouse-that-is-nowhere.invalid:8427"), "The host name in http://gatehouse-that-is-nowhere.invalid:8427 is not known")
}

func TestAnEndpointThatIsSilentIsGivenUp(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	fails(t, writeTo("http://"+ln.Addr().String()), "did not answer within 5 seconds")
}

func TestAnEndpointThatHangsUpIsExplained(t *testing.T) {
	fails(t, writeTo(answering(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })), "broke the connection off")
}

func TestTroubleWithTLSIsExplained(t *testing.T) {
	quiet := func(s *httptest.Server) *httptest.Server {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(s.Close)
		return s
	}
	unknown := quiet(httptest.NewUnstartedServer(status(http.StatusNoContent, "")))
	unknown.StartTLS()
	fails(t, writeTo(unknown.URL), "does not trust who signed the certificate")
	fails(t, writeTo(strings.Replace(unknown.URL, "https", "http", 1)), "speaks TLS: the address must begin with https")

	plain := answering(t, status(http.StatusNoContent, ""))
	fails(t, writeTo(strings.Replace(plain, "http", "https", 1)), "does not speak TLS")

	old := quiet(httptest.NewUnstartedServer(status(http.StatusNoContent, "")))
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS10, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	fails(t, writeTo(old.URL), "agree on no version")
}

func TestCertificatesForOthersAndOldOnesAreExplained(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		got := probe.Unreachable("https://metrics.example.com/api/v1/write", &tls.CertificateVerificationError{Err: err})
		if !strings.Contains(got, want) {
			t.Errorf("%v is explained as %q, want %q", err, got, want)
		}
	}
	certificate := &x509.Certificate{DNSNames: []string{"other.example.com"}}
	f(x509.HostnameError{Certificate: certificate, Host: "metrics.example.com"}, "made for another name")
	f(x509.CertificateInvalidError{Cert: certificate, Reason: x509.Expired}, "has expired")
	f(x509.CertificateInvalidError{Cert: certificate, Reason: x509.NotAuthorizedToSign}, "is not valid")
}

func TestWhatIsNotGatehouseIsFound(t *testing.T) {
	for _, code := range []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		at := answering(t, status(code, "<html>SECRET</html>"))
		fails(t, writeTo(at), "Something else than Gatehouse answers at "+at)
	}
	fails(t, readFrom(answering(t, status(http.StatusOK, "<html>Welcome SECRET</html>"))), "Something else than Gatehouse")
	fails(t, readFrom(answering(t, status(http.StatusOK, `{"status":"SECRET"}`))), "Something else than Gatehouse")
	fails(t, writeTo(answering(t, status(http.StatusBadGateway, "nginx SECRET"))), "does not come from Gatehouse itself")
	fails(t, writeTo(answering(t, status(http.StatusMovedPermanently, "", "Location", "https://elsewhere.example.com/SECRET"))), "leads to another address (301)")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the test was led to another server, with the credential %q", r.Header.Get("Authorization"))
	})
	for _, code := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		fails(t, writeTo(answering(t, status(code, "", "Location", elsewhere+"/api/v1/import/prometheus"))), "leads to another address")
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	proxy := answering(t, func(http.ResponseWriter, *http.Request) { t.Error("the test went through a proxy") })
	for _, name := range []string{"HTTP_PROXY", "http_proxy"} {
		t.Setenv(name, proxy)
	}
	os.Unsetenv("NO_PROXY")
	fails(t, writeTo("http://gatehouse-that-is-nowhere.invalid"), "is not known")
}

func TestRefusalsOfTheEndpointAreExplained(t *testing.T) {
	f := func(code int, errorType, challenge, want string) {
		t.Helper()
		target := writeTo(answering(t, status(code, `{"status":"error","errorType":"`+errorType+`","error":"SECRET"}`, "WWW-Authenticate", challenge)))
		target.State = gatehouse.State{Status: gatehouse.Failed, Detail: "VictoriaMetrics refuses the connection; start it"}
		fails(t, target, want)
	}
	const state = "The deployment is in the state Error. Gatehouse says: VictoriaMetrics refuses the connection; start it."
	f(401, "unauthorized", `Bearer realm="gatehouse", error="invalid_token"`, "does not know this token (401)")
	f(401, "unauthorized", `Bearer realm="gatehouse"`, "removes the header Authorization")
	f(403, "forbidden", "", "may not do this (403)")
	f(404, "not_found", "", "arrived changed (404)")
	f(429, "too_many_requests", "", "(429)")
	f(502, "unavailable", "", state)
	f(503, "unavailable", "", state)
	f(504, "timeout", "", state)
}

// store answers as VictoriaMetrics does; the sample can be read after some queries.
func store(t *testing.T, after int) string {
	var mu sync.Mutex
	var sample string
	return answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/import/prometheus") {
			body, _ := io.ReadAll(r.Body)
			sample = strings.TrimSuffix(string(body), " 1\n")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		after--
		if r.FormValue("query") == sample && after < 0 {
			_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{}]}}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	})
}

func TestASampleThatShowsLateIsWaitedFor(t *testing.T) {
	at := store(t, 2)
	steps := probe.Prober{}.Run(t.Context(), probe.Target{ImportURL: at + "/api/v1/import/prometheus", QueryURL: at + "/api/v1/query", Secret: testSecret})
	if !probe.OK(steps) || len(steps) != 2 {
		t.Errorf("the test says %+v", steps)
	}
}

func TestASampleThatNeverShowsIsSaidSo(t *testing.T) {
	at := store(t, 1_000_000)
	fails(t, probe.Target{ImportURL: at + "/api/v1/import/prometheus", QueryURL: at + "/api/v1/query", Secret: testSecret}, "stored, but could not be read")
}
