package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/snippet"
)

// example gives the text that the console's copy button puts on the clipboard.
func (p *program) example(id, secret string, access gatehouse.Access) string {
	p.t.Helper()
	e, ok := snippet.Find(snippet.Input{
		EndpointURL: p.access, Type: gatehouse.SingleNode, Access: access,
		DeploymentName: "default", TokenName: "example", Secret: secret,
	}, id)
	if !ok {
		p.t.Fatalf("there is no example %q", id)
	}
	return e.Code
}

// start runs a real client until the test ends. Its whole process group is ended, since examples are shell scripts.
func start(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	var output bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	cmd.Env = append(os.Environ(), "PATH="+engineDir(t)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v; the test task installs what is missing: go tool task test", name, err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("output of %s:\n%s", name, output.String())
		}
	})
	return cmd
}

// nextPort is below the ports that systems hand out by themselves, so that nothing else gets the port until a test uses it.
var nextPort atomic.Int32

func init() { nextPort.Store(10_000 + int32(os.Getpid()%1000)*20) }

// freePort finds a port that nobody uses, and that no other test is given.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(nextPort.Add(1))
		if ln, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			ln.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// query asks for one number, and gives an error while there is no result.
func (p *program) query(secret, expr string) (float64, error) {
	a, err := p.tryRequest("POST", secret, "/api/v1/query?nocache=1&query="+url.QueryEscape(expr), "")
	if err != nil {
		return 0, err
	}
	var result struct {
		Data struct {
			Result []struct {
				Value [2]any
			}
		}
	}
	if err := json.Unmarshal([]byte(a.body), &result); err != nil || a.status != http.StatusOK {
		return 0, fmt.Errorf("query %s: status %d: %s", expr, a.status, a.body)
	}
	if len(result.Data.Result) == 0 {
		return 0, fmt.Errorf("query %s found nothing", expr)
	}
	return strconv.ParseFloat(result.Data.Result[0].Value[1].(string), 64)
}

func (p *program) arrives(secret, expr string) {
	p.t.Helper()
	eventually(p.t, "data arrives", func() error {
		_, err := p.query(secret, expr)
		return err
	})
}

// TestCopiedExamplesWork runs what a newcomer would paste, as it is.
func TestCopiedExamplesWork(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	writer := newToken(t, dir, "default", "writer", "w")
	reader := newToken(t, dir, "default", "reader", "r")

	t.Run("cURL writes and reads", func(t *testing.T) {
		out, err := exec.Command("sh", "-c", p.example("curl-write", writer, gatehouse.Write)).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "204") {
			t.Fatalf("the write example: %v: %s", err, out)
		}
		eventually(t, "the sample is found", func() error {
			out, err := exec.Command("sh", "-c", p.example("curl-read", reader, gatehouse.Read)).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "gatehouse_example") {
				return fmt.Errorf("%v: %s", err, out)
			}
			return nil
		})
	})

	t.Run("vmagent delivers", func(t *testing.T) {
		start(t, t.TempDir(), "sh", "-c", p.example("vmagent", writer, gatehouse.Write))
		p.arrives(reader, `up{job="vmagent"}`)
	})

	t.Run("Prometheus delivers", func(t *testing.T) {
		dir, port := t.TempDir(), freePort(t)
		config := "global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: prom\n    static_configs: [{targets: ['127.0.0.1:" + port + "']}]\n" +
			p.example("prometheus", writer, gatehouse.Write)
		if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		start(t, dir, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=127.0.0.1:"+port)
		p.arrives(reader, `up{job="prom"}`)
	})
}

// TestGrafanaProbes sends what Grafana's data sources send before and while they work.
func TestGrafanaProbes(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	p := serve(t, dir)
	p.waitRunning("default")
	reader := newToken(t, dir, "default", "grafana", "r")
	for _, probe := range []struct{ method, path, body string }{
		{"POST", "/api/v1/query", "query=1%2B1"},
		{"GET", "/api/v1/status/buildinfo", ""},
		{"GET", "/-/healthy", ""},
		{"POST", "/api/v1/query_range", "query=up&start=0&end=60&step=15"},
		{"POST", "/api/v1/series", "match%5B%5D=up"},
		{"POST", "/api/v1/labels", ""},
		{"GET", "/api/v1/label/__name__/values", ""},
		{"GET", "/api/v1/metadata", ""},
		{"GET", "/api/v1/rules", ""},
		{"GET", "/api/v1/alerts", ""},
		{"GET", "/prometheus/api/v1/query?query=1", ""},
		{"GET", "//api/v1/query?query=1", ""},
	} {
		req, err := http.NewRequest(probe.method, p.access+probe.path, strings.NewReader(probe.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+reader)
		if probe.body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s answered %d", probe.method, probe.path, resp.StatusCode)
		}
	}
}

// backend is a victoria-metrics of the test's own, which it can stop and start again.
type backend struct {
	t         *testing.T
	dir, port string
	cmd       *exec.Cmd
}

func (b *backend) start() {
	b.cmd = exec.Command(filepath.Join(engineDir(b.t), "victoria-metrics"), "-storageDataPath="+b.dir, "-httpListenAddr=127.0.0.1:"+b.port)
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *backend) stop() {
	b.cmd.Process.Signal(syscall.SIGTERM)
	b.cmd.Wait()
}

// TestNoSampleIsLostWhileTheBackendRestarts pushes 4,000 samples through vmagent, with the backend away for part of the time.
func TestNoSampleIsLostWhileTheBackendRestarts(t *testing.T) {
	const batches, size = 40, 100
	vm := &backend{t: t, dir: t.TempDir(), port: freePort(t)}
	vm.start()
	t.Cleanup(func() { vm.stop() })
	dir := newDataDir(t)
	p := serve(t, dir)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:"+vm.port)
	p.waitRunning("shop")
	value := newToken(t, dir, "shop", "both", "rw")

	work, port := t.TempDir(), freePort(t)
	if err := os.WriteFile(filepath.Join(work, "token"), []byte(value), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, work, filepath.Join(engineDir(t), "vmagent"), "-remoteWrite.url="+p.access+"/api/v1/write", "-remoteWrite.bearerTokenFile=token",
		"-remoteWrite.tmpDataPath=buffer", "-remoteWrite.flushInterval=100ms", "-remoteWrite.retryMaxInterval=1s", "-httpListenAddr=127.0.0.1:"+port)
	push := func(batch int) error {
		var lines strings.Builder
		for i := range size {
			fmt.Fprintf(&lines, "lasting{n=\"%d\"} 1\n", batch*size+i)
		}
		resp, err := http.Post("http://127.0.0.1:"+port+"/api/v1/import/prometheus", "text/plain", strings.NewReader(lines.String()))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNoContent {
			return fmt.Errorf("vmagent answered %d", resp.StatusCode)
		}
		return nil
	}
	eventually(t, "vmagent takes samples", func() error { return push(0) })
	for batch := 1; batch < batches; batch++ {
		switch batch {
		case batches / 4:
			vm.stop()
			eventually(t, "the endpoint says that the backend is away", func() error {
				if a := p.request("POST", value, "/api/v1/import/prometheus", "away 1"); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
					return fmt.Errorf("status %d: %s", a.status, a.body)
				}
				return nil
			})
		case batches * 3 / 4:
			vm.start()
		}
		if err := push(batch); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all samples are there", func() error {
		n, err := p.query(value, "count(lasting)")
		if err == nil && n != batches*size {
			err = fmt.Errorf("%v of %d", n, batches*size)
		}
		return err
	})
}
