package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gatehouse/internal/gatehouse"
)

const (
	// mostVmalertWait is the most before a restart: alerts wait for it, so it is shorter than an engine's.
	mostVmalertWait = 10 * time.Second
	// vmalertPatience is how long vmalert may take to send what it has worked out. The next evaluation makes up for what is lost. It is
	// used up when a connected deployment does not answer, and whoever stops Gatehouse waits for it.
	vmalertPatience = 5 * time.Second
	probeVmalert    = time.Second

	// ownDelay is how far back rules look, so that all data of that time is there. Our engines hide the last second.
	ownDelay = 5 * time.Second
	// othersDelay is vmalert's default, for VictoriaMetrics hides the last 30 s by default (-search.latencyOffset).
	othersDelay = 30 * time.Second
)

// vmalert evaluates the rules of one deployment.
type vmalert struct {
	*Supervisor
	id    string // of the deployment
	dir   string // where its files lie
	rules *evaluation
	// find makes ready whom to ask, and ends a vmalert that a killed Gatehouse has left behind. done is called when vmalert has ended.
	find func(context.Context) (t target, done func(), err error)
	last gatehouse.RuleSet // what the running vmalert was given
}

// target is whom vmalert asks and writes to: a VictoriaMetrics, or what serves the same paths.
type target struct {
	url, username, passwordFile string
	delay                       time.Duration   // how far back rules look
	ended                       <-chan struct{} // closed when it has ended for good; nil: it does not
}

// evaluate keeps vmalert running for the rules of a managed deployment until stop is called, which returns when it has ended. vmalert asks
// the engine itself.
func (m *managed) evaluate(ctx context.Context, engine *process) (stop func()) {
	t := target{engine.endpoint.URL, engine.endpoint.Username, engine.files.password(), ownDelay, engine.ended}
	return (&vmalert{Supervisor: m.Supervisor, id: m.d.ID, dir: m.dir, rules: m.rules, find: func(context.Context) (target, func(), error) {
		return t, func() {}, nil
	}}).keep(ctx)
}

// evaluateThroughRelay does the same for a deployment whose data is not one program's, a managed cluster. The deployment need not serve
// yet, and may fail meanwhile: the rules then say so.
func (m *managed) evaluateThroughRelay(ctx context.Context) (stop func()) {
	return (&vmalert{Supervisor: m.Supervisor, id: m.d.ID, dir: m.dir, rules: m.rules, find: func(context.Context) (target, func(), error) {
		t, done, err := m.relay.open(m.d.ID, m.dir)
		t.delay = ownDelay
		return t, done, err
	}}).keep(ctx)
}

// keep runs vmalert until stop is called, which returns when it has ended.
func (v *vmalert) keep(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.run(ctx)
	}()
	return func() {
		cancel()
		<-done
	}
}

// run starts vmalert again and again until ctx is done.
func (v *vmalert) run(ctx context.Context) {
	wait := firstWait
	for ctx.Err() == nil {
		began := time.Now()
		err := v.serve(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			wait = firstWait
		default:
			if time.Since(began) >= steadyAfter {
				wait = firstWait
			}
			v.note(gatehouse.Failed, gatehouse.ErrorMessage(err), "", nil)
			v.pause(ctx, wait)
			wait = min(2*wait, mostVmalertWait)
		}
	}
	v.note("", "", "", nil)
}

// pause waits, but not for longer than until the rules change: the change may be the remedy.
func (v *vmalert) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-v.rules.look:
	}
}

// note tells of another state.
func (v *vmalert) note(status gatehouse.Status, detail, version string, endpoint *Endpoint) {
	if !v.rules.note(gatehouse.Evaluation{Status: status, Detail: detail, Version: version}, endpoint) {
		return
	}
	switch {
	case status == gatehouse.Failed:
		v.cfg.Log.Warn("the rules of a deployment are not evaluated", "deployment", v.id, "detail", detail)
	case detail != "":
		v.cfg.Log.Warn("the rules of a deployment are evaluated with trouble", "deployment", v.id, "detail", detail)
	}
	v.cfg.OnRules(v.id)
}

