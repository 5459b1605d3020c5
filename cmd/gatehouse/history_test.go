package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

// viewer is a person who looks at Monitoring.
type viewer struct {
	*program
	client *http.Client
}

func newViewer(t *testing.T, p *program, email string) viewer {
	t.Helper()
	v := viewer{p, newBrowser(t)}
	r, err := v.client.PostForm(p.console+"/sign-in", url.Values{"email": {email}, "password": {browserPassword}})
	if status, at, text := arrived(t, r, err); status != http.StatusOK {
		t.Fatalf("signing in leads to %s with %d: %s", at, status, text)
	}
	return v
}

// sum gives how much a chart of the last hour shows in all, of all its lines.
func (v viewer) sum(path, chart string) (float64, error) {
	r, err := v.client.Get(v.console + path)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.500s", r.StatusCode, text)
	}
	var charts struct {
		Charts []struct {
			ID     string
			Series []struct{ Values []*float64 }
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &charts)
	}
	sum := 0.0
	for _, c := range charts.Charts {
		for _, s := range c.Series {
			for _, value := range s.Values {
				if c.ID == chart && value != nil {
					sum += *value * gatehouse.LastHour.Step().Seconds()
				}
			}
		}
	}
	return sum, err
}

func (v viewer) want(what, path, chart string, want float64) {
	v.t.Helper()
	eventually(v.t, fmt.Sprintf("the chart of %s shows %g %s", what, want, chart), func() error {
		got, err := v.sum(path, chart)
		if err == nil && math.Abs(got-want) > 0.01 {
			err = fmt.Errorf("it shows %g", got)
		}
		return err
	})
}

// systemPID is the process of the VictoriaMetrics that keeps the history.
func systemPID(t *testing.T, dataDir string) int {
	t.Helper()
	pid := 0
	eventually(t, "the VictoriaMetrics of the history runs", func() error {
		found := programsOn(t, filepath.Join(dataDir, "system"))
		for text := range found {
			pid, _ = strconv.Atoi(text)
		}
		if len(found) != 1 {
			return fmt.Errorf("%d run: %v", len(found), found)
		}
		return nil
	})
	return pid
}

var (
	listenFlag   = regexp.MustCompile(`-httpListenAddr=(\S+)`)
	passwordFlag = regexp.MustCompile(`-httpAuth\.password=file://(\S+)`)
)

