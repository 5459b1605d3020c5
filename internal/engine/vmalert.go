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
	// vmalertPatience is how long vmalert may take to send what it has worked out. The next evaluation makes up for what is lost.
	vmalertPatience = 10 * time.Second
	probeVmalert    = time.Second
)

// vmalert evaluates the rules of one deployment while its engine serves.
type vmalert struct {
	*managed
	engine *process
	last   gatehouse.RuleSet // what the running vmalert was given
}

// evaluate keeps vmalert running until stop is called, which returns when it has ended.
func (m *managed) evaluate(ctx context.Context, engine *process) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&vmalert{managed: m, engine: engine}).run(ctx)
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
	if status == gatehouse.Failed {
		v.cfg.Log.Warn("the rules of a deployment are not evaluated", "deployment", v.d.ID, "detail", detail)
	}
	v.cfg.OnRules(v.d.ID)
}

// serve runs vmalert until it has ended (an error for the user's eyes), or needs to be started anew, or ctx is done.
func (v *vmalert) serve(ctx context.Context) error {
	set, err := v.read(ctx)
	if err != nil {
		return err
	}
	if len(set.Files) == 0 {
		v.note("", "", "", nil)
		os.RemoveAll(rulesDir(v.dir))
		select {
		case <-ctx.Done():
		case <-v.rules.look:
		}
		return nil
	}
	program, err := v.findVmalert()
	if err != nil {
		return err
	}
	if err := writeRules(v.dir, set.Files); err != nil {
		return gatehouse.Errorf(gatehouse.Unavailable, "the rules cannot be written to %s: %s; Gatehouse tries again", v.dir, err)
	}
	v.note(gatehouse.Provisioning, "", "", nil)
	p, err := v.start(ctx, program, set.NotifierURL)
	if err != nil {
		return gatehouse.Errorf(gatehouse.Unavailable, "vmalert cannot start: %s; Gatehouse tries again", cut(err.Error()))
	}
	defer v.end(p)
	v.last = set
	return v.watch(ctx, p)
}

func (v *vmalert) read(ctx context.Context) (gatehouse.RuleSet, error) {
	set, err := v.cfg.Rules(ctx, v.d.ID)
	if err != nil {
		v.cfg.Log.Warn("the rules of a deployment cannot be read", "deployment", v.d.ID, "error", err)
		return set, gatehouse.Errorf(gatehouse.Unavailable, "the rules cannot be read from the database; Gatehouse tries again")
	}
	return set, nil
}

// watch reports how vmalert is doing, and gives it the rules that change.
func (v *vmalert) watch(ctx context.Context, p *process) error {
	lastGood, hung := time.Now(), slowStart
	every := probeStarting
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
		switch problem := v.probe(ctx, p); {
		case problem == "":
			lastGood, hung, every = time.Now(), hungAfter, probeVmalert
			p.served = true
			v.note(gatehouse.Running, "", p.version, &p.endpoint)
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
	if err := writeRules(v.dir, set.Files); err != nil {
		return false, gatehouse.Errorf(gatehouse.Unavailable, "the rules cannot be written to %s: %s; Gatehouse tries again", v.dir, err)
	}
	v.last = set
	p.handle.Signal(syscall.SIGHUP)
	return false, nil
}

// probe says what is wrong with vmalert, or "".
func (v *vmalert) probe(ctx context.Context, p *process) string {
	status, page, err := get(ctx, v.clientOf(&p.endpoint), p.endpoint.URL+"/metrics", probeTimeout, mostMetricsRead)
	switch {
	case err != nil || status != http.StatusOK || !listens(p.pid, p.port):
		return fmt.Sprintf("vmalert (process %d) runs but does not answer; look for overload or lack of memory. Gatehouse uses it as soon as it answers again", p.pid)
	case bytes.Contains(page, []byte("\nvmalert_config_last_reload_successful 0\n")):
		return "vmalert refuses the changed rules and goes on with the ones before; " + p.files.log() + " says why"
	}
	return ""
}

// end asks vmalert to end. With its engine gone it has nothing left to do, and must not delay the next one.
func (v *vmalert) end(p *process) {
	if !p.hasEnded() && !v.engine.hasEnded() {
		p.ask()
		select {
		case <-p.ended:
		case <-v.engine.ended:
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
func (v *vmalert) start(ctx context.Context, program, notifierURL string) (*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	cmd := exec.Command(program, v.flags(port, notifierURL)...)
	cmd.Env = []string{}
	p := &process{dir: v.dir, files: vmalertFiles(v.dir), program: program, port: port, version: programVersion(ctx, program)}
	return p, p.start(cmd)
}

// flags are the command line, https://docs.victoriametrics.com/victoriametrics/vmalert/#flags. Nothing in it is secret.
func (v *vmalert) flags(port int, notifierURL string) []string {
	flags := []string{
		ruleFlag(v.dir),
		"-rule.stripFilePath",
		"-httpListenAddr=127.0.0.1:" + strconv.Itoa(port),
		"-httpAuth.username=" + engineUser,
		"-httpAuth.password=file://" + vmalertFiles(v.dir).password(),
		// By default rules look at what was 30 s ago, since VictoriaMetrics hides the last 30 s. Our engines hide 1 s.
		"-rule.evalDelay=5s",
		"-external.url=" + v.cfg.ConsoleURL,
		"-external.alert.source=deployments/" + v.d.ID + "/rules",
	}
	for _, engine := range []string{"datasource", "remoteWrite", "remoteRead"} {
		flags = append(flags,
			"-"+engine+".url="+v.engine.endpoint.URL,
			"-"+engine+".basicAuth.username="+v.engine.endpoint.Username,
			"-"+engine+".basicAuth.passwordFile="+v.engine.files.password())
	}
	if notifierURL == "" {
		return append(flags, "-notifier.blackhole")
	}
	return append(flags, "-notifier.url="+notifierURL)
}

func rulesDir(dir string) string { return filepath.Join(dir, "rules") }

// ruleFlag is also how a process is recognised as the vmalert of a deployment.
func ruleFlag(dir string) string { return "-rule=" + filepath.Join(rulesDir(dir), "*.yml") }

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