// serve runs vmalert until it has ended (an error for the user's eyes), or needs to be started anew, or ctx is done.
func (v *vmalert) serve(ctx context.Context) error {
	set, err := v.read(ctx)
	if err != nil {
		return err
	}
	if len(set.Files) == 0 {
		return v.rest(ctx)
	}
	program, err := v.findVmalert()
	if err != nil {
		return err
	}
	t, done, err := v.find(ctx)
	if err != nil {
		return cannotStart(err)
	}
	defer done()
	if err := v.write(set.Files); err != nil {
		return err
	}
	// What went wrong is said until it is over.
	if state, _ := v.rules.now(); state.Status != gatehouse.Failed {
		v.note(gatehouse.Provisioning, "", "", nil)
	}
	p, err := v.start(ctx, program, t, set.NotifierURL)
	if err != nil {
		return cannotStart(err)
	}
	defer v.end(p, t)
	v.last = set
	return v.watch(ctx, p)
}

// rest waits for rules. The folder for them is there when vmalert had some before, and may still run if Gatehouse was killed.
func (v *vmalert) rest(ctx context.Context) error {
	if folder := rulesDir(v.dir); exists(folder) {
		_, done, err := v.find(ctx)
		if err != nil {
			return cannotStart(err)
		}
		os.RemoveAll(folder)
		done()
	}
	v.note("", "", "", nil)
	select {
	case <-ctx.Done():
	case <-v.rules.look:
	}
	return nil
}

func cannotStart(err error) error {
	if gatehouse.ErrorCode(err) != gatehouse.Internal {
		return err // it was explained where it happened
	}
	return gatehouse.Errorf(gatehouse.Unavailable, "vmalert cannot start: %s; Gatehouse tries again", cut(err.Error()))
}

func (v *vmalert) read(ctx context.Context) (gatehouse.RuleSet, error) {
	set, err := v.cfg.Rules(ctx, v.id)
	if err != nil {
		v.cfg.Log.Warn("the rules of a deployment cannot be read", "deployment", v.id, "error", err)
		return set, gatehouse.Errorf(gatehouse.Unavailable, "the rules cannot be read from the database; Gatehouse tries again")
	}
	return set, nil
}

// watch reports how vmalert is doing, and gives it the rules that change.
func (v *vmalert) watch(ctx context.Context, p *process) error {
	lastGood, hung := time.Now(), slowStart
	every := probeStarting
	var sent delivery
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return gatehouse.Errorf(gatehouse.Unavailable, "vmalert has ended (%s); Gatehouse starts it again, and %s may tell more", cut(p.lastWords()), p.files.log())
		case <-v.rules.look:
			if again, err := v.reload(ctx, p); again || err != nil {
				return err
			}
		case <-time.After(every):
		}
		p.capLog(v.cfg.Log)
		switch page, problem := v.probe(ctx, p); {
		case problem == "":
			lastGood, hung, every = time.Now(), hungAfter, probeVmalert
			p.served = true
			v.note(gatehouse.Running, sent.problem(page, lastGood), p.version, &p.endpoint)
		case time.Since(lastGood) >= hung:
			v.note(gatehouse.Failed, problem, p.version, nil)
		}
	}
}

// reload gives vmalert the rules as they are now. again says that it must be started anew for them.
func (v *vmalert) reload(ctx context.Context, p *process) (again bool, err error) {
	set, err := v.read(ctx)
	if err != nil || reflect.DeepEqual(set, v.last) {
		return false, err
	}
	if len(set.Files) == 0 || set.NotifierURL != v.last.NotifierURL {
		return true, nil
	}
	if err := v.write(set.Files); err != nil {
		return false, err
	}
	v.last = set
	p.handle.Signal(syscall.SIGHUP)
	return false, nil
}