// killSystem kills the VictoriaMetrics of the history. What it has in memory, which it writes to disk within five seconds, a snapshot
// puts there first.
func killSystem(t *testing.T, dataDir string) {
	t.Helper()
	pid := systemPID(t, dataDir)
	line := programsOn(t, filepath.Join(dataDir, "system"))[strconv.Itoa(pid)]
	address, file := listenFlag.FindStringSubmatch(line), passwordFlag.FindStringSubmatch(line)
	if address == nil || file == nil {
		t.Fatalf("its command line is %q", line)
	}
	password, err := os.ReadFile(file[1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fetch("http://gatehouse:" + strings.TrimSpace(string(password)) + "@" + address[1] + "/snapshot/create"); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}

func TestMonitoringShowsTheRequestsOfADeploymentAndOfATokenAndKeepsThem(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	const odd = `odd "name" {x=\"y\"} \`
	must(t, dir, "", "deployment", "create", odd)
	p.waitRunning("default")
	p.waitRunning(odd)
	addUser(t, dir, "editor@example.com", "editor")
	v := newViewer(t, p, "editor@example.com")

	busy, quiet := newToken(t, dir, odd, `busy "} or {`, "rw"), newToken(t, dir, odd, "quiet", "rw")
	for range 7 {
		p.request("POST", busy, "/api/v1/import/prometheus", "m 1")
	}
	p.request("GET", quiet, "/api/v1/query?query=m", "")
	id := func(deployment string) string { return p.show(deployment).ID }
	ofDeployment := func(deployment string) string { return views.MonitoringDataURL(id(deployment), gatehouse.LastHour) }
	ofToken := func(name string) string {
		return views.TokenDataURL(gatehouse.Token{ID: tokenID(t, dir, odd, name), DeploymentID: id(odd)}, gatehouse.LastHour)
	}
	all := func(times float64) {
		t.Helper()
		v.want("the deployment", ofDeployment(odd), "requests", 8*times)
		v.want("the busy token", ofToken(`busy "} or {`), "requests", 7*times)
		v.want("the busy token", ofToken(`busy "} or {`), "samples", 7*times)
		v.want("the quiet token", ofToken("quiet"), "requests", 1*times)
		v.want("the other deployment", ofDeployment("default"), "requests", 0)
	}
	all(1)
	killSystem(t, dir)
	for range 7 {
		p.request("POST", busy, "/api/v1/import/prometheus", "m 1")
	}
	p.request("GET", quiet, "/api/v1/query?query=m", "")
	all(2)
	p.stop()
	if left := programsOn(t, dir); len(left) > 0 {
		t.Errorf("after the server has stopped, these run: %v", left)
	}
	p = serve(t, dir)
	p.waitRunning(odd)
	v = newViewer(t, p, "editor@example.com")
	all(2)
}

func TestTheHistoryKeepsWhatHappenedJustBeforeTheServerStopped(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	systemPID(t, dir)
	eventually(t, "the history runs", func() error {
		if !strings.Contains(p.log.String(), `"msg":"history Running"`) {
			return fmt.Errorf("the log is %s", p.log)
		}
		return nil
	})
	secret := newToken(t, dir, "default", "last", "rw")
	for range 3 {
		p.request("GET", secret, "/api/v1/query?query=1", "")
	}
	p.stop()
	p = serve(t, dir)
	addUser(t, dir, "viewer@example.com", "viewer")
	newViewer(t, p, "viewer@example.com").want("the deployment", views.MonitoringDataURL(p.show("default").ID, gatehouse.LastHour), "requests", 3)
}

func TestWithoutVictoriaMetricsMonitoringSaysWhatToDoAndAllElseWorks(t *testing.T) {
	t.Parallel()
	dir, programs := newDataDir(t), t.TempDir()
	node := startSingleNode(t, "")
	must(t, dir, "", "deployment", "connect", "elsewhere", "--type", "single_node", "--url", node)
	p := serve(t, dir, "--engine-dir", programs)
	p.waitRunning("elsewhere")
	addUser(t, dir, "viewer@example.com", "viewer")
	v := newViewer(t, p, "viewer@example.com")
	p.wantWritable(newToken(t, dir, "elsewhere", "t", "rw"), "m")
	r, err := v.client.Get(p.console + views.MonitoringURL(p.show("elsewhere").ID, gatehouse.LastHour))
	if err != nil {
		t.Fatal(err)
	}
	if text := readAll(t, r); !strings.Contains(text, "there is no victoria-metrics program in "+programs+"; put one there") {
		t.Errorf("the page says nothing of the missing program: %d %.3000s", r.StatusCode, text)
	}
	program, err := exec.LookPath(filepath.Join(engineDir(t), "victoria-metrics"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(programs, "victoria-metrics")); err != nil {
		t.Fatal(err)
	}
	v.want("the deployment", views.MonitoringDataURL(p.show("elsewhere").ID, gatehouse.LastHour), "requests", 1)
}

// Who only connects deployments, and has no program, has chosen to have no history. An alert about it would never end.
func TestWithoutAProgramThereIsNoMetricOfTheHistory(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir, "--engine-dir", t.TempDir())
	if metrics := opsMetrics(t, p); strings.Contains(metrics, "gatehouse_history_up") {
		t.Error("the history is said to be down")
	}
	found, _ := doctorSays(t, dir, "--ops-listen", strings.TrimPrefix(p.ops, "http://"))
	wantFinding(t, found, "history", warned, "no victoria-metrics program")
}
