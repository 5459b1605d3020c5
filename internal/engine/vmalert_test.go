package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
)

// ruled is a Supervisor of one deployment with rules.
type ruled struct {
	*watched
	deployment gatehouse.Deployment
	dir        string // where the files of vmalert lie

	mu     sync.Mutex
	set    gatehouse.RuleSet
	states []gatehouse.Evaluation // that were told of
}

func superviseRules(t *testing.T, programs string, set gatehouse.RuleSet) *ruled {
	t.Helper()
	w := supervise(t, programs, t.TempDir())
	r := &ruled{watched: w, deployment: managedDeployment(), dir: w.folder(testID), set: set}
	r.begin()
	return r
}

// begin tells the Supervisor of the deployment.
func (r *ruled) begin() {
	r.cfg.OnRules = func(string) {
		state, _ := r.evaluation().now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.states = append(r.states, state)
	}
	r.cfg.Rules = func(context.Context, string) (gatehouse.RuleSet, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.set, nil
	}
	r.Apply(created(r.deployment))
}

func (r *ruled) evaluation() *evaluation {
	r.Supervisor.mu.Lock()
	defer r.Supervisor.mu.Unlock()
	return r.workers[testID].rules
}

// change stores other rules, and tells of it as the store does.
func (r *ruled) change(set gatehouse.RuleSet) {
	r.mu.Lock()
	r.set = set
	r.mu.Unlock()
	r.Apply(created(r.deployment))
}

// awaitRules waits until what is known of the rules satisfies ok.
func (r *ruled) awaitRules(t *testing.T, what string, ok func(gatehouse.Evaluation) bool) gatehouse.Evaluation {
	t.Helper()
	var last gatehouse.Evaluation
	eventually(t, what, func() bool {
		e, err := r.Evaluation(t.Context(), testID)
		if err == nil {
			last = e
		}
		return err == nil && ok(e)
	})
	return last
}

func running(e gatehouse.Evaluation) bool { return e.Status == gatehouse.Running && len(e.Groups) > 0 }

func firing(e gatehouse.Evaluation) bool {
	return slices.ContainsFunc(e.Alerts(), func(a gatehouse.Alert) bool { return a.Firing })
}

func (r *ruled) vmalertPID(t *testing.T) (pid int) {
	t.Helper()
	eventually(t, "the process of vmalert is noted", func() bool {
		note, _ := os.ReadFile(vmalertFiles(r.dir).pid())
		_, err := fmt.Sscanf(string(note), "%d", &pid)
		return err == nil
	})
	return pid
}

func rulesOf(name, group, rules string) gatehouse.RuleFile {
	return gatehouse.RuleFile{DeploymentID: testID, Name: name, Content: []byte("groups:\n- name: " + group + "\n  interval: 1s\n  rules:\n" + rules)}
}

const recording = "  - record: answer\n    expr: vector(42)\n"
const alerting = "  - alert: Always\n    expr: vector(7)\n    labels: {severity: page}\n"