// probe says what is wrong with vmalert, or gives its metrics.
func (v *vmalert) probe(ctx context.Context, p *process) (page []byte, problem string) {
	status, page, err := get(ctx, v.clientOf(&p.endpoint), p.endpoint.URL+"/metrics", probeTimeout, mostMetricsRead)
	switch {
	case err != nil || status != http.StatusOK || !listens(p.pid, p.port):
		return nil, fmt.Sprintf("vmalert (process %d) runs but does not answer; look for overload or lack of memory. Gatehouse uses it as soon as it answers again", p.pid)
	case bytes.Contains(page, []byte("\nvmalert_config_last_reload_successful 0\n")):
		return nil, "vmalert refuses the changed rules and goes on with the ones before; " + p.files.log() + " says why"
	}
	return page, ""
}

// end asks vmalert to end. When whom it writes to is gone, it has nothing left to do, and must not delay the next start of that.
func (v *vmalert) end(p *process, t target) {
	gone := false
	select {
	case <-t.ended:
		gone = true
	default:
	}
	if !p.hasEnded() && !gone {
		p.ask()
		select {
		case <-p.ended:
		case <-t.ended:
		case <-v.killing.Done():
		case <-time.After(vmalertPatience):
		}
	}
	if !p.hasEnded() {
		p.kill()
	}
	p.tidy()
}

// start runs the program on a free loopback port. It gets no environment: rule files may ask for variables with %{NAME}, and though
// package rulefile refuses those, there is nothing to be found.
func (v *vmalert) start(ctx context.Context, program string, t target, notifierURL string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	cmd := exec.Command(program, v.flags(port, t, notifierURL)...)
	cmd.Env = []string{}
	p := &process{dir: v.dir, files: vmalertFiles(v.dir), program: program, port: port, version: programVersion(ctx, program)}
	return p, p.start(cmd)
}

// flags are the command line, https://docs.victoriametrics.com/victoriametrics/vmalert/#flags. Nothing in it is secret.
func (v *vmalert) flags(port int, t target, notifierURL string) []string {
	flags := []string{
		// Relative to where vmalert runs: a data directory may have a name that means something in a list of patterns.
		"-rule=rules/*.yml",
		"-rule.stripFilePath",
		"-httpListenAddr=127.0.0.1:" + strconv.Itoa(port),
		"-httpAuth.username=" + engineUser,
		vmalertFiles(v.dir).passwordFlag(),
		"-rule.evalDelay=" + t.delay.String(),
		"-external.url=" + v.cfg.ConsoleURL,
		"-external.alert.source=deployments/" + v.id + "/rules",
		// With the prefixes /prometheus and /graphite a path means the same to a single node and, after a tenant, to a cluster.
		"-datasource.appendTypePrefix",
		"-datasource.url=" + t.url,
		"-remoteWrite.url=" + t.url + "/prometheus",
		"-remoteRead.url=" + t.url + "/prometheus",
	}
	for _, use := range []string{"datasource", "remoteWrite", "remoteRead"} {
		flags = append(flags, "-"+use+".basicAuth.username="+t.username, "-"+use+".basicAuth.passwordFile="+t.passwordFile)
	}
	if notifierURL == "" {
		return append(flags, "-notifier.blackhole")
	}
	return append(flags, "-notifier.url="+strconv.Quote(notifierURL)) // it is a list, and a comma would begin another URL
}

func rulesDir(dir string) string { return filepath.Join(dir, "rules") }

func (v *vmalert) write(all []gatehouse.RuleFile) error {
	if err := writeRules(v.dir, all); err != nil {
		return gatehouse.Errorf(gatehouse.Unavailable, "the rules cannot be written to %s: %s; Gatehouse tries again", v.dir, err)
	}
	return nil
}

// writeRules makes the folder hold these files and no others. vmalert reads it when it starts and when it is told to, never in
// between. People's file names could hold what has a meaning in a pattern, so the files are named by their hash.
func writeRules(dir string, all []gatehouse.RuleFile) error {
	folder := rulesDir(dir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, f := range all {
		sum := sha256.Sum256([]byte(f.Name))
		name := hex.EncodeToString(sum[:16]) + ".yml"
		wanted[name] = true
		if err := writeFresh(filepath.Join(folder, name), string(f.Content)); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		if !wanted[e.Name()] && strings.Contains(e.Name(), ".yml") {
			err = errors.Join(err, os.Remove(filepath.Join(folder, e.Name())))
		}
	}
	return err
}
