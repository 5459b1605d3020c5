// Package probe sends a real sample through the access endpoint, as a client with that token would, and reads it back. It knows how
// to say in plain words what went wrong.
package probe

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// Metric is the name of the samples that tests write.
const Metric = "gatehouse_test"

const (
	requestTimeout = 5 * time.Second
	defaultWait    = 15 * time.Second
	pollEvery      = 500 * time.Millisecond
	// mostAnswer bounds what is read of an answer, in bytes: it may come from something else than Gatehouse.
	mostAnswer = 64 << 10
)

// Target is what is tested.
type Target struct {
	ImportURL string // takes samples in the Prometheus text format; empty: nothing is written
	QueryURL  string // takes instant queries; empty: nothing is queried
	Secret    string
	State     gatehouse.State // of the deployment, for the explanation
}

// Step is one request of a test, or several of the same, and how it ended.
type Step struct {
	Title string // such as "Write a sample"
	OK    bool
	Text  string // one or a few sentences; it never holds the secret, nor anything that the other side has sent
	Cause error  // for the log; nil where Text says it all
}

// Prober runs tests. It asks only the URLs of a Target, follows no redirect and goes through no proxy, so that neither the secret nor
// the request can be led elsewhere. The zero value is ready.
type Prober struct {
	// Wait is how long a sample may take until it can be read. VictoriaMetrics shows new samples after some seconds. 0: 15 seconds.
	Wait time.Duration
}

// Run tests the target: a token that may write sends a sample; one that may read queries it back or, when it may not write, runs a
// query that needs no data. The last step is the one that failed, if any did. It takes half a minute at most.
func (p Prober) Run(ctx context.Context, t Target) []Step {
	transport := &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSHandshakeTimeout: requestTimeout}
	defer transport.CloseIdleConnections()
	r := &run{Target: t, wait: p.Wait, id: strings.ToLower(rand.Text()[:12]), client: &http.Client{
		Transport: transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if r.wait == 0 {
		r.wait = defaultWait
	}
	if t.ImportURL == "" {
		return []Step{r.query(ctx)}
	}
	steps := []Step{r.write(ctx)}
	if steps[0].OK && t.QueryURL != "" {
		steps = append(steps, r.readBack(ctx))
	}
	return steps
}

// OK reports whether all steps went well.
func OK(steps []Step) bool { return len(steps) > 0 && steps[len(steps)-1].OK }

// run is one test.
type run struct {
	Target
	wait   time.Duration
	id     string // tells this test's series from all others
	client *http.Client
}

func (r *run) selector() string { return fmt.Sprintf("%s{test=%q}", Metric, r.id) }

func (r *run) write(ctx context.Context) Step {
	s := Step{Title: "Write a sample"}
	began := time.Now()
	a, err := r.post(ctx, r.ImportURL, "text/plain", r.selector()+" 1\n")
	switch {
	case err != nil:
		s.Text, s.Cause = unreachable(r.ImportURL, err), err
	case a.status != http.StatusNoContent:
		s.Text = r.refused(a, r.ImportURL)
	default:
		s.OK = true
		s.Text = "The sample " + r.selector() + " was stored after " + took(began) + "."
		if r.QueryURL == "" {
			s.Text += " This token may not read; look for the sample with one that may."
		}
	}
	return s
}

// readBack asks for the sample until it is there.
func (r *run) readBack(ctx context.Context) Step {
	s := Step{Title: "Read it back"}
	began := time.Now()
	for {
		n, text, err := r.ask(ctx, r.selector())
		switch {
		case text != "":
			s.Text, s.Cause = text, err
			return s
		case n > 0:
			s.OK, s.Text = true, "The sample could be read "+took(began)+" after it was stored."
			return s
		case time.Since(began) > r.wait:
			s.Text = fmt.Sprintf("The sample was stored, but could not be read within %.0f seconds. A busy VictoriaMetrics may take longer: query %s later. "+
				"A deployment that has reached its limit of time series drops new ones.", r.wait.Seconds(), r.selector())
			return s
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			s.Text, s.Cause = "The test was broken off.", ctx.Err()
			return s
		}
	}
}

func (r *run) query(ctx context.Context) Step {
	s := Step{Title: "Run a query"}
	began := time.Now()
	n, text, err := r.ask(ctx, "vector(1)")
	switch {
	case text != "":
		s.Text, s.Cause = text, err
	case n == 0:
		s.Text = foreign(r.QueryURL)
	default:
		s.OK, s.Text = true, "The query was answered after "+took(began)+". This token may not write, so no sample was sent."
	}
	return s
}

// ask gives the number of series that the query finds, or a text about what went wrong.
func (r *run) ask(ctx context.Context, query string) (series int, trouble string, err error) {
	// nocache shows also samples younger than 30 seconds.
	a, err := r.post(ctx, r.QueryURL, "application/x-www-form-urlencoded", url.Values{"query": {query}, "nocache": {"1"}}.Encode())
	if err != nil {
		return 0, unreachable(r.QueryURL, err), err
	}
	if a.status != http.StatusOK {
		return 0, r.refused(a, r.QueryURL), nil
	}
	var found struct {
		Status string `json:"status"`
		Data   struct {
			Result []any `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(a.body, &found); err != nil || found.Status != "success" {
		return 0, foreign(r.QueryURL), err
	}
	return len(found.Data.Result), "", nil
}

// answer is what came from the other side.
type answer struct {
	status    int
	challenge string // WWW-Authenticate
	body      []byte
}

func (r *run) post(ctx context.Context, to, contentType, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+r.Secret)
	req.Header.Set("User-Agent", "gatehouse-test")
	req.Header.Set("Content-Type", contentType)
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswer))
	return answer{status: resp.StatusCode, challenge: strings.Join(resp.Header.Values("WWW-Authenticate"), ", "), body: text}, err
}

// took says how long something took since began.
func took(began time.Time) string {
	d := time.Since(began)
	if d < time.Second {
		return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
	}
	return fmt.Sprintf("%.1f seconds", d.Seconds())
}
