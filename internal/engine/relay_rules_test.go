package engine

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/access"
	"gatehouse/internal/gatehouse"
)

// elsewhereVM runs a VictoriaMetrics that Gatehouse does not manage, and gives its address.
func elsewhereVM(t *testing.T, flags ...string) string {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	vm := exec.Command(programIn(programDir(t)), append(flags, "-storageDataPath="+t.TempDir(), "-httpListenAddr="+addr, "-search.latencyOffset=0s")...)
	if err := vm.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vm.Process.Kill(); vm.Wait() })
	eventually(t, "the VictoriaMetrics elsewhere listens", func() bool { return !refuses(port) })
	return addr
}

// superviseRelayed supervises a deployment with rules, and has a real access endpoint.
func superviseRelayed(t *testing.T, programs string, d gatehouse.Deployment, set gatehouse.RuleSet) *ruled {
	t.Helper()
	w := supervise(t, programs, t.TempDir())
	table := access.NewTable(w.cfg.Log)
	table.Apply(created(d))
	w.relay.data = access.NewHandler(table, access.Options{Log: w.cfg.Log}).Evaluator
	r := &ruled{watched: w, deployment: d, dir: w.connectedFolder(d.ID), set: set}
	r.begin()
	return r
}

// exported asks a VictoriaMetrics behind Gatehouse's back for a series.
func exported(t *testing.T, url, username, password, series string) string {
	t.Helper()
	e := &Endpoint{URL: url, Username: username, Password: password}
	ask(t, e, "/internal/force_flush", "")
	return ask(t, e, "/api/v1/export?match[]="+series, "")
}

func TestRulesOfAConnectedDeploymentAreEvaluated(t *testing.T) {
	t.Parallel()
	const user, password = "gate", "upstream-secret-5"
	notifier, names := notified(t)
	at := "http://" + elsewhereVM(t, "-http.pathPrefix=/vm/a", "-httpAuth.username="+user, "-httpAuth.password="+password) + "/vm/a"
	d := connectedTo(at)
	d.Upstream = gatehouse.Upstream{Username: user, Password: password}
	r := superviseRelayed(t, programDir(t), d, gatehouse.RuleSet{})
	r.await(t, gatehouse.Running)
	if exists(r.dir) {
		t.Error("there is a folder for a deployment without rules")
	}

	r.change(gatehouse.RuleSet{NotifierURL: notifier, Files: []gatehouse.RuleFile{
		rulesOf("a", "records", recording+"  - record: twice\n    expr: 2 * answer\n"), rulesOf("b", "alerts", alerting)}})
	r.awaitRules(t, "the alert is firing", firing)
	eventually(t, "the notifier gets the alert", func() bool { return slices.Contains(names(), "Always") })
	eventually(t, "the recorded series can be queried", func() bool {
		return strings.Contains(exported(t, at, user, password, "answer"), "42")
	})
	r.awaitRules(t, "a rule sees what another one has recorded", func(e gatehouse.Evaluation) bool {
		return slices.ContainsFunc(e.Groups, func(g gatehouse.RuleGroup) bool { return len(g.Rules) == 2 && g.Rules[1].Samples == 1 })
	})
	if problem := r.RulesProblem(testID); problem != "" {
		t.Errorf("a problem is told of: %s", problem)
	}
	if lines, err := r.ProgramLog(testID, gatehouse.VmalertLog, 100); err != nil || len(lines) == 0 {
		t.Errorf("the log of vmalert cannot be read: %v", err)
	}

	pid := r.vmalertPID(t)
	for _, path := range []string{fmt.Sprintf("/proc/%d/cmdline", pid), fmt.Sprintf("/proc/%d/environ", pid), vmalertFiles(r.dir).log()} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		own, _ := os.ReadFile(relayFiles(r.dir).password())
		for _, secret := range []string{password, string(own)} {
			if secret == "" || strings.Contains(string(text), secret) {
				t.Errorf("%s holds a secret", path)
			}
		}
	}

	r.change(gatehouse.RuleSet{})
	awaitGone(t, pid)
	r.awaitRules(t, "nothing is evaluated", func(e gatehouse.Evaluation) bool { return e.Status == "" })
	eventually(t, "the password is removed", func() bool { return !exists(relayFiles(r.dir).password()) })
	if exists(rulesDir(r.dir)) {
		t.Error("the rules are still on the disk")
	}
}

