package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

// neighbour is one of several managed deployments of a server.
type neighbour struct {
	id, name    string
	mark        string // stands in every sample that its tokens write, and nowhere else
	read, write string // secrets of its tokens
	both        string
	port        string // of its engine
}

// newNeighbours makes n deployments with a token of each kind, on a data directory that may be new.
func newNeighbours(t *testing.T, dataDir string, n int) []*neighbour {
	t.Helper()
	var all []*neighbour
	err := (&commands{DataDir: dataDir}).withNewData(t.Context(), func(ctl *control.Control, actor gatehouse.Actor) error {
		for i := range n {
			d, err := ctl.CreateDeployment(t.Context(), actor, gatehouse.NewDeployment{Name: fmt.Sprintf("side %d", i), Type: gatehouse.SingleNode})
			if err != nil {
				return err
			}
			one := &neighbour{id: d.ID, name: d.Name, mark: fmt.Sprintf("mark_of_%d_", i)}
			for access, value := range map[gatehouse.Access]*string{gatehouse.Read: &one.read, gatehouse.Write: &one.write, gatehouse.ReadWrite: &one.both} {
				_, secret, err := ctl.CreateToken(t.Context(), actor, gatehouse.NewToken{DeploymentID: d.ID, Name: access.Label(), Access: access})
				if err != nil {
					return err
				}
				*value = secret.Reveal()
			}
			all = append(all, one)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// waitAllRunning waits until all deployments run, and finds the ports of their engines.
func (p *program) waitAllRunning(all []*neighbour) {
	p.t.Helper()
	eventually(p.t, "all deployments run", func() error {
		for _, n := range all {
			if d := p.show(n.id); d.Status != "RUNNING" {
				return fmt.Errorf("%s is %s: %s", d.Name, d.Status, d.StatusDetail)
			}
		}
		return nil
	})
	for _, line := range enginesOf(p.t, p.dataDir) {
		for _, n := range all {
			if strings.Contains(line, n.id) {
				_, port, _ := strings.Cut(line, "-httpListenAddr=127.0.0.1:")
				n.port, _, _ = strings.Cut(port, " ")
			}
		}
	}
}

// strangers finds marks of others than n in a text.
func (n *neighbour) strangers(all []*neighbour, text string) (found []string) {
	for _, other := range all {
		if other != n && strings.Contains(text, other.mark) {
			found = append(found, other.name)
		}
	}
	return found
}

// trick is a request by which somebody with a token might try to reach another deployment.
type trick struct {
	path    string
	headers []string
}

const exportPath = "/api/v1/export"

// Places in which a gateway might look for a deployment. ID, NAME, PORT and MARK stand for those of a victim.
var (
	trickHeaders = []string{
		"Host: ID", "Host: NAME", "Host: 127.0.0.1:PORT", "X-Forwarded-Host: 127.0.0.1:PORT", "Forwarded: for=127.0.0.1;host=127.0.0.1:PORT",
		"X-Scope-OrgID: ID", "THANOS-TENANT: ID", "AccountID: 1", "ProjectID: 1", "VictoriaMetrics-AccountID: ID", "X-VM-Cloud-Access: ID",
		"X-Deployment: ID", "Deployment: NAME", "Cookie: deployment=ID", "Referer: http://127.0.0.1/deployments/ID",
		"X-Original-URL: /ID/api/v1/export", "X-Rewrite-URL: /ID/api/v1/export", "X-Forwarded-Prefix: /ID", "Connection: Authorization",
	}
	trickQueries = []string{
		"deployment=ID", "deployment_id=ID", "tenant=ID", "extra_label=owner=ID", "extra_label=deployment=NAME", "extra_filters={}",
		`extra_filters[]={owner="MARK"}`, "storageNode=127.0.0.1:PORT", "url=http://127.0.0.1:PORT", "datasource=http://127.0.0.1:PORT",
	}
	trickPrefixes = []string{
		"/ID", "/NAME", "/deployments/ID", "/explore/ID", "/select/0", "/select/ID", "/insert/ID", "/select/0/prometheus", "/prometheus",
		"/x/../ID", "/%2e%2e/deployments/ID", "//127.0.0.1:PORT", "/http://127.0.0.1:PORT",
	}
)

// tricks name a victim in all those places; path is what to ask for.
func tricks(victim *neighbour, path string) []trick {
	fill := strings.NewReplacer("ID", victim.id, "NAME", victim.name, "PORT", victim.port, "MARK", victim.mark)
	escape := strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", " ", "%20")
	join := "?"
	if strings.Contains(path, "?") {
		join = "&"
	}
	all := []trick{{path, nil}}
	for _, header := range trickHeaders {
		name, value, _ := strings.Cut(header, ": ")
		all = append(all, trick{path, []string{name + ": " + fill.Replace(value)}})
	}
	for _, query := range trickQueries {
		all = append(all, trick{path + join + escape.Replace(fill.Replace(query)), nil})
	}
	for _, prefix := range trickPrefixes {
		all = append(all, trick{escape.Replace(fill.Replace(prefix)) + path, nil})
	}
	return all
}

// tryTrick sends it with the secret, and gives the answer. A host that is named in the headers becomes the request's.
func (p *program) tryTrick(method, secret string, k trick, body string) answer {
	p.t.Helper()
	if host, ok := strings.CutPrefix(strings.Join(k.headers, ""), "Host: "); ok {
		return p.raw(method, k.path, host, "Bearer "+secret, body)
	}
	return p.send(method, secret, k.path, body, k.headers)
}

// raw sends a request as it is, which Go's client would not: with any Host and any target.
func (p *program) raw(method, target, host, authorization, body string) answer {
	p.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.access, "http://"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		method, target, host, authorization, len(body), body)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		p.t.Fatalf("%s %s with Host %s: %v", method, target, host, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{status: resp.StatusCode, header: resp.Header, body: string(text)}
}

// reads lets a token try to read the deployment of a victim. Whatever it gets is its own.
func (n *neighbour) reads(p *program, all []*neighbour, secret string, victim *neighbour) {
	p.t.Helper()
	const everything = exportPath + "?match[]=%7B__name__!=%22%22%7D"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(victim.id+":"+secret))
	answers := map[string]answer{
		"the victim as the user of Basic": p.raw("GET", everything, "x", basic, ""),
		"a whole URL as the target":       p.raw("GET", "http://127.0.0.1:"+victim.port+everything, "127.0.0.1:"+victim.port, "Bearer "+secret, ""),
		"two credentials":                 p.send("GET", secret, everything, "", []string{"Authorization: " + basic}),
	}
	for _, k := range tricks(victim, everything) {
		answers[fmt.Sprintf("%s %q", k.path, k.headers)] = p.tryTrick("GET", secret, k, "")
	}
	own := 0
	for what, a := range answers {
		if found := n.strangers(all, a.body); found != nil || a.status >= 500 {
			p.t.Errorf("a token of %s read with %s: status %d, data of %v", n.name, what, a.status, found)
		}
		if strings.Contains(a.body, n.mark) {
			own++
		}
	}
	if mayRead := secret != n.write; mayRead && own < 20 || !mayRead && own > 0 {
		p.t.Errorf("of %d answers %d have the data of %s itself", len(answers), own, n.name)
	}
}

// writes lets a token try to write to the deployment of a victim.
func (n *neighbour) writes(p *program, secret string, victim *neighbour) {
	p.t.Helper()
	sample := fmt.Sprintf("smuggled{owner=%q,by=%q,deployment=%q} 1\n", n.mark, n.mark, victim.id)
	taken := 0
	for _, k := range tricks(victim, "/api/v1/import/prometheus") {
		a := p.tryTrick("POST", secret, k, sample)
		if a.status/100 == 2 {
			taken++
		}
		if a.status >= 500 {
			p.t.Errorf("a token of %s wrote with %s %q: status %d: %s", n.name, k.path, k.headers, a.status, a.body)
		}
	}
	if mayWrite := secret != n.read; mayWrite && taken < 20 || !mayWrite && taken > 0 {
		p.t.Errorf("%d writes of %s were taken", taken, n.name)
	}
}

// waitOwn waits until the deployment gives its own data with each of its reading tokens.
func (n *neighbour) waitOwn(p *program) {
	p.t.Helper()
	for _, secret := range []string{n.read, n.both} {
		eventually(p.t, n.name+" gives its data", func() error {
			if a, err := p.tryRequest("GET", secret, exportPath+"?match[]=mine", ""); err != nil || !strings.Contains(a.body, n.mark) {
				return fmt.Errorf("status %d: %s (%v)", a.status, a.body, err)
			}
			return nil
		})
	}
}

// serveOn lets deployments write and read all the time until stop is called, and reports every request that fails.
func (p *program) serveOn(all []*neighbour) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	for _, n := range all {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				case <-time.After(20 * time.Millisecond):
				}
				if a, err := p.tryRequest("POST", n.write, "/api/v1/import/prometheus", "going_on 1"); err != nil || a.status != http.StatusNoContent {
					p.t.Errorf("%s was disturbed: writing answers %d: %s (%v)", n.name, a.status, a.body, err)
				}
				if a, err := p.tryRequest("GET", n.read, exportPath+"?match[]=mine", ""); err != nil || !strings.Contains(a.body, n.mark) {
					p.t.Errorf("%s was disturbed: reading answers %d: %s (%v)", n.name, a.status, a.body, err)
				}
			}
		})
	}
	return func() { close(done); wg.Wait() }
}

