package access

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// lines is a body in Prometheus' text format with n samples.
func lines(n int) string { return strings.Repeat("some_metric{instance=\"a host\"} 4711\n", n) }

// store takes what is written and answers queries with two samples.
func store(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	switch r.URL.Path {
	case "/api/v1/query":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"[1"},"value":[1,"2"]},{"metric":{},"value":[1,"3"]}]}}`)
	case "/api/v1/labels":
		_, _ = io.WriteString(w, `{"status":"success","data":["a","b"]}`)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// samplesOfTokens gives the sum of a metric over all tokens, and false when there is none.
func (e *endpoint) samplesOfTokens(direction string) (sum float64, ok bool) {
	var page bytes.Buffer
	e.table.WriteMetrics(&page)
	for _, found := range regexp.MustCompile(`(?m)^gatehouse_token_samples_`+direction+`_total\{.*\} (.+)$`).FindAllStringSubmatch(page.String(), -1) {
		n, _ := strconv.ParseFloat(found[1], 64)
		sum, ok = sum+n, true
	}
	return sum, ok
}

// mustCount waits until all copies are counted, and the samples of all tokens together are as wanted, give or take a part.
func (e *endpoint) mustCount(direction string, want, give float64) {
	e.t.Helper()
	last := 0.0
	defer func() { e.t.Logf("samples %s: %g", direction, last) }()
	eventually(e.t, fmt.Sprintf("%g samples %s are counted", want, direction), func() bool {
		n, ok := e.samplesOfTokens(direction)
		last = n
		return ok && math.Abs(n-want) <= give*want && e.handler.tally.held.Load() == 0
	})
}

func TestATokenThatWritesNowAndThenIsCountedExactly(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	w := e.token("d", gatehouse.ReadWrite, nil)
	e.post("/api/v1/import/prometheus", w, lines(7)).mustBe(t, 204, "")
	e.mustCount("in", 7, 0)
	if _, ok := e.samplesOfTokens("out"); ok {
		t.Error("it has read nothing, and yet there is a count of it")
	}
	e.post("/api/v1/import/prometheus", w, lines(90_000)).mustBe(t, 204, "") // longer than the head
	e.mustCount("in", 90_007, 0)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, lines(5000))
	_ = z.Close()
	e.post("/api/v1/import/prometheus", w, packed.String(), "Content-Encoding", "gzip").mustBe(t, 204, "")
	e.mustCount("in", 95_007, 0)
	e.get("/api/v1/query?query=x", w)
	e.mustCount("out", 2, 0)
}

func TestABurstIsEstimatedFromItsBytes(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	w := e.token("d", gatehouse.ReadWrite, nil)
	for i := range 100 {
		e.post("/api/v1/import/prometheus", w, lines(1+i*i)).mustBe(t, 204, "")
		e.get("/api/v1/query?query=x", w)
	}
	e.mustCount("in", 328_450, 0.01) // the sum of 1+i² for i below 100
	e.mustCount("out", 200, 0.01)
}

func TestOfALongBodyTheBeginningStandsForTheRest(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	body := lines(1_000_000)
	if len(body) < 3*longestCopy {
		t.Fatalf("it has %d bytes only", len(body))
	}
	e.post("/api/v1/import/prometheus", e.token("d", gatehouse.Write, nil), body).mustBe(t, 204, "")
	e.mustCount("in", 1_000_000, 0.001)
}

func TestWhatWasNotStoredIsNotCounted(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("fails", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	}).URL)
	e.single("down", closedURL(t))
	e.single("breaks off", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "some of it")
		panic(http.ErrAbortHandler)
	}).URL)
	e.single("works", backendServer(t, store).URL)
	for _, deployment := range []string{"fails", "down", "breaks off"} {
		r := e.request("POST", "/api/v1/import/prometheus", e.token(deployment, gatehouse.Write, nil), strings.NewReader(lines(50_000)))
		if res, err := e.client.Do(r); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}
	e.post("/api/v1/import/prometheus", e.token("works", gatehouse.Read, nil), lines(3)).mustRefuse(t, 403, "")
	e.post("/api/v1/import/prometheus", e.token("works", gatehouse.Write, nil), lines(11)).mustBe(t, 204, "")
	e.mustCount("in", 11, 0)
}

func TestAnswersWithoutSamplesCountAsNone(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	r := e.token("d", gatehouse.Read, nil)
	for range 20 {
		e.get("/api/v1/labels", r)
	}
	e.mustCount("out", 0, 0)
	e.get("/api/v1/query?query=x", r)
	e.mustCount("out", 2, 0)
}

func TestABodyThatCannotBeReadIsLeftToTheEstimate(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	w := e.token("d", gatehouse.Write, nil)
	e.post("/api/v1/write", w, "this is no snappy", "Content-Encoding", "snappy").mustBe(t, 204, "")
	eventually(t, "it is known to have failed", func() bool { return e.metric(`gatehouse_access_bodies_counted_total{result="failed"}`) == "1" })
	if n, ok := e.samplesOfTokens("in"); ok {
		t.Errorf("%g samples were found in it", n)
	}
	e.post("/api/v1/import/prometheus", w, lines(1000)).mustBe(t, 204, "")
	e.mustCount("in", 1000, 0.01)
}

func TestCopiesAreBoundedWhateverClientsDo(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{StallTimeout: patience})
	stored := make(chan struct{})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-stored
		w.WriteHeader(http.StatusNoContent)
	}).URL)
	const writers = 8
	e.handler.tally.longest, e.handler.tally.most = 512<<10, 1<<20
	body := lines(20_000)
	if len(body) < 512<<10 {
		t.Fatalf("a body has %d bytes only", len(body))
	}
	var ended sync.WaitGroup
	for range writers {
		w := e.token("d", gatehouse.Write, nil)
		ended.Go(func() {
			res, err := e.client.Do(e.request("POST", "/api/v1/import/prometheus", w, strings.NewReader(body)))
			if err != nil {
				t.Error(err)
				return
			}
			res.Body.Close()
		})
	}
	sent := func() (n int64) {
		for _, g := range e.table.allActive() {
			g.live().mu.Lock()
			for x := g.live().running; x != nil; x = x.next {
				n += x.body.taken.Load()
			}
			g.live().mu.Unlock()
		}
		return n
	}
	eventually(t, "all is sent", func() bool { return sent() == int64(writers*len(body)) })
	if held := e.handler.tally.held.Load(); held > 1<<20 || held < 256<<10 {
		t.Errorf("%d bytes are held; 1 MiB may be", held)
	}
	close(stored)
	ended.Wait()
	// Those for which there was no room are estimated from nothing but their own beginning, or not at all.
	eventually(t, "all copies are given back", func() bool { return e.handler.tally.held.Load() == 0 })
}

func TestASlowRequestDoesNotKeepOthersFromBeingCounted(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	tally := e.handler.tally
	tally.longest, tally.most, tally.short, tally.patient = 512<<10, 512<<10, 4<<10, 10*time.Millisecond
	export := strings.Repeat(`{"metric":{"a":"b"},"values":[1],"timestamps":[1]}`+"\n", 8000)
	finish := make(chan struct{})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			store(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/stream+json")
		_, _ = io.WriteString(w, export)
		_ = http.NewResponseController(w).Flush()
		<-finish
	}).URL)
	res, err := e.client.Do(e.request("GET", "/api/v1/export", e.token("d", gatehouse.Read, nil), nil))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.CopyN(io.Discard, res.Body, int64(len(export))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the copy of the export is short", func() bool { return tally.held.Load() <= 4<<10 })
	e.post("/api/v1/import/prometheus", e.token("d", gatehouse.Write, nil), lines(7)).mustBe(t, 204, "")
	eventually(t, "another token is counted", func() bool { n, _ := e.samplesOfTokens("in"); return n == 7 })
	close(finish)
	_, _ = io.Copy(io.Discard, res.Body)
	e.mustCount("out", 8000, 0.02)
}

func TestASlowRequestThatKeepsNobodyOutIsCountedWhole(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.handler.tally.short, e.handler.tally.patient = 16, time.Millisecond
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		store(w, r)
	}).URL)
	e.post("/api/v1/import/prometheus", e.token("d", gatehouse.Write, nil), lines(123)).mustBe(t, 204, "")
	e.mustCount("in", 123, 0)
}

func TestOneTokenHasOneBodyInTheQueue(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	tally := e.handler.tally
	tally.working.Store(true) // as while the worker rests
	greedy, modest := e.token("d", gatehouse.Write, nil), e.token("d", gatehouse.Write, nil)
	for range 5 {
		e.post("/api/v1/import/prometheus", greedy, lines(1000)).mustBe(t, 204, "")
	}
	e.post("/api/v1/import/prometheus", modest, lines(7)).mustBe(t, 204, "")
	eventually(t, "each has one", func() bool { return len(tally.queue) == 2 })
	go tally.work()
	e.mustCount("in", 5007, 0)
}

func TestAnAnswerThatBreaksOffCountsAsFarAsItCame(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"],[2,"2"],[3`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}).URL)
	res, err := e.client.Do(e.request("GET", "/api/v1/query_range", e.token("d", gatehouse.Read, nil), nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Error("the answer seems complete")
	}
	res.Body.Close()
	e.mustCount("out", 2, 0)
	if failed := e.metric(`gatehouse_access_bodies_counted_total{result="failed"}`); failed != "0" {
		t.Errorf("%s bodies could not be counted", failed)
	}
}

func TestACopyEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	arrived := make(chan struct{}, 1)
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		_, _ = io.Copy(io.Discard, r.Body)
	}).URL)
	w := e.token("d", gatehouse.Write, nil)
	body, send := io.Pipe()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := e.client.Do(e.request("POST", "/api/v1/import/prometheus", w, body)); err == nil {
			res.Body.Close()
		}
	}()
	_, _ = io.WriteString(send, lines(10_000))
	<-arrived
	eventually(t, "there is a copy", func() bool { return e.handler.tally.held.Load() > 0 })
	e.revoke(w)
	eventually(t, "there is none", func() bool { return e.handler.tally.held.Load() == 0 })
	_ = send.CloseWithError(io.ErrUnexpectedEOF)
	<-gone
}

func TestCountsNeverFallWhileManyLookAtThem(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, store).URL)
	w := e.token("d", gatehouse.Write, nil)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for j := range 100 {
				res, err := e.client.Do(e.request("POST", "/api/v1/import/prometheus", w, strings.NewReader(lines(1+(i*j)%50))))
				if err != nil {
					t.Error(err)
					return
				}
				res.Body.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() {
		writers.Wait()
		close(done)
	}()
	for last, over := 0.0, false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		n, _ := e.samplesOfTokens("in")
		if n < last {
			t.Fatalf("%g samples, and %g before", n, last)
		}
		last = n
	}
}

