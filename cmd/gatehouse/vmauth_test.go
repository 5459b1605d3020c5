package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"gatehouse/internal/access"
	"gatehouse/internal/gatehouse"
)

// recordingBackend answers as a VictoriaMetrics would that serves what the access endpoint knows, and says who it is and what it was
// asked.
func recordingBackend(t *testing.T, name string, kind gatehouse.DeploymentType, part access.Part) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		route, refusal := access.Decide(kind, access.Scope{Access: gatehouse.ReadWrite}, r.URL.Path)
		shut := kind == gatehouse.SingleNode && slices.Contains(access.KnownPaths(kind), r.URL.Path) && refusal != nil
		if !shut && (refusal != nil || route.Part != part) {
			http.Error(w, "unsupported path", http.StatusBadRequest)
			return
		}
		path := r.URL.Path
		if !shut {
			path = route.Path // with 7 for the tenant 7:0
		}
		fmt.Fprintf(w, "%s %s %s?%s %q", name, r.Method, path, r.URL.Query().Encode(), body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// vmauthUser is a user of vmauth and what its clients send as Authorization.
type vmauthUser struct {
	name          string
	config        string
	authorization string
}

func basicHeader(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// thousandUsers are users of all kinds, each a hundred times.
func thousandUsers(single, insert, sel string) []vmauthUser {
	var users []vmauthUser
	for i := range 1000 {
		name, secret := fmt.Sprintf("user %d", i), fmt.Sprintf("secret-of-user-%04d", i)
		tenant := fmt.Sprint(i/10, ":", i%3) // several tenants
		both := "  url_map:\n" +
			"  - src_paths: [\"/api/v1/query.*\", \"/api/v1/label/[^/]+/values\", \"/api/v1/series\"]\n    url_prefix: " + sel + "/select/" + tenant + "/prometheus\n" +
			"  - src_paths: [\"/api/v1/write\", \"/api/v1/import.*\"]\n    url_prefix: " + insert + "/insert/" + tenant + "/prometheus\n"
		shared := "bearer_token: " + secret + "\n"
		u := [...]vmauthUser{
			{config: shared + "  url_prefix: " + single + "\n", authorization: "Bearer " + secret},
			{config: "username: " + secret + "\n  password: the same for many\n  url_prefix: " + single + "\n", authorization: basicHeader(secret + ":the same for many")},
			{config: shared + "  url_prefix: " + single + "/prometheus\n", authorization: "Token " + secret},
			{config: "username: " + secret + "\n  url_prefix: [" + insert + "/insert/" + tenant + "/prometheus/]\n", authorization: basicHeader(secret + ":")},
			{config: shared + "  url_prefix: [" + sel + "/select/" + tenant + "/prometheus]\n", authorization: basicHeader(secret + ":")},
			{config: "username: " + secret + "\n  password: the same for many\n" + both, authorization: basicHeader(secret + ":the same for many")},
			{config: shared + "  url_map:\n  - src_paths: [\"/insert/.+\"]\n    url_prefix: " + insert + "\n  - src_paths: [\"/select/.+\"]\n    url_prefix: " + sel + "/\n", authorization: "Bearer " + secret},
			{config: shared + "  url_map:\n  - src_paths: [\"/api/v1/(write|import.*)\"]\n    url_prefix: " + single + "\n", authorization: "Bearer " + secret},
			{config: "auth_token: Bearer " + secret + "\n  url_prefix: " + sel + "/select/" + tenant + "\n", authorization: "Token " + secret},
			{config: "auth_token: " + basicHeader("x:"+secret) + "\n" + both, authorization: basicHeader("x:" + secret)},
		}[i%10]
		u.name, u.config = name, "- name: "+name+"\n  "+u.config
		users = append(users, u)
	}
	return users
}

// requests are a handful for each user; together they cover all kinds of paths many times. Those in a row ask for the same, spelled as
// below a tenant, as on a single node and as in a cluster.
func requests(user int) [][]string {
	tenant := fmt.Sprint(user/10, ":", user%3)
	all := [][]string{
		{"GET /api/v1/query?query=up&time=5", "GET /prometheus/api/v1/query?query=up&time=5", "GET /select/" + tenant + "/prometheus/api/v1/query?query=up&time=5"},
		{"POST /api/v1/write", "POST /prometheus/api/v1/write", "POST /insert/" + tenant + "/prometheus/api/v1/write"},
		{"GET /api/v1/label/job/values", "GET /prometheus/api/v1/label/job/values"},
		{"POST /api/v1/import/prometheus?extra_label=a=b", "POST //api/v1/import/prometheus?extra_label=a=b", "POST /prometheus/api/v1/import/prometheus?extra_label=a=b"},
		{"GET /select/4:4/prometheus/api/v1/series?match[]=up"}, {"POST /insert/4:4/prometheus/api/v1/import"},
		{"GET /nothing/here"}, {"POST /influx/write?db=x"}, {"GET /api/v1/export?match[]=up", "GET /prometheus/api/v1/export?match[]=up"}, {"GET /api/v1/status/tsdb", "GET /prometheus/api/v1/status/tsdb"},
		{"POST /api/v1/admin/tsdb/delete_series?match[]=up", "POST /prometheus/api/v1/admin/tsdb/delete_series?match[]=up"}, {"GET /graphite/render?target=x"}, {"GET /api/v1/metadata", "GET /prometheus/api/v1/metadata"},
	}
	return [][]string{all[0], all[1], all[2+user/10%11], all[2+(user/10+3)%11]}
}

// sendAs gives the class of the status, and for a success what the backend says.
func sendAs(base, authorization, request string) (string, error) {
	method, path, _ := strings.Cut(request, " ")
	req, err := http.NewRequest(method, base+path, strings.NewReader("a body"))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		return fmt.Sprintf("%dxx", resp.StatusCode/100), err
	}
	return "2xx " + string(body), nil
}

// askAll sends all requests of all users.
func askAll(t *testing.T, base string, users []vmauthUser) map[string]string {
	t.Helper()
	var mu sync.Mutex
	answers := map[string]string{}
	var group errgroup.Group
	group.SetLimit(8)
	for i, u := range users {
		group.Go(func() error {
			for _, request := range slices.Concat(requests(i)...) {
				answer, err := sendAs(base, u.authorization, request)
				if err != nil {
					return err
				}
				mu.Lock()
				answers[u.name+": "+request] = answer
				mu.Unlock()
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return answers
}

// startVMAuth runs the real vmauth, and gives its address and a function that ends it.
func startVMAuth(t *testing.T, config string) (address string, stop func()) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	address = "127.0.0.1:" + freePort(t)
	cmd := exec.Command(filepath.Join(engineDir(t), "vmauth"), "-auth.config="+file, "-httpListenAddr="+address)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(stop)
	eventually(t, "vmauth is up", func() error {
		_, err := fetch("http://" + address + "/health")
		return err
	})
	return address, stop
}

// TestComingFromVMAuth sends the same requests of 1,000 users to vmauth, and then to a Gatehouse on the same port that has imported
// its configuration. Each gets the same answer from the same path of the same backend, but where the import has said otherwise.
func TestComingFromVMAuth(t *testing.T) {
	single := recordingBackend(t, "single", gatehouse.SingleNode, access.Single)
	insert := recordingBackend(t, "vminsert", gatehouse.Cluster, access.Insert)
	sel := recordingBackend(t, "vmselect", gatehouse.Cluster, access.Select)
	users := thousandUsers(single, insert, sel)
	var config strings.Builder
	config.WriteString("users:\n")
	for _, u := range users {
		config.WriteString(u.config)
	}
	address, stop := startVMAuth(t, config.String())
	before := askAll(t, "http://"+address, users)
	wrong := func() string {
		var answers []string
		for _, authorization := range []string{"Bearer secret-of-user-9999", "Bearer the same for many", basicHeader("user:the same for many"), basicHeader(":"), "Basic x"} {
			answer, err := sendAs("http://"+address, authorization, "GET /api/v1/query?query=up")
			if err != nil {
				t.Fatal(err)
			}
			answers = append(answers, answer)
		}
		return strings.Join(answers, " ")
	}
	refused := wrong()
	stop()

	dir := newDataDir(t)
	file := filepath.Join(t.TempDir(), "auth.yml")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := must(t, dir, "", "import", "vmauth", file, "--dry-run"); !strings.Contains(out, "To be imported: 1000. Nothing was changed.") {
		t.Errorf("the dry run says:\n%s", out)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Error("the dry run has left something behind")
	}
	var report importReport
	out := must(t, dir, "", "import", "vmauth", file, "--json")
	if strings.Contains(out, "secret-of-user") || strings.Contains(out, "the same for many") {
		t.Error("the import prints secrets")
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	serve(t, dir, "--access-listen", address)
	after := askAll(t, "http://"+address, users)

	told := 0
	for i, u := range users {
		said := report.Users[i]
		if said.Outcome != "imported" {
			t.Errorf("%s: %s %s", u.name, said.Outcome, said.Problem)
			continue
		}
		for _, same := range requests(i) {
			for _, request := range same {
				key := u.name + ": " + request
				if before[key] == after[key] {
					continue
				}
				told++
				lost := strings.HasPrefix(before[key], "2xx") && strings.HasPrefix(after[key], "4xx") && mentions(said.Lost, request)
				gained := strings.HasPrefix(before[key], "4xx") && strings.HasPrefix(after[key], "2xx") && mentions(said.Gained, request)
				spelling := strings.HasPrefix(before[key], "4xx") && slices.ContainsFunc(same, func(other string) bool {
					return before[u.name+": "+other] == strings.Replace(after[key], " /prometheus/", " /", 1) || before[u.name+": "+other] == after[key]
				})
				if !lost && !gained && !spelling {
					t.Errorf("%s\nvmauth:    %s\nGatehouse: %s", key, before[key], after[key])
				}
			}
		}
	}
	t.Logf("%d requests were compared, and %d were answered otherwise, as the import had said or in more spellings", len(before), told)
	if again := wrong(); again != refused || !strings.HasPrefix(again, "4xx") {
		t.Errorf("wrong credentials got %q from vmauth and %q from Gatehouse", refused, again)
	}
	if out := must(t, dir, "", "import", "vmauth", file); !strings.Contains(out, "Imported before: 1000. Imported: 0.") {
		t.Errorf("a second import says:\n%s", out[strings.LastIndex(out, "\nUsers"):])
	}
}

// mentions reports whether the path of a request is among the paths, which stand there without prefixes.
func mentions(paths []string, request string) bool {
	_, path, _ := strings.Cut(request, " ")
	path, _, _ = strings.Cut(path, "?")
	return slices.ContainsFunc(paths, func(p string) bool { return strings.HasSuffix(path, p) })
}
