package samples

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// capture is a server that keeps what clients write to it.
func capture(t *testing.T) (url string, bodies <-chan Body) {
	t.Helper()
	kept := make(chan Body, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := io.ReadAll(r.Body)
		if err == nil && len(p) > 0 {
			select {
			case kept <- Body{Path: r.URL.Path, Query: r.URL.RawQuery, Header: r.Header, Bytes: p, Whole: true}:
			default:
			}
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(server.Close)
	return server.URL, kept
}

// arrives waits for a body that holds at least that many samples, and adds up what comes until then.
func arrives(t *testing.T, bodies <-chan Body, want int) (all []Body, total int) {
	t.Helper()
	eventually(t, "the client has sent its samples", func() bool {
		for {
			select {
			case b := <-bodies:
				n, err := Written(b)
				if err != nil {
					t.Fatalf("%s %v: %v", b.Path, b.Header, err)
				}
				all, total = append(all, b), total+n
			default:
				return total >= want
			}
		}
	})
	return all, total
}

func TestVmagentIsCounted(t *testing.T) {
	for protocol, flag := range map[string]string{"zstd": "-remoteWrite.forceVMProto", "snappy": "-remoteWrite.forcePromProto"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			url, bodies := capture(t)
			agent := start(t, "vmagent", flag, "-remoteWrite.url="+url+"/api/v1/write", "-remoteWrite.flushInterval=100ms", "-remoteWrite.tmpDataPath="+t.TempDir())
			res, err := http.Post("http://"+agent+"/api/v1/import/prometheus", "text/plain", strings.NewReader(strings.Repeat("by_vmagent{job=\"a\"} 1\n", 3000)))
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			all, total := arrives(t, bodies, 3000)
			if got := all[0].Header.Get("Content-Encoding"); got != protocol || total != 3000 {
				t.Errorf("counted %d in %s, want 3000 in %s", total, got, protocol)
			}
		})
	}
}

func TestPrometheusIsCountedAsInVictoriaMetrics(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("there is no prometheus here")
	}
	vm := startEngine(t)
	before := vm.inserted(t)
	url, bodies := capture(t)
	dir := t.TempDir()
	config := "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: vm, static_configs: [{targets: [" + strings.TrimPrefix(vm.url, "http://") +
		"]}]}]\nremote_write: [{url: " + url + "/api/v1/write, queue_config: {batch_send_deadline: 1s}}]\n"
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb", "--web.listen-address=127.0.0.1:0")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	all, total := arrives(t, bodies, 2000)
	for _, b := range all {
		vm.write(t, b)
	}
	if stored := vm.inserted(t) - before; stored != total {
		t.Errorf("counted %d; VictoriaMetrics counts %d", total, stored)
	}
}