func TestSamplesOfATokenAreThoseThatVictoriaMetricsStores(t *testing.T) {
	t.Parallel()
	vm := program(t, "victoria-metrics", "-storageDataPath="+t.TempDir(), "-search.latencyOffset=0s", "-loggerLevel=WARN")
	e := newEndpoint(t, Options{})
	e.single("d", vm)
	agent := program(t, "vmagent", "-remoteWrite.url="+e.url+"/api/v1/write", "-remoteWrite.bearerToken="+e.token("d", gatehouse.Write, nil),
		"-remoteWrite.tmpDataPath="+t.TempDir(), "-remoteWrite.flushInterval=100ms")
	for i := range 20 {
		time.Sleep(100 * time.Millisecond) // a block of its own for each
		var scraped strings.Builder
		for j := range 500 {
			fmt.Fprintf(&scraped, "some_metric{instance=\"host-%d\"} %d\n", j, 7919*(i+j))
		}
		res, err := http.Post(agent+"/api/v1/import/prometheus", "text/plain", strings.NewReader(scraped.String()))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	inserted := func() (sum float64) {
		res, err := http.Get(vm + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		page, _ := io.ReadAll(res.Body)
		for _, found := range regexp.MustCompile(`(?m)^vm_rows_inserted_total\{.*\} (\d+)$`).FindAllSubmatch(page, -1) {
			n, _ := strconv.ParseFloat(string(found[1]), 64)
			sum += n
		}
		return sum
	}
	eventually(t, "VictoriaMetrics has all", func() bool { return inserted() == 10_000 })
	e.mustCount("in", 10_000, 0.2)
	flushed, err := http.Get(vm + "/internal/force_flush")
	if err != nil {
		t.Fatal(err)
	}
	flushed.Body.Close()
	if a := e.get("/api/v1/export?match[]=some_metric", e.token("d", gatehouse.Read, nil)); a.StatusCode != http.StatusOK {
		t.Fatal(a.Status)
	}
	e.mustCount("out", 10_000, 0)
}
