package engine

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func connectedTo(urls ...string) gatehouse.Deployment {
	return gatehouse.Deployment{ID: testID, Name: "elsewhere", Type: gatehouse.SingleNode, URLs: urls}
}

// elsewhere is a VictoriaMetrics that answers /health as told.
func elsewhere(t *testing.T) (url string, answer *atomic.Value) {
	t.Helper()
	answer = new(atomic.Value)
	answer.Store(http.HandlerFunc(healthy))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" {
			fmt.Fprintln(w, `vm_app_version{version="victoria-metrics-20260101-000000-tags-v1.140.0-0-gabcdef", short_version="v1.140.0"} 1`)
			return
		}
		answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.URL, answer
}

func healthy(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/health" {
		http.Error(w, "unsupported path", http.StatusBadRequest)
		return
	}
	fmt.Fprint(w, "OK")
}

func TestAConnectedDeploymentFollowsTheHealthOfItsURL(t *testing.T) {
	t.Parallel()
	url, answer := elsewhere(t)
	w := supervise(t, t.TempDir(), t.TempDir())
	w.Apply(created(connectedTo(url + "/")))
	if e := w.await(t, gatehouse.Running); e.State.Version != "v1.140.0" || e.State.Detail != "" || e.Endpoint != nil {
		t.Errorf("it is reported as %+v", e)
	}
	if w.seen()[0].State.Status != gatehouse.Provisioning {
		t.Error("it is not Provisioning before the first answer")
	}

	answer.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }))
	w.awaitFailed(t, url, "HTTP status 503")
	answer.Store(http.HandlerFunc(healthy))
	w.await(t, gatehouse.Running)

	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	answer.Store(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-held }))
	w.awaitFailed(t, url, "does not answer within 3s")
	answer.Store(http.HandlerFunc(healthy))
	w.await(t, gatehouse.Running)

	w.Apply(created(connectedTo(url + "/"))) // the same again
	if n := len(w.seen()); n != 6 {
		t.Errorf("%d states were reported, want 6: %+v", n, w.seen())
	}
}

func TestWhatIsWrongWithAURLIsNamed(t *testing.T) {
	serve := func(status int, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	tlsServer := httptest.NewTLSServer(http.HandlerFunc(healthy))
	t.Cleanup(tlsServer.Close)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	silent, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	go func() {
		for {
			conn, err := silent.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()

	for url, want := range map[string]string{
		fmt.Sprintf("http://127.0.0.1:%d", port): "refuses the connection",
		serve(302, ""):                           "redirect",
		serve(401, ""):                           "asks for a credential",
		serve(200, "<html>Welcome</html>"):       "not VictoriaMetrics",
		tlsServer.URL:                            "unknown authority",
		strings.Replace(serve(200, "OK"), "http", "https", 1):     "does not speak TLS",
		"http://" + silent.Addr().String():                        "closes the connection",
		strings.Replace(tlsServer.URL, "https", "http", 1) + "/x": "HTTP status 400",
	} {
		t.Run(want, func(t *testing.T) {
			w := supervise(t, t.TempDir(), t.TempDir())
			w.Apply(created(connectedTo(url)))
			w.awaitFailed(t, url, want)
		})
	}
}

func TestAClusterServesWhenEachPartHasAURLThatAnswers(t *testing.T) {
	t.Parallel()
	insert, insertAnswer := elsewhere(t)
	selects, _ := elsewhere(t)
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	dead := fmt.Sprintf("http://127.0.0.1:%d", port)

	w := supervise(t, t.TempDir(), t.TempDir())
	d := gatehouse.Deployment{ID: testID, Type: gatehouse.Cluster, InsertURLs: []string{insert}, SelectURLs: []string{dead, selects}}
	w.Apply(created(d))
	if detail := w.await(t, gatehouse.Running).State.Detail; !strings.Contains(detail, "vmselect at "+dead) {
		t.Errorf("the URL that does not answer is not named: %q", detail)
	}
	insertAnswer.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }))
	w.awaitFailed(t, "vminsert at "+insert+" answers HTTP status 500 instead of 200", "(1 more of its URLs")

	d.SelectURLs = []string{selects}
	insertAnswer.Store(http.HandlerFunc(healthy))
	w.Apply(created(d))
	eventually(t, "the change is followed", func() bool {
		last := w.seen()[len(w.seen())-1].State
		return last.Status == gatehouse.Running && last.Detail == ""
	})

	w.Apply(gatehouse.Change{GoneDeployment: testID})
	told := len(w.seen())
	insertAnswer.Store(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }))
	time.Sleep(2 * askEvery)
	if len(w.seen()) != told {
		t.Error("a deleted deployment is still watched")
	}
}

func TestARealVictoriaMetricsIsFoundBelowItsPathPrefix(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ flag, path string }{
		"without a prefix":                  {"-http.pathPrefix=", ""},
		"with the prefix of the API":        {"-http.pathPrefix=", "/prometheus"},
		"with -http.pathPrefix":             {"-http.pathPrefix=/a/b", "/a/b/"},
		"with a prefix and that of the API": {"-http.pathPrefix=/a/b", "/a/b/prometheus"},
	} {
		t.Run(name, func(t *testing.T) {
			port, err := freePort()
			if err != nil {
				t.Fatal(err)
			}
			addr := fmt.Sprintf("127.0.0.1:%d", port)
			vm := exec.Command(programIn(programDir(t)), "-storageDataPath="+t.TempDir(), "-httpListenAddr="+addr, c.flag)
			if err := vm.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { vm.Process.Kill(); vm.Wait() })
			w := supervise(t, t.TempDir(), t.TempDir())
			w.Apply(created(connectedTo("http://" + addr + c.path)))
			w.await(t, gatehouse.Running)
		})
	}
}