func TestRulesOfAConnectedClusterHaveTheTenantZero(t *testing.T) {
	t.Parallel()
	at := elsewhereVM(t, "-http.pathPrefix=/insert/0/prometheus")
	from := elsewhereVM(t, "-http.pathPrefix=/select/0/prometheus")
	front := func(addr string) string { // which answers /health as the parts of a cluster do
		proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				healthy(w, r)
				return
			}
			proxy.ServeHTTP(w, r)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	insert, selects := "http://"+at+"/insert/0/prometheus", "http://"+from+"/select/0/prometheus"
	ask(t, &Endpoint{URL: selects}, "/api/v1/import/prometheus", fmt.Sprintf("seen 21 %d\n", time.Now().Add(-time.Minute).UnixMilli()))
	ask(t, &Endpoint{URL: selects}, "/internal/force_flush", "")

	d := gatehouse.Deployment{ID: testID, Name: "fleet", Type: gatehouse.Cluster, InsertURLs: []string{front(at)}, SelectURLs: []string{front(from)}}
	r := superviseRelayed(t, programDir(t), d, gatehouse.RuleSet{Files: []gatehouse.RuleFile{
		rulesOf("a", "records", "  - record: doubled\n    expr: 2 * seen\n"), rulesOf("b", "alerts", alerting)}})
	r.awaitRules(t, "the alert is firing", firing)
	eventually(t, "what vmselect has is recorded by vminsert", func() bool {
		return strings.Contains(exported(t, insert, "", "", "doubled"), "42")
	})
	if got := exported(t, selects, "", "", "doubled"); got != "" {
		t.Errorf("vmselect was written to: %s", got)
	}
}

func TestRulesGoOnWhenAConnectedDeploymentIsBack(t *testing.T) {
	t.Parallel()
	vm := &url.URL{Scheme: "http", Host: elsewhereVM(t)}
	var away atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(vm)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	r := superviseRelayed(t, programDir(t), connectedTo(srv.URL), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	healthy := func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleOK
	}
	r.awaitRules(t, "the rule is evaluated", healthy)
	pid := r.vmalertPID(t)
	away.Store(true)
	e := r.awaitRules(t, "the rule says that it fails", func(e gatehouse.Evaluation) bool {
		return running(e) && e.Groups[0].Rules[0].Health == gatehouse.RuleFailing
	})
	if rule := e.Groups[0].Rules[0]; !strings.Contains(rule.Error, "the deployment broke off before it answered") || strings.Contains(rule.Error, "127.0.0.1") {
		t.Errorf("it says %q", rule.Error)
	}
	away.Store(false)
	r.awaitRules(t, "the rule is evaluated again", healthy)
	if r.vmalertPID(t) != pid {
		t.Error("vmalert was started anew, which forgets pending alerts")
	}
}

func TestAKilledVmalertOfAConnectedDeploymentStartsAgain(t *testing.T) {
	t.Parallel()
	r := superviseRelayed(t, programDir(t), connectedTo("http://"+elsewhereVM(t)), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("b", "alerts", alerting)}})
	r.awaitRules(t, "the alert is firing", firing)
	pid := r.vmalertPID(t)
	syscall.Kill(pid, syscall.SIGKILL)
	eventually(t, "it is said to have failed", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.states, func(e gatehouse.Evaluation) bool {
			return e.Status == gatehouse.Failed && strings.Contains(e.Detail, "vmalert has ended (signal: killed")
		})
	})
	r.awaitRules(t, "another vmalert evaluates", func(e gatehouse.Evaluation) bool { return firing(e) && r.vmalertPID(t) != pid })
}

func TestOfADeletedConnectedDeploymentNothingIsLeft(t *testing.T) {
	r := superviseRelayed(t, programDir(t), connectedTo("http://"+elsewhereVM(t)), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	r.awaitRules(t, "the rules are evaluated", running)
	pid := r.vmalertPID(t)
	if ids, err := r.Folders(); err != nil || !slices.Equal(ids, []string{testID}) {
		t.Errorf("with files are %v, %v", ids, err)
	}
	r.Apply(gatehouse.Change{GoneDeployment: testID})
	eventually(t, "its folder is removed", func() bool { return !exists(r.dir) })
	if startTime(pid) != "" {
		t.Error("vmalert outlives its deployment")
	}
	if ids, err := r.Trash(); err != nil || len(ids) > 0 {
		t.Errorf("in the trash are %v, %v", ids, err)
	}
}

func TestAMissingVmalertIsNamedForConnectedDeploymentsToo(t *testing.T) {
	dir := t.TempDir()
	answering, _ := elsewhere(t)
	r := superviseRelayed(t, dir, connectedTo(answering), gatehouse.RuleSet{Files: []gatehouse.RuleFile{rulesOf("a", "records", recording)}})
	r.awaitRules(t, "the evaluation fails", func(e gatehouse.Evaluation) bool { return e.Status == gatehouse.Failed })
	if problem := r.RulesProblem(testID); !strings.Contains(problem, "no vmalert program in "+dir) {
		t.Errorf("it says %q", problem)
	}
	if r.await(t, gatehouse.Running).State.Detail != "" {
		t.Error("the deployment itself has a problem")
	}
}