// TestTenDeploymentsSideBySide runs ten engines on this machine, and lets every token try to reach every other deployment.
func TestTenDeploymentsSideBySide(t *testing.T) {
	dir := newDataDir(t)
	all := newNeighbours(t, dir, 10)
	began := time.Now()
	programs := newHeldPrograms(t)
	p := serve(t, dir, "--engine-dir", programs.dir)
	p.waitAllRunning(all)
	t.Logf("measured: ten deployments run after %v", time.Since(began).Round(time.Millisecond))
	for _, n := range all {
		for _, secret := range []string{n.write, n.both} {
			p.answers(http.StatusNoContent, "POST", secret, "/api/v1/import/prometheus", fmt.Sprintf("mine{owner=%q,by=%q} 42\n", n.mark, secret[5:9]))
		}
	}
	for _, n := range all {
		n.waitOwn(p)
	}
	tryEverything(t, p, all)
	killOne(t, p, programs, all[0], all[1:])
	deleteOne(t, p, all[1], append(all[2:], all[0]))
}

func tryEverything(t *testing.T, p *program, all []*neighbour) {
	t.Helper()
	for i, n := range all {
		victim := all[(i+1)%len(all)]
		for _, secret := range []string{n.read, n.write, n.both} {
			n.reads(p, all, secret, victim)
			n.writes(p, secret, victim)
		}
	}
	for i, n := range all {
		victim := all[(i+1)%len(all)]
		for _, authorization := range []string{"Bearer " + n.both, "Basic " + base64.StdEncoding.EncodeToString([]byte("gatehouse:"+n.both))} {
			if status := atEngine(t, victim.port, authorization); status != http.StatusUnauthorized {
				t.Errorf("the engine of %s answers a token of %s with %d", victim.name, n.name, status)
			}
		}
		eventually(t, "what "+n.name+" wrote is there, and nothing of others", func() error {
			a := p.request("GET", n.read, exportPath+"?match[]=smuggled", "")
			if found := n.strangers(all, a.body); found != nil {
				t.Fatalf("%s has samples of %v", n.name, found)
			}
			if !strings.Contains(a.body, n.mark) {
				return fmt.Errorf("status %d: %s", a.status, a.body)
			}
			return nil
		})
	}
}

