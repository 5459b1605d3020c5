package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
)

const (
	someID  = "0199a5a0-0000-7000-8000-000000000001"
	otherID = "0199a5a0-0000-7000-8000-000000000002"
	tokenID = "0199a5a0-0000-7000-8000-00000000000a"
)

// kept is a History over a real VictoriaMetrics.
type kept struct {
	*History
	t      *testing.T
	dir    string
	system *engine.System
	page   atomic.Pointer[string] // what the next push keeps
	at     time.Time              // what is written is of this time; zero: of the present
}

func newKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{t: t, dir: t.TempDir()}
	k.History = New(Config{
		Endpoint: func() (engine.Endpoint, error) { return k.system.Endpoint() },
		Metrics:  func(w io.Writer) { io.WriteString(w, *k.page.Load()) },
		Limit:    func(context.Context, string) int { return 7 },
	})
	k.start()
	t.Cleanup(func() { k.stop() })
	return k
}

func (k *kept) start() {
	k.t.Helper()
	programs, err := filepath.Abs("../../bin")
	if err != nil {
		k.t.Fatal(err)
	}
	if k.system, err = engine.NewSystem(engine.Config{Dir: programs, DataDir: k.dir}); err != nil {
		k.t.Fatal(err)
	}
	k.system.Start()
	k.eventually("VictoriaMetrics answers", func() error { _, err := k.system.Endpoint(); return err })
}

func (k *kept) stop() { k.system.Stop(context.Background()) }

func (k *kept) eventually(what string, check func() error) {
	k.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			k.t.Fatalf("it never came about that %s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// write stores a series of samples, one every 10 s up to half a minute ago.
func (k *kept) write(series string, samples ...float64) {
	k.t.Helper()
	k.writeUntil(30*time.Second, series, samples...)
}

func (k *kept) writeUntil(ago time.Duration, series string, samples ...float64) {
	k.t.Helper()
	var text strings.Builder
	now := time.Now()
	if !k.at.IsZero() {
		now = k.at
	}
	last := now.Add(-ago)
	for i, v := range samples {
		fmt.Fprintf(&text, "%s %g %d\n", series, v, last.Add(time.Duration(i+1-len(samples))*10*time.Second).UnixMilli())
	}
	k.post("/api/v1/import/prometheus", text.String())
	k.post("/internal/force_flush", "")
}

func (k *kept) post(path, body string) {
	k.t.Helper()
	to, err := k.system.Endpoint()
	if err != nil {
		k.t.Fatal(err)
	}
	req, _ := http.NewRequest("POST", to.URL+path, strings.NewReader(body))
	req.SetBasicAuth(to.Username, to.Password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		k.t.Fatalf("%s answers %s", path, resp.Status)
	}
}

func (k *kept) charts(scope gatehouse.ChartScope) (gatehouse.Charts, error) {
	return k.Charts(k.t.Context(), scope, gatehouse.LastHour)
}

// mustSum checks the total of a series over all points that are known.
func (k *kept) mustSum(scope gatehouse.ChartScope, chart, label string, want float64) {
	k.t.Helper()
	k.eventually(fmt.Sprintf("%s, %s sum up to %g", chart, label, want), func() error {
		got, err := k.sum(scope, chart, label)
		if err == nil && math.Abs(got-want) > 0.001 {
			err = fmt.Errorf("it is %g", got)
		}
		return err
	})
}

func (k *kept) sum(scope gatehouse.ChartScope, chart, label string) (float64, error) {
	charts, err := k.charts(scope)
	if err != nil {
		return 0, err
	}
	values, err := find(charts, chart, label)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
		}
	}
	return sum, nil
}