// notified is an Alertmanager that notes the alerts it gets.
func notified(t *testing.T) (url string, names func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v2/alerts" {
			http.NotFound(w, r)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var alerts []struct{ Labels map[string]string }
		if err := json.Unmarshal(body, &alerts); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		for _, a := range alerts {
			got = append(got, a.Labels["alertname"])
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func TestRulesAreEvaluatedAndTheirAlertsSent(t *testing.T) {
	t.Parallel()
	notifier, names := notified(t)
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{})
	engine := r.await(t, gatehouse.Running).Endpoint
	if e, err := r.Evaluation(t.Context(), testID); err != nil || e.Status != "" {
		t.Errorf("without rules the evaluation is %+v, %v", e, err)
	}
	r.change(gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a*[", "records", recording)}})
	r.awaitRules(t, "the rule is evaluated", func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleOK && e.Groups[0].Rules[0].Samples == 1
	})
	pid := r.vmalertPID(t)
	eventually(t, "the recorded series can be queried", func() bool {
		return strings.Contains(ask(t, engine, "/api/v1/export?match[]=answer", ""), "42")
	})

	both := []gatehouse.RuleFile{rulesOf("a*[", "records", recording), rulesOf("b", "alerts", alerting)}
	r.change(gatehouse.RuleSet{Files: both})
	e := r.awaitRules(t, "the alert is firing", firing)
	if a := e.Alerts()[0]; a.Name != "Always" || a.Value != "7" || a.Labels["severity"] != "page" || a.Since.IsZero() {
		t.Errorf("the alert is %+v", a)
	}
	if r.vmalertPID(t) != pid {
		t.Error("vmalert was started anew for other rules")
	}

	r.change(gatehouse.RuleSet{Files: both, NotifierURL: notifier})
	eventually(t, "the notifier gets the alert", func() bool { return slices.Contains(names(), "Always") })

	pid = r.vmalertPID(t)
	r.change(gatehouse.RuleSet{NotifierURL: notifier})
	awaitGone(t, pid)
	r.awaitRules(t, "nothing is evaluated", func(e gatehouse.Evaluation) bool { return e.Status == "" })
	if _, err := os.Stat(rulesDir(r.dir)); err == nil {
		t.Error("the rules are still on the disk")
	}
}

func TestTheDataDirectoryMayHaveAnyName(t *testing.T) {
	w := supervise(t, programDir(t), filepath.Join(t.TempDir(), `a, "b" [c] {d,e} 'f' *?`))
	r := &ruled{watched: w, deployment: managedDeployment(), dir: w.folder(testID), set: gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}}}
	r.begin()
	r.awaitRules(t, "the rule is evaluated", func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleOK
	})
}

// A list would lead alerts to where a single URL is not let to.
func TestANotifierWithACommaIsOneURL(t *testing.T) {
	var asked atomic.Value
	first := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked.Store(r.URL.Path) }))
	t.Cleanup(first.Close)
	second, names := notified(t)
	superviseRules(t, programDir(t), gatehouse.RuleSet{NotifierURL: first.URL + "/a," + second, Files: []gatehouse.RuleFile{rulesOf("b", "alerts", alerting)}})
	eventually(t, "the notifier is asked", func() bool {
		path, _ := asked.Load().(string)
		return strings.HasPrefix(path, "/a,")
	})
	if got := names(); len(got) > 0 {
		t.Errorf("what follows the comma gets %v", got)
	}
}

func TestARuleThatFailsSaysWhy(t *testing.T) {
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{Files: []gatehouse.RuleFile{
		rulesOf("f", "g", "  - record: bad\n    expr: label_replace(vector(1), \"a\", \"b\", \"c\", \"(\")\n"),
	}})
	e := r.awaitRules(t, "the rule fails", func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleFailing
	})
	if rule := e.Groups[0].Rules[0]; rule.Error == "" || rule.LastEvaluation.IsZero() {
		t.Errorf("the rule is %+v", rule)
	}
}

func TestAKilledVmalertStartsAgain(t *testing.T) {
	t.Parallel()
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("b", "alerts", alerting)}})
	r.awaitRules(t, "the alert is firing", firing)
	engine, pid := r.enginePID(t), r.vmalertPID(t)
	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "it is said to have failed", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.states, func(e gatehouse.Evaluation) bool {
			return e.Status == gatehouse.Failed && strings.Contains(e.Detail, "vmalert has ended (signal: killed")
		})
	})
	r.awaitRules(t, "another vmalert evaluates", func(e gatehouse.Evaluation) bool { return firing(e) && r.vmalertPID(t) != pid })
	if r.enginePID(t) != engine {
		t.Error("VictoriaMetrics was started anew")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	failed := slices.IndexFunc(r.states, func(e gatehouse.Evaluation) bool { return e.Status == gatehouse.Failed })
	if after := r.states[failed+1].Status; after != gatehouse.Running {
		t.Errorf("what went wrong is not said until it is over: after it, vmalert is %s", after)
	}
}

func TestAKilledEngineTakesVmalertWithIt(t *testing.T) {
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	r.awaitRules(t, "the rules are evaluated", running)
	pid := r.vmalertPID(t)
	syscall.Kill(r.enginePID(t), syscall.SIGKILL)
	awaitGone(t, pid)
	r.await(t, gatehouse.Running)
	r.awaitRules(t, "the rules are evaluated with the new engine", func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleOK
	})
}

