package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// cluster is a deployment with tenants, into which a test can look behind Gatehouse's back. Tenants 7 and 8 hold the metric marker,
// whose label says whose it is: of="tenant 7".
type cluster struct {
	insertURL, selectURL string
	// holders gives the tenants that hold a metric, each as accountID:projectID, in order and with spaces between.
	holders func(metric string) (string, error)
	// multitenant says whether labels choose the tenant of what is written to the tenant multitenant.
	multitenant bool
}

// clusters are the ways to have tenants in VictoriaMetrics.
var clusters = map[string]func(*testing.T) *cluster{
	"single nodes under a path prefix":  startPrefixedNodes,
	"vmagent with multitenant handlers": startMultitenantAgent,
	"vminsert, vmselect and vmstorage":  startCluster,
}

// connect makes the cluster a deployment.
func (c *cluster) connect(p *program, name string) {
	p.t.Helper()
	must(p.t, p.dataDir, "", "deployment", "connect", name, "--type", "cluster", "--insert-url", c.insertURL, "--select-url", c.selectURL)
	p.waitRunning(name)
}

// startNode runs a VictoriaMetrics program and gives its URL, with the path prefix.
func startNode(t *testing.T, program, prefix string, flags ...string) string {
	t.Helper()
	at := "127.0.0.1:" + freePort(t)
	start(t, t.TempDir(), program, append([]string{"-httpListenAddr=" + at, "-http.pathPrefix=" + prefix, "-loggerLevel=WARN"}, flags...)...)
	node := "http://" + at + prefix
	eventually(t, filepath.Base(program)+" is up", func() error {
		_, err := fetch(node + "/health")
		return err
	})
	return node
}

// engineProgram finds a program that task engine builds.
func engineProgram(t *testing.T, name string) string { return filepath.Join(engineDir(t), name) }

func startSingleNode(t *testing.T, prefix string, flags ...string) string {
	flags = append(flags, "-storageDataPath=data", "-search.latencyOffset=0s")
	return startNode(t, engineProgram(t, "victoria-metrics"), prefix, flags...)
}

