package engine

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	askEvery   = 2 * time.Second
	askTimeout = 3 * time.Second
	// A deployment that served is given up after this many failed checks in a row: one lost packet is not an outage.
	badInARow = 2
)

// part is one of the programs that a connected deployment consists of. Any of its URLs will do.
type part struct {
	name string // as people call it
	urls []string
}

func partsOf(d gatehouse.Deployment) []part {
	if d.Type != gatehouse.Cluster {
		return []part{{"VictoriaMetrics", d.URLs}}
	}
	all := []part{{"vminsert", d.InsertURLs}, {"vmselect", d.SelectURLs}}
	// An imported cluster may have only one of them.
	return slices.DeleteFunc(all, func(p part) bool { return len(p.urls) == 0 && len(d.InsertURLs)+len(d.SelectURLs) > 0 })
}

// connectedSpec is everything that decides whom to ask.
func connectedSpec(d gatehouse.Deployment) string {
	return fmt.Sprintf("connected %q %x", partsOf(d), d.SealedUpstream)
}

// connected watches a deployment that runs elsewhere.
type connected struct {
	*Supervisor
	id     string
	http   *http.Client
	parts  []part
	states *reporter
	meter  *meter
	rules  *evaluation
}

// run asks all URLs again and again until ctx is done. A deployment is Running when each part has a URL that answers; one that
// does not is named either way.
func (c *connected) run(ctx context.Context) {
	c.states.report(ctx, gatehouse.Provisioning, "", "", nil)
	c.measure(ctx)
	defer c.evaluate(ctx)()
	running, bad := false, 0
	version := ""
	for ; ctx.Err() == nil; sleep(ctx, askEvery) {
		serves, detail := c.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case serves:
			if !running {
				version = c.version(ctx)
			}
			running, bad = true, 0
			c.states.report(ctx, gatehouse.Running, detail, version, nil)
		default:
			if bad++; running && bad < badInARow {
				continue
			}
			running = false
			c.states.report(ctx, gatehouse.Failed, detail, version, nil)
		}
	}
}

// ask checks all URLs at once. The detail names the first one that does not answer.
func (c *connected) ask(ctx context.Context) (serves bool, detail string) {
	answers := make([][]error, len(c.parts))
	var wg sync.WaitGroup
	for i, p := range c.parts {
		answers[i] = make([]error, len(p.urls))
		for j, url := range p.urls {
			wg.Go(func() { answers[i][j] = probe(ctx, c.http, url, askTimeout) })
		}
	}
	wg.Wait()

	serves = true
	var bad []string
	for i, p := range c.parts {
		var badHere []string
		for j, err := range answers[i] {
			if err != nil {
				badHere = append(badHere, fmt.Sprintf("%s at %s %s", p.name, p.urls[j], err))
			}
		}
		if len(badHere) == len(p.urls) {
			serves = false
			bad = slices.Concat(badHere, bad) // what stops the deployment comes before what it can do without
		} else {
			bad = slices.Concat(bad, badHere)
		}
	}
	if len(bad) == 0 {
		return serves, ""
	}
	detail = bad[0]
	if len(bad) > 1 {
		detail += fmt.Sprintf(" (%d more of its URLs have trouble)", len(bad)-1)
	}
	return serves, detail
}

var appVersionRe = regexp.MustCompile(`vm_app_version\{[^}]*short_version="(v[^"]{1,40})"`)

// version asks the first part's metrics page, which some operators close; then the version stays unknown.
func (c *connected) version(ctx context.Context) string {
	for _, url := range c.parts[0].urls {
		if _, body, err := get(ctx, c.http, metricsURL(url), askTimeout, 1<<20); err == nil {
			if m := appVersionRe.FindSubmatch(body); m != nil {
				return string(m[1])
			}
		}
	}
	return ""
}

// metricsURL is beside /health.
func metricsURL(url string) string { return strings.TrimSuffix(healthURL(url), "/health") + "/metrics" }

// measure follows the metrics of all URLs until ctx is done.
func (c *connected) measure(ctx context.Context) {
	var urls []string
	for _, p := range c.parts {
		urls = append(urls, p.urls...)
	}
	c.meter.forget(urls)
	for _, url := range urls {
		go c.meter.follow(ctx, c.http, url, metricsURL(url))
	}
}

// evaluate keeps vmalert running for the deployment's rules until stop is called, which returns when it has ended. It asks through the
// relay, whether or not the deployment answers: rules that cannot be evaluated say so, and alerts that are pending stay so.
func (c *connected) evaluate(ctx context.Context) (stop func()) {
	dir := c.connectedFolder(c.id)
	v := &vmalert{Supervisor: c.Supervisor, id: c.id, dir: dir, rules: c.rules, find: func(ctx context.Context) (target, func(), error) {
		unlock, err := c.claim(ctx, dir)
		if err != nil {
			return target{}, nil, err
		}
		t, done, err := c.relay.open(c.id, dir)
		if err != nil {
			unlock()
			return target{}, nil, err
		}
		t.delay = othersDelay
		return t, func() { done(); unlock() }, nil
	}}
	return v.keep(ctx)
}

// claim makes the folder ours and free of programs that a killed Gatehouse has left behind.
func (c *connected) claim(ctx context.Context, dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err = lockFolder(dir)
	if err != nil {
		return nil, err
	}
	if err := endLeftover(ctx, dir, c.cfg.Log); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