// atEngine asks an engine itself, past Gatehouse.
func atEngine(t *testing.T, port, authorization string) (status int) {
	t.Helper()
	req, err := http.NewRequest("GET", "http://127.0.0.1:"+port+"/api/v1/labels", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	return doOnce(t, req).status
}

// killOne kills the engine of one deployment, while the others write and read all the time.
func killOne(t *testing.T, p *program, programs heldPrograms, victim *neighbour, others []*neighbour) {
	t.Helper()
	p.waitOnDisk(victim.id)
	before := enginesOf(t, p.dataDir)
	pid := p.enginePID(victim.id)
	stop := p.serveOn(others)
	programs.hold()
	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "the tokens of the killed one are told to wait", func() error {
		a := p.request("GET", victim.read, exportPath+"?match[]=mine", "")
		if a.status != http.StatusServiceUnavailable && a.status != http.StatusBadGateway {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
	programs.release()
	victim.waitOwn(p)
	stop()
	after := enginesOf(t, p.dataDir)
	for other := range before {
		if _, runs := after[other]; !runs && other != strconv.Itoa(pid) {
			t.Errorf("process %s has ended: %s", other, before[other])
		}
	}
}

// deleteOne deletes one deployment, while the others write and read all the time.
func deleteOne(t *testing.T, p *program, victim *neighbour, others []*neighbour) {
	t.Helper()
	stop := p.serveOn(others)
	must(t, p.dataDir, "", "deployment", "delete", victim.id)
	for _, secret := range []string{victim.read, victim.write, victim.both} {
		eventually(t, "its tokens are refused", func() error {
			if a := p.request("GET", secret, exportPath+"?match[]=mine", ""); a.status != http.StatusUnauthorized {
				return fmt.Errorf("status %d: %s", a.status, a.body)
			}
			return nil
		})
	}
	stop()
	for _, n := range others {
		p.answers(http.StatusNoContent, "POST", n.write, "/api/v1/import/prometheus", "still 1")
		n.waitOwn(p)
	}
}