// mark writes the marker of a tenant.
func mark(t *testing.T, node, tenant string) {
	t.Helper()
	resp, err := http.Post(node+"/api/v1/import/prometheus", "text/plain", strings.NewReader(fmt.Sprintf("marker{of=\"tenant %s\"} %[1]s\n", tenant)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// series gives the labels of the series of a metric.
func series(node, metric string) ([]map[string]string, error) {
	body, err := fetch(node + "/api/v1/series?match[]=" + metric)
	var found struct{ Data []map[string]string }
	if err == nil {
		err = json.Unmarshal([]byte(body), &found)
	}
	return found.Data, err
}

// startPrefixedNodes runs a VictoriaMetrics for each tenant and part, which knows nothing of tenants, but serves nothing outside its
// path prefix. What is written to a tenant is not what is read from it.
func startPrefixedNodes(t *testing.T) *cluster {
	inserts := map[string]string{}
	for _, tenant := range []string{"7", "8"} {
		inserts[tenant] = startSingleNode(t, "/insert/"+tenant+"/prometheus")
	}
	front, url := startFront(t, inserts["7"], inserts["8"], startMarked(t, "7"), startMarked(t, "8"))
	return &cluster{insertURL: url, selectURL: url, holders: func(metric string) (string, error) {
		var found []string
		for _, tenant := range []string{"7", "8"} {
			if _, err := fetch(inserts[tenant] + "/internal/force_flush"); err != nil {
				return "", err
			}
			all, err := series(inserts[tenant], metric)
			if err != nil {
				return "", err
			}
			if len(all) > 0 {
				found = append(found, tenant+":0")
			}
		}
		return strings.Join(append(found, front.stray()...), " "), nil
	}}
}

// startMarked runs the part of single nodes that a tenant reads from.
func startMarked(t *testing.T, tenant string) string {
	node := startSingleNode(t, "/select/"+tenant+"/prometheus")
	mark(t, node, tenant)
	eventually(t, "the marker of tenant "+tenant+" shows", func() error {
		_, err := fetch(node + "/internal/force_flush")
		return err
	})
	return node
}

// startMultitenantAgent runs a vmagent that reads tenants from paths as vminsert does, and turns them into labels.
func startMultitenantAgent(t *testing.T) *cluster {
	front, url := startFront(t, startMarked(t, "7"), startMarked(t, "8"))
	store := startSingleNode(t, "")
	agent := startNode(t, engineProgram(t, "vmagent"), "", "-enableMultitenantHandlers", "-remoteWrite.url="+store+"/api/v1/write",
		"-remoteWrite.flushInterval=100ms", "-remoteWrite.queues=1", "-remoteWrite.tmpDataPath=buffer")
	return &cluster{insertURL: agent, selectURL: url, multitenant: true, holders: func(metric string) (string, error) {
		if _, err := fetch(store + "/internal/force_flush"); err != nil {
			return "", err
		}
		all, err := series(store, metric)
		var found []string
		for _, labels := range all {
			found = append(found, labels["vm_account_id"]+":"+labels["vm_project_id"])
		}
		slices.Sort(found)
		return strings.Join(slices.Compact(append(found, front.stray()...)), " "), err
	}}
}

// clusterProgram finds a program of the cluster version, which is not among the engine's.
func clusterProgram(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_CLUSTER_DIR")
	if dir == "" {
		t.Skipf("%s is not run: GATEHOUSE_CLUSTER_DIR does not say where VictoriaMetrics' cluster programs are; see CONTRIBUTING.md", name)
	}
	return filepath.Join(dir, name)
}

// startCluster runs a real cluster.
func startCluster(t *testing.T) *cluster {
	forInsert, forSelect := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	storage := startNode(t, clusterProgram(t, "vmstorage"), "", "-storageDataPath=data", "-vminsertAddr="+forInsert, "-vmselectAddr="+forSelect)
	c := &cluster{multitenant: true}
	c.insertURL = startNode(t, clusterProgram(t, "vminsert"), "", "-storageNode="+forInsert)
	c.selectURL = startNode(t, clusterProgram(t, "vmselect"), "", "-storageNode="+forSelect, "-search.latencyOffset=0s")
	for _, tenant := range []string{"7", "8"} {
		mark(t, c.insertURL+"/insert/"+tenant+"/prometheus", tenant)
	}
	c.holders = func(metric string) (string, error) {
		if _, err := fetch(storage + "/internal/force_flush"); err != nil {
			return "", err
		}
		body, err := fetch(c.selectURL + "/admin/tenants")
		var tenants struct{ Data []string }
		if err == nil {
			err = json.Unmarshal([]byte(body), &tenants)
		}
		var found []string
		for _, tenant := range tenants.Data {
			all, err := series(c.selectURL+"/select/"+tenant+"/prometheus", metric)
			if err != nil {
				return "", err
			}
			if len(all) > 0 {
				found = append(found, tenant)
			}
		}
		slices.Sort(found)
		return strings.Join(found, " "), err
	}
	for _, tenant := range []string{"7", "8"} {
		eventually(t, "the tenant "+tenant+" is marked", func() error {
			if found, err := c.holders("marker"); err != nil || !strings.Contains(found, tenant+":0") {
				return fmt.Errorf("%s hold it: %v", found, err)
			}
			return nil
		})
	}
	return c
}

// front puts several nodes behind one URL, by their path prefixes. Paths go on as they are.
type front struct {
	nodes map[string]http.Handler // by path prefix

	mu     sync.Mutex
	beyond []string // what was asked of no node, as "METHOD URI"
}

func startFront(t *testing.T, nodes ...string) (*front, string) {
	t.Helper()
	f := &front{nodes: map[string]http.Handler{}}
	for _, node := range nodes {
		at, err := url.Parse(node)
		if err != nil {
			t.Fatal(err)
		}
		f.nodes[at.Path+"/"] = httputil.NewSingleHostReverseProxy(&url.URL{Scheme: at.Scheme, Host: at.Host})
	}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server.URL
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for prefix, node := range f.nodes {
		if strings.HasPrefix(r.URL.Path, prefix) {
			node.ServeHTTP(w, r)
			return
		}
	}
	switch r.URL.Path {
	case "/health": // Gatehouse looks whether it runs, and for the version
		io.WriteString(w, "OK")
	case "/metrics":
	default:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.beyond = append(f.beyond, r.Method+" "+r.RequestURI)
		w.WriteHeader(http.StatusBadRequest)
	}
}

// stray gives what was asked of no node.
func (f *front) stray() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.beyond)
}
