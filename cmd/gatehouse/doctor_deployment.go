package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

// doctorPatience is how long a backend may take to answer.
const doctorPatience = 5 * time.Second

// mostClockDifference is what a backend's clock may differ by: queries for the last minutes go wrong beyond.
const mostClockDifference = time.Minute

// checkDeployment looks whether a deployment answers, and whether it does so to everybody.
func (d *doctor) checkDeployment(ctx context.Context, sealer *secret.Sealer, one gatehouse.Deployment) {
	check := "deployment " + printable(one.Name)
	switch {
	case one.Managed && !d.live:
		if err := engine.CanRun(d.command.EngineDir, one.Type); err != nil {
			d.fail(check, err)
			return
		}
		d.say(check, warned, "it is stopped, as no server runs")
		return
	case one.Managed && one.State.Status == gatehouse.Running:
		d.say(check, fine, "it runs")
		return
	case one.Managed:
		d.say(check, failed, "its status is %s; %s", one.State.Status, orDash(one.State.Detail))
		return
	case sealer == nil:
		return
	}
	if err := control.OpenUpstream(sealer, &one); err != nil {
		d.fail(check, err)
		return
	}
	config, err := one.Upstream.TLS()
	if err != nil {
		d.fail(check, err)
		return
	}
	client := &http.Client{Timeout: doctorPatience, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, part := range []struct {
		urls []string
		path string // harmless, and asks for a credential where there is one
	}{{one.URLs, "/api/v1/labels"}, {one.InsertURLs, "/insert/0/prometheus/api/v1/import"}, {one.SelectURLs, "/select/0/prometheus/api/v1/labels"}} {
		for _, base := range part.urls {
			d.checkBackend(ctx, client, check, base, part.path, one.Upstream)
		}
	}
}

// checkRules says nothing of deployments without rules.
func (d *doctor) checkRules(one gatehouse.Deployment) {
	up, known := d.rulesUp[one.ID]
	check := "rules of " + printable(one.Name)
	switch {
	case !known:
	case up && one.NotifierURL == "":
		d.say(check, fine, "they are evaluated; no notifier gets their alerts")
	case up:
		d.say(check, fine, "they are evaluated, and no alert is kept from the notifier")
	case one.NotifierURL == "":
		d.say(check, failed, "they are not evaluated; the tab Rules of the deployment says why and what to do")
	default:
		d.say(check, failed, "they are not evaluated, or their alerts do not reach the notifier %s; the tab Rules of the deployment says which, and what to do", one.NotifierURL)
	}
}

func (d *doctor) checkBackend(ctx context.Context, client *http.Client, check, base, path string, up gatehouse.Upstream) {
	resp, err := get(ctx, client, base+"/health", up)
	switch {
	case err != nil:
		d.say(check, failed, "%s does not answer (%v); does it run, and does a firewall let this host pass?", base, err)
		return
	case resp.StatusCode != http.StatusOK:
		d.say(check, failed, "%s/health answers %s; is it a VictoriaMetrics, and are its credentials right?", base, resp.Status)
		return
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil && time.Since(at).Abs() > mostClockDifference {
		d.say(check, warned, "the clock of %s differs by %s; set it", base, time.Since(at).Abs().Round(time.Second))
	}
	// An empty POST stores nothing.
	open, err := send(ctx, client, http.MethodPost, base+path, gatehouse.Upstream{})
	switch {
	case err != nil || open.StatusCode/100 != 2:
		d.say(check, fine, "%s answers, and asks others for a credential", base)
	case isLoopback(base):
		d.say(check, fine, "%s answers, to this host only", base)
	default:
		d.say(check, warned, "%s answers without any credential, so whoever reaches it needs no token: let a firewall pass only Gatehouse, "+
			"or start it with -httpAuth.username and -httpAuth.password and connect it again with --upstream-username and --upstream-password-file", base)
	}
}

func isLoopback(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func get(ctx context.Context, client *http.Client, to string, up gatehouse.Upstream) (*http.Response, error) {
	return send(ctx, client, http.MethodGet, to, up)
}

// send gives an answer whose body is read and closed.
func send(ctx context.Context, client *http.Client, method, to string, up gatehouse.Upstream) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(""))
	if err != nil {
		return nil, err
	}
	if value := up.Authorization(); value != "" {
		req.Header.Set("Authorization", value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return resp, err
}
