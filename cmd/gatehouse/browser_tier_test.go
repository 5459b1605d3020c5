package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// limitTiers have one limit each, so small that a test reaches it.
const limitTiers = `tiers:
- {id: 1001, name: few active, active_time_series: 20}
- {id: 1002, name: few new, new_series_over_24h: 20}
- {id: 1003, name: slow, ingestion_rate: 500}
- {id: 1004, name: few read, datapoints_read_rate: 50}
- {id: 1005, name: few per query, series_read_per_query: 20}
- {id: 1006, name: two at a time, max_concurrent_requests: 2}
`

// newConsoleWithTiers starts the program with a deployment for each of the tiers, all of which run and are named after it.
func newConsoleWithTiers(t *testing.T, tiers ...string) (p *program, b *tab, tokens map[string]string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tiers.yaml")
	if err := os.WriteFile(file, []byte(limitTiers), 0o600); err != nil {
		t.Fatal(err)
	}
	p, b = newConsole(t, "/deployments", "--tiers", file, "--max-queue-duration", "3s")
	tokens = map[string]string{}
	for _, tier := range tiers {
		must(t, p.dataDir, "", "deployment", "create", tier, "--tiers", file, "--tier", tier)
		p.waitRunning(tier)
		tokens[tier] = newToken(t, p.dataDir, tier, "client", "rw")
	}
	return p, b, tokens
}

// keepDoing does something again and again until stop is called.
func keepDoing(do func()) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Millisecond):
				do()
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// TestTheOverviewSaysWhichLimitIsReached brings each limit that the Overview shows to its end with real data. That the engine keeps
// the limits, and those that are not shown, is tested in internal/engine.
func TestTheOverviewSaysWhichLimitIsReached(t *testing.T) {
	p, b, tokens := newConsoleWithTiers(t, "few active", "few new", "slow", "few read", "few per query")
	for _, tier := range []string{"few active", "few new", "few read", "few per query"} {
		p.writeSeries(tokens[tier], 60)
	}
	p.waitKept(tokens["few read"])
	many := manySamples(2000)
	for _, stop := range []func(){
		keepDoing(func() { p.tryRequest("POST", tokens["few active"], "/api/v1/import/prometheus", keptSamples(60)) }), // counted anew every hour
		keepDoing(func() { p.tryRequest("POST", tokens["slow"], "/api/v1/import/prometheus", many) }),
		keepDoing(func() {
			p.tryRequest("GET", tokens["few read"], "/api/v1/query?nocache=1&query=count_over_time(kept[1h])", "")
		}),
		keepDoing(func() { p.tryRequest("GET", tokens["few per query"], "/api/v1/query?nocache=1&query=kept", "") }),
	} {
		defer stop()
	}
	eventually(t, "a query that reads too many series is refused", func() error {
		if a := p.request("GET", tokens["few per query"], "/api/v1/query?nocache=1&query=kept", ""); a.status != http.StatusUnprocessableEntity {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
	for _, c := range []struct{ tier, shows string }{
		{"few active", `Active time series 2\d of 20 1\d\d % New series are dropped until the count begins anew, as it does every hour\.`},
		{"few new", `New series over 24 h 2\d of 20 1\d\d % New series are dropped until the count begins anew, as it does every 24 hours\.`},
		{"slow", `Ingestion rate \S+ of 500 samples/s \d{3} % ` +
			`(Writers are made to wait: VictoriaMetrics takes at most 1k samples/s|More than the tier is made for\. From 1k samples/s on, writers are made to wait)\.`},
		{"few read", `Datapoints read rate \S+ of 50 samples/s [\d,]{3,} % This is more than the tier is made for: queries may be slow\.`},
		{"few per query", `Series read per query \d\d of 20 \d{3} % Queries that read more series than the limit are refused\.`},
	} {
		b.visit("/deployments/" + c.tier)
		stayed := b.stay()
		b.seesMatch(c.shows)
		b.sees("Tier " + c.tier)
		stayed()
	}
}

// manySamples are lines of n samples of one series.
func manySamples(n int) string {
	var lines strings.Builder
	start := time.Now().Add(-time.Hour).UnixMilli()
	for i := range n {
		fmt.Fprintf(&lines, "many %d %d\n", i, start+int64(i))
	}
	return lines.String()
}

// TestATokenAtItsLimitIsSeenWaiting holds as many requests of a token as its tier allows, and looks at what becomes of one more.
func TestATokenAtItsLimitIsSeenWaiting(t *testing.T) {
	const tier = "two at a time"
	p, b, tokens := newConsoleWithTiers(t, tier)
	b.visit("/deployments/" + tier)
	b.sees("Concurrent requests 2 per token")
	var finish []func()
	for i := range 2 {
		finish = append(finish, p.slowWrite(tokens[tier], fmt.Sprintf("slow_%d", i)))
	}
	p.waitRunningRequests(2)
	answers := make(chan answer, 1)
	one := func() {
		a, err := p.tryRequest("GET", tokens[tier], "/api/v1/query?query=1", "")
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}
	go one()
	tokensPage := func(what string) {
		t.Helper()
		eventually(t, "the page shows "+what, func() error {
			b.visit("/deployments/" + tier + "/tokens")
			shown, err := b.text()
			if err == nil && !strings.Contains(shown, what) {
				err = fmt.Errorf("it shows: %s", shown)
			}
			if err != nil && len(answers) > 0 { // this machine is slow, and it has waited long enough
				<-answers
				go one()
			}
			return err
		})
	}
	tokensPage("now 2 of 2, 1 waiting")
	a := <-answers
	const words = "too many requests of this token are running; send fewer at a time, or have the limit of the deployment raised"
	if a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, words) {
		t.Errorf("status %d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.body)
	}
	tokensPage("refused in 10 minutes; now 2 of 2")
	for _, end := range finish {
		end()
	}
	for i := range finish {
		p.wantSample(tokens[tier], fmt.Sprintf("slow_%d", i))
	}
	p.answers(http.StatusOK, "GET", tokens[tier], "/api/v1/query?query=1", "")
}

// slowWrite begins to write, and goes on only when finish is called.
func (p *program) slowWrite(secret, series string) (finish func()) {
	p.t.Helper()
	body, sending := io.Pipe()
	req, err := http.NewRequest("POST", p.access+"/api/v1/import/prometheus", body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+secret)
	status := make(chan int, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			p.t.Error(err)
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}()
	// The endpoint reads the beginning before it takes a place for the request.
	io.WriteString(sending, strings.Repeat("# the beginning\n", 4096))
	return func() {
		p.t.Helper()
		io.WriteString(sending, series+" 42\n")
		sending.Close()
		if got := <-status; got != http.StatusNoContent {
			p.t.Errorf("a slow write is answered %d", got)
		}
	}
}