func find(charts gatehouse.Charts, chart, label string) ([]float64, error) {
	var there []string
	for _, c := range charts.Charts {
		for _, s := range c.Series {
			there = append(there, c.ID+"/"+s.Label)
			if c.ID == chart && s.Label == label {
				if len(s.Values) != len(charts.Times) {
					return nil, fmt.Errorf("%s has %d values at %d times", label, len(s.Values), len(charts.Times))
				}
				return s.Values, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no %s/%s, only %s", chart, label, there)
}

func TestChartsAreOfTheDeploymentOrTokenThatIsAskedFor(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	k.at = time.Now() // else a point could lie between two series that are divided by each other
	for i, id := range []string{someID, otherID} {
		d, n := `deployment_id="`+id+`"`, float64(1+99*i)
		k.write(`gatehouse_deployment_bytes_in_total{`+d+`}`, 0, 300*n, 300*n)
		k.write(`gatehouse_deployment_requests_total{`+d+`,kind="write",status="2xx"}`, 0, 30*n, 60*n)
		k.write(`gatehouse_deployment_requests_total{`+d+`,kind="read",status="5xx"}`, 0, 3*n, 3*n)
		k.write(`gatehouse_deployment_refusals_total{`+d+`,reason="bad_credential"}`, 0, 6*n, 6*n)
		k.write(`gatehouse_deployment_samples_ingested_total{`+d+`}`, 0, 3000*n, 3000*n)
		for _, le := range []string{"0.1", "+Inf"} {
			k.write(`gatehouse_deployment_request_duration_seconds_bucket{`+d+`,le="`+le+`"}`, 0, 30*n, 30*n)
		}
		k.write(`gatehouse_deployment_running_requests{`+d+`}`, 0, 4*n, 0)
		k.write(`gatehouse_deployment_disk_bytes{`+d+`}`, 1e6*n, 1e6*n, 1e6*n)
		k.write(`gatehouse_token_bytes_in_total{`+d+`,token_id="`+tokenID+`"}`, 0, 30*n, 30*n)
		k.write(`gatehouse_token_samples_in_total{`+d+`,token_id="`+tokenID+`"}`, 0, 600*n, 600*n)
		k.write(`gatehouse_token_samples_out_total{`+d+`,token_id="`+tokenID+`"}`, 0, 90*n, 90*n)
		k.write(`gatehouse_token_request_duration_seconds_sum{`+d+`,token_id="`+tokenID+`"}`, 0, 10*n, 10*n)
		k.write(`gatehouse_token_request_duration_seconds_count{`+d+`,token_id="`+tokenID+`"}`, 0, 5, 5)
	}
	deployment, token := gatehouse.ChartScope{DeploymentID: someID}, gatehouse.ChartScope{DeploymentID: someID, TokenID: tokenID}
	k.mustSum(deployment, "bytes", "In", 10)
	k.mustSum(deployment, "requests", "Write, 2xx", 2)
	k.mustSum(deployment, "requests", "Read, 2xx", 0)
	k.mustSum(deployment, "requests", "Read, 5xx", 0.1)
	k.mustSum(deployment, "errors", "Answered 5xx", 0.1)
	k.mustSum(deployment, "errors", "Refused: bad credential", 0.2)
	k.mustSum(deployment, "samples", "Ingested", 100)
	k.mustSum(deployment, "concurrency", "Running", 4)
	k.mustSum(deployment, "latency", "p50", 0.05)
	k.mustSum(deployment, "latency", "p99", 0.099)
	k.mustSum(token, "bytes", "In", 1)
	k.mustSum(token, "samples", "In", 20)
	k.mustSum(token, "samples", "Out", 3)
	k.mustSum(token, "requests", "Write, 2xx", 0)
	k.mustSum(token, "latency", "Mean", 2)
	charts, err := k.charts(token)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range charts.Charts {
		if want := map[string]float64{"concurrency": 7}[c.ID]; c.Limit != want {
			t.Errorf("the limit of the chart %s of a token is %g, want %g", c.ID, c.Limit, want)
		}
	}
	if _, err := find(charts, "samples", "Ingested"); err == nil {
		t.Error("a token's chart shows what all tokens together have sent")
	}
	for _, hostile := range []string{`"} or {deployment_id!="`, someID + `",x!="`, ".*", `\`, "\"\n}", "\xff"} {
		for _, scope := range []gatehouse.ChartScope{{DeploymentID: hostile}, {DeploymentID: someID, TokenID: hostile}} {
			if got, err := k.sum(scope, "bytes", "In"); err != nil || got != 0 {
				t.Errorf("asking for %q gives %g, %v; want nothing", scope, got, err)
			}
		}
	}
}

func TestAChartTellsNothingFromUnknown(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	watched := make([]float64, 30) // five minutes, until half a minute ago
	k.write(`gatehouse_deployment_bytes_in_total{deployment_id="`+someID+`"}`, watched...)
	k.write(`gatehouse_token_metrics_omitted`, watched...)
	written := time.Now()
	for what, scope := range map[string]gatehouse.ChartScope{
		"the deployment": {DeploymentID: someID}, "a token that was never used": {DeploymentID: someID, TokenID: tokenID},
	} {
		k.eventually(what+" has zeros where it was watched, and nothing elsewhere", func() error {
			charts, err := k.charts(scope)
			if err != nil {
				return err
			}
			values, err := find(charts, "requests", "Write, 2xx")
			if err != nil {
				return err
			}
			zeros := 0
			for i, v := range values {
				if v == 0 {
					zeros++
				}
				age := written.Sub(charts.Times[i])
				if math.IsNaN(v) && age > time.Minute && age < 5*time.Minute || !math.IsNaN(v) && age > 6*time.Minute {
					return fmt.Errorf("%s before it is %g", age, v)
				}
			}
			if zeros < 9 || zeros > 11 { // in five minutes
				return fmt.Errorf("there are %d zeros", zeros)
			}
			return nil
		})
	}
	for i := range watched {
		watched[i] = 5
	}
	k.write(`gatehouse_token_metrics_omitted`, watched...)
	k.eventually("nothing is said of a token while some are left out", func() error {
		charts, err := k.charts(gatehouse.ChartScope{DeploymentID: someID, TokenID: tokenID})
		if err != nil {
			return err
		}
		values, err := find(charts, "requests", "Write, 2xx")
		for i, v := range values {
			if age := written.Sub(charts.Times[i]); !math.IsNaN(v) && age > time.Minute {
				return fmt.Errorf("%s before it is %g", age, v)
			}
		}
		return err
	})
}

func TestWhatHappenedInAGapIsNotShownAtItsEnd(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	const watched, lived, restarted = `gatehouse_deployment_bytes_in_total{deployment_id="` + someID + `"}`,
		`gatehouse_deployment_requests_total{deployment_id="` + someID + `",kind="write",status="2xx"}`,
		`gatehouse_deployment_requests_total{deployment_id="` + someID + `",kind="read",status="2xx"}`
	before, after := 20*time.Minute, 5*time.Minute
	k.writeUntil(before, watched, 0, 0, 0)
	k.writeUntil(after, watched, 0, 0, 0)
	k.writeUntil(before, lived, 0, 3000, 6000)
	k.writeUntil(after, lived, 9e6, 9e6, 9e6+3000)
	k.writeUntil(before, restarted, 0, 60_000, 90_000)
	k.writeUntil(after, restarted, 0, 0, 3000)
	scope := gatehouse.ChartScope{DeploymentID: someID}
	k.mustSum(scope, "requests", "Write, 2xx", 9000.0/30)
	k.mustSum(scope, "requests", "Read, 2xx", 93_000.0/30)
	for _, period := range gatehouse.Periods {
		charts, err := k.Charts(t.Context(), scope, period)
		if err != nil {
			t.Fatal(err)
		}
		values, err := find(charts, "requests", "Read, 2xx")
		for i, v := range values {
			if v < 0 || v*period.Step().Seconds() > 93_001 {
				t.Errorf("over the last %s, %s ago, the rate is %g, %v", period, time.Since(charts.Times[i]), v, err)
			}
		}
	}
}

func TestAllThatANewTokenDoesIsKeptAlsoWhatItDidBeforeTheFirstPush(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	for _, bytes := range []int{123_000, 123_000, 123_456} {
		d := fmt.Sprintf(`deployment="%s",deployment_id="%s"`, `a \"b\" {c=\"d\"} \\\n, e`, someID)
		page := fmt.Sprintf("gatehouse_deployment_bytes_in_total{%s} %d\n", d, bytes) +
			fmt.Sprintf("gatehouse_token_bytes_in_total{%s,token=\"}\\n\\\"{\",token_id=%q} %[3]d\n", d, tokenID, bytes)
		k.page.Store(&page)
		if !k.push(t.Context()) || k.failing {
			t.Fatal("the push has failed")
		}
		time.Sleep(time.Second)
	}
	for _, scope := range []gatehouse.ChartScope{{DeploymentID: someID}, {DeploymentID: someID, TokenID: tokenID}} {
		k.mustSum(scope, "bytes", "In", 123_456.0/30)
	}
}

func TestTheHistoryOutlivesARestartAndAKill(t *testing.T) {
	t.Parallel()
	k := newKept(t)
	scope := gatehouse.ChartScope{DeploymentID: someID}
	k.write(`gatehouse_deployment_bytes_in_total{deployment_id="`+someID+`"}`, 0, 300, 300)
	k.mustSum(scope, "bytes", "In", 10)
	k.stop()
	if _, err := k.charts(scope); gatehouse.ErrorCode(err) != gatehouse.Unavailable {
		t.Errorf("with VictoriaMetrics stopped, the charts say %v", err)
	}
	k.start()
	k.mustSum(scope, "bytes", "In", 10)

	before, err := k.system.Endpoint()
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	note, err := os.ReadFile(filepath.Join(k.dir, "system", "engine.pid"))
	if _, scanErr := fmt.Sscan(string(note), &pid); err != nil || scanErr != nil {
		t.Fatal(err, scanErr)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	k.eventually("another one runs", func() error {
		after, err := k.system.Endpoint()
		if err == nil && after == before {
			err = errors.New("it is still the old one")
		}
		return err
	})
	k.mustSum(scope, "bytes", "In", 10)
	page := `gatehouse_deployment_bytes_in_total{deployment="d",deployment_id="` + otherID + `"} 600` + "\n"
	k.page.Store(&page)
	k.push(t.Context())
	k.mustSum(gatehouse.ChartScope{DeploymentID: otherID}, "bytes", "In", 20)
}

func TestWithoutTheProgramTheChartsSayWhereToPutIt(t *testing.T) {
	empty := t.TempDir()
	system, err := engine.NewSystem(engine.Config{Dir: empty, DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	system.Start()
	h := New(Config{Endpoint: system.Endpoint, Metrics: func(io.Writer) {}})
	want := "there is no victoria-metrics program in " + empty + "; put one there"
	deadline := time.Now().Add(time.Minute)
	for {
		_, err := h.Charts(t.Context(), gatehouse.ChartScope{DeploymentID: someID}, gatehouse.LastHour)
		if strings.Contains(gatehouse.ErrorMessage(err), want) && gatehouse.ErrorCode(err) == gatehouse.Unavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the charts say %v, want %s", err, want)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if h.push(t.Context()) {
		t.Error("a push has found somebody to push to")
	}
	system.Stop(t.Context())
}
