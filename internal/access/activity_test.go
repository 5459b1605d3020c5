package access

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func TestEachTokenInUseHasMetricsAndActivity(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, echo).URL)
	e.table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "id-1", DeploymentID: "d", Name: "vmagent \"prod\"", Hash: secret.Hash("one"), Access: gatehouse.Write}})
	e.table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "id-2", DeploymentID: "d", Name: "idle", Hash: secret.Hash("two"), Access: gatehouse.Read}})
	e.post("/api/v1/write", "one", "12345")
	e.get("/api/v1/query", "one").mustRefuse(t, 403, "read access")
	labels := `deployment="d",deployment_id="d",token="vmagent \"prod\"",token_id="id-1"`
	for name, want := range map[string]string{
		`gatehouse_token_requests_total{` + labels + `,kind="write",status="2xx"}`:                      "1",
		`gatehouse_token_refusals_total{` + labels + `,reason="insufficient_scope"}`:                    "1",
		`gatehouse_token_bytes_in_total{` + labels + `}`:                                                "5",
		`gatehouse_token_running_requests{` + labels + `}`:                                              "0",
		`gatehouse_token_bytes_in_total{deployment="d",deployment_id="d",token="idle",token_id="id-2"}`: "",
		`gatehouse_token_metrics_omitted`:                                                               "0",
	} {
		eventually(t, name+" is "+want, func() bool { return e.metric(name) == want })
	}
	want := gatehouse.TokenActivity{Requests: 1, Refusals: 1, Period: 10 * time.Minute}
	if got := e.table.Activity("id-1"); got != want {
		t.Errorf("the activity is %+v, want %+v", got, want)
	}
	if got := e.table.Activity("id-2"); got != (gatehouse.TokenActivity{Period: 10 * time.Minute}) {
		t.Errorf("an idle token's activity is %+v", got)
	}
	hash := secret.Hash("one")
	e.table.Apply(gatehouse.Change{GoneToken: &hash})
	if got := e.metric(`gatehouse_token_bytes_in_total{` + labels + `}`); got != "" {
		t.Errorf("a revoked token still has metrics: %s", got)
	}
}

func TestATokenRevokedInTheMiddleOfARequestLeavesNothingBehind(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }).URL)
	for i, before := range []int{0, 1} { // requests that the token has made before
		s := e.token("d", gatehouse.Read, nil)
		for range before {
			e.get("/health", s).mustBe(t, 200, "OK")
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.get("/api/v1/query", s)
		}()
		e.waitRunning(1)
		hash := secret.Hash(s)
		e.table.Apply(gatehouse.Change{GoneToken: &hash})
		<-done
		counted := `gatehouse_deployment_refusals_total{deployment="d",deployment_id="d",reason="bad_credential"}`
		eventually(t, "the request is counted", func() bool { return e.metric(counted) == strconv.Itoa(i+1) })
		if left := e.table.allActive(); len(left) != 0 {
			t.Errorf("a token that had made %d requests before is still listed", before)
		}
	}
}

func TestRecentForgetsWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent
		check := func(requests, refusals int) {
			t.Helper()
			if a, b := r.sum(time.Now()); a != requests || b != refusals {
				t.Errorf("%d requests and %d refusals, want %d and %d", a, b, requests, refusals)
			}
		}
		r.add(time.Now(), false)
		time.Sleep(3 * time.Minute)
		r.add(time.Now(), false)
		r.add(time.Now(), true)
		check(2, 1)
		time.Sleep(7 * time.Minute)
		check(1, 1)
		time.Sleep(3 * time.Minute)
		check(0, 0)
		r.add(time.Now(), true)
		check(0, 1)
	})
}

func TestAccessLogNamesTokensAndNoSecret(t *testing.T) {
	var log syncBuffer
	e := newEndpoint(t, Options{AccessLog: slog.New(slog.NewJSONHandler(&log, nil))})
	e.single("d", backendServer(t, echo).URL)
	s := e.token("d", gatehouse.Read, nil)
	e.get("/api/v1/query?query=up&token="+s, s)
	e.get("/nothing/"+s, s)
	e.get("/api/v1/query", "wrong-secret-wrong-secret")
	eventually(t, "three lines are there", func() bool { return strings.Count(log.String(), "\n") == 3 })
	var lines []map[string]any
	for line := range strings.Lines(log.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, fields)
	}
	if l := lines[0]; l["token_id"] == nil || l["token"] == nil || l["deployment"] != "d" || l["kind"] != "read" || l["path"] != "/api/v1/query" ||
		l["status"] != 200.0 || l["client"] != "127.0.0.1" || l["method"] != http.MethodGet || l["bytes_out"].(float64) == 0 {
		t.Errorf("an answered request is logged as %v", l)
	}
	if l := lines[1]; l["refusal"] != "unknown_path" || l["status"] != 404.0 || l["path"] != nil || l["token_id"] == nil {
		t.Errorf("a refused path is logged as %v", l)
	}
	if l := lines[2]; l["refusal"] != "bad_credential" || l["token_id"] != nil {
		t.Errorf("a refused credential is logged as %v", l)
	}
	if strings.Contains(log.String(), s) || strings.Contains(log.String(), "wrong-secret") {
		t.Errorf("a secret is in the access log:\n%s", log.String())
	}
}

// syncBuffer is a bytes.Buffer for a writer and a reader at the same time.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestEveryReasonHasAPlaceAndAnAnswer(t *testing.T) {
	for reason := range responses {
		if reason.number() < 0 {
			t.Errorf("the reason %s is not in the list of reasons", reason)
		}
	}
	if len(responses) != reasonCount {
		t.Errorf("%d reasons are counted and %d have an answer", reasonCount, len(responses))
	}
}