func TestVmalertEndsBeforeItsEngine(t *testing.T) {
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	r.awaitRules(t, "the rules are evaluated", running)
	pid := r.vmalertPID(t)
	r.stop(t)
	if startTime(pid) != "" {
		t.Error("vmalert outlives Stop")
	}
	if log, _ := os.ReadFile(vmalertFiles(r.dir).log()); strings.Contains(string(log), "connection refused") {
		t.Errorf("vmalert has asked an engine that was gone:\n%s", log)
	}
}

func TestALeftoverVmalertIsEnded(t *testing.T) {
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	r.awaitRules(t, "the rules are evaluated", running)
	pid, files := r.vmalertPID(t), vmalertFiles(r.dir)
	syscall.Kill(pid, syscall.SIGSTOP)
	if err := files.endLeftover(t.Context(), "vmalert", files.passwordFlag(), vmalertSteps, slog.Default()); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, pid)
}

func TestVmalertHasNoSecretWhereOthersCouldSeeIt(t *testing.T) {
	t.Setenv("GATEHOUSE_ADMIN_PASSWORD", "of the first admin")
	r := superviseRules(t, programDir(t), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording+"    debug: true\n")}})
	r.awaitRules(t, "the rules are evaluated", func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleOK
	})
	pid := r.vmalertPID(t)
	_, own := r.evaluation().now()
	engine := r.last().Endpoint
	for _, path := range []string{fmt.Sprintf("/proc/%d/cmdline", pid), fmt.Sprintf("/proc/%d/environ", pid), vmalertFiles(r.dir).log(), logPath(r.dir)} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{engine.Password, own.Password, engine.authorization(), own.authorization(), "of the first admin"} {
			if strings.Contains(string(text), strings.TrimPrefix(secret, "Basic ")) {
				t.Errorf("%s holds a secret", path)
			}
		}
	}
	for _, path := range []string{"/api/v1/rules", "/-/reload", "/metrics", "/debug/pprof/cmdline"} {
		if status, _ := request(t, own, path, "", false); status != http.StatusUnauthorized {
			t.Errorf("vmalert answers %s with %d without a credential", path, status)
		}
	}
	if info, err := os.Stat(vmalertFiles(r.dir).password()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password file: %v, %v", info, err)
	}
}

func TestAMissingVmalertIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(programIn(programDir(t)), dir+"/victoria-metrics"); err != nil {
		t.Fatal(err)
	}
	r := superviseRules(t, dir, gatehouse.RuleSet{})
	r.await(t, gatehouse.Running)
	r.change(gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	e := r.awaitRules(t, "the evaluation fails", func(e gatehouse.Evaluation) bool { return e.Status == gatehouse.Failed })
	if !strings.Contains(e.Detail, "no vmalert program in "+dir) {
		t.Errorf("it says %q", e.Detail)
	}
	if err := os.Symlink(programDir(t)+"/vmalert", dir+"/vmalert"); err != nil {
		t.Fatal(err)
	}
	r.awaitRules(t, "the rules are evaluated", running)
}

func TestRuleErrorsSayWhatTheAnswerSays(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := plainError(text); got != want {
			t.Errorf("%s\nreads %q, want %q", text, got, want)
		}
	}
	const failed = `failed to execute query "up": unexpected response code 422 for http://127.0.0.1:3/prometheus/api/v1/query?query=up. Response body `
	f(failed+`{"status":"error","errorType":"422","error":"too many series"}`, "too many series")
	f(failed+"no JSON", "VictoriaMetrics answers HTTP status 422: no JSON")
	f(failed+"two\nlines", "VictoriaMetrics answers HTTP status 422: two\nlines")
	f(failed, "VictoriaMetrics answers HTTP status 422: ")
	f(`{"error":"x"}`, `{"error":"x"}`)
	f("exec exceeded limit of 1 with 2 samples", "exec exceeded limit of 1 with 2 samples")
}
