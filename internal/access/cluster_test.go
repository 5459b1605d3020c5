package access

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// startCluster runs VictoriaMetrics' cluster programs, which are not among the engine's, and connects them as the deployment "c".
func startCluster(t *testing.T, e *endpoint) (insert, sel string) {
	t.Helper()
	dir := os.Getenv("GATEHOUSE_CLUSTER_DIR")
	if dir == "" {
		t.Skip("GATEHOUSE_CLUSTER_DIR does not say where VictoriaMetrics' cluster programs are; see CONTRIBUTING.md")
	}
	forInsert, forSelect := freeAddress(t), freeAddress(t)
	program(t, filepath.Join(dir, "vmstorage"), "-storageDataPath="+t.TempDir(), "-vminsertAddr="+forInsert, "-vmselectAddr="+forSelect, "-loggerLevel=WARN")
	insert = program(t, filepath.Join(dir, "vminsert"), "-storageNode="+forInsert, "-loggerLevel=WARN")
	sel = program(t, filepath.Join(dir, "vmselect"), "-storageNode="+forSelect, "-search.latencyOffset=0s", "-loggerLevel=WARN")
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "c", Name: "c", Type: gatehouse.Cluster,
		InsertURLs: []string{insert}, SelectURLs: []string{sel}}})
	return insert, sel
}

// kindOfAnswer is what tells one answer of VictoriaMetrics from another, whatever the time.
type kindOfAnswer struct {
	status                int
	contentType, location string
}

func look(a *http.Response) kindOfAnswer {
	return kindOfAnswer{a.StatusCode, a.Header.Get("Content-Type"), a.Header.Get("Location")}
}

// TestTheEndpointAnswersAsTheCluster asks for every open path of a real cluster, directly and through the endpoint with both kinds
// of token, the tenant spelled out and not.
func TestTheEndpointAnswersAsTheCluster(t *testing.T) {
	const arguments = "?query=up&match[]=up&start=-1h&target=up&format=1:metric:by_csv&name=up&tagPrefix=a&tag=a&expr=up"
	e := newEndpoint(t, Options{})
	insert, sel := startCluster(t, e)
	any, seven := e.token("c", gatehouse.ReadWrite, nil), e.token("c", gatehouse.ReadWrite, tenant7)
	open := 0
	for _, row := range readPathRows(t) {
		node, method := sel, "GET"
		switch row.kind {
		case "write":
			node, method = insert, "POST"
		case "read", "ui":
		default:
			continue
		}
		for _, path := range row.paths {
			spelled := strings.HasPrefix(path, "/insert/") || strings.HasPrefix(path, "/select/")
			if row.on != gatehouse.Cluster || !spelled || refusedOnPurpose(row, path) {
				continue
			}
			open++
			direct := e.request(method, path+arguments, "", nil)
			direct.URL.Host = strings.TrimPrefix(node, "http://")
			direct.Host = direct.URL.Host
			want := look(e.do(direct).Response)
			ask := func(token, path string) {
				t.Helper()
				if got := e.do(e.request(method, path+arguments, token, nil)); look(got.Response) != want {
					t.Errorf("%s %s is answered %+v (%.200s); the cluster itself says %+v", method, path, look(got.Response), got.body, want)
				}
			}
			ask(any, path)
			if strings.Contains(path, "/"+multitenant+"/") {
				e.do(e.request(method, path, seven, nil)).mustRefuse(t, 403, "")
				continue
			}
			if strings.Contains(row.note, "NOT tenant filtered") || row.kind == "ui" && strings.Contains(path, "/vmalert") {
				continue // no tenant token reaches vmalert
			}
			ask(seven, path)
			ask(seven, strings.TrimPrefix(path[len("/insert"):], "/7"))
		}
	}
	if open < 100 {
		t.Errorf("only %d paths were asked for", open)
	}
}
