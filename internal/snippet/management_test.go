package snippet

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

const testKey = "vmak_testtesttesttesttesttesttestte0aB1cD"

// call is a request of the management API.
type call struct {
	path, key string
	body      map[string]any
}

// newAPI is a management API that notes what it is asked for.
func newAPI(t *testing.T) (url string, calls *[]call) {
	t.Helper()
	calls = &[]call{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call{path: r.Method + " " + r.URL.Path, key: r.Header.Get("X-VM-Cloud-Access")}
		if err := json.NewDecoder(r.Body).Decode(&c.body); err != nil && err != io.EOF {
			t.Errorf("the body is not JSON: %v", err)
		}
		*calls = append(*calls, c)
		io.WriteString(w, `{}`)
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

// management gives the code with the ID.
func management(t *testing.T, all []Management, id string) Management {
	t.Helper()
	for _, m := range all {
		if m.ID == id {
			return m
		}
	}
	t.Fatalf("there is no %s", id)
	return Management{}
}

// hostileNames try to get out of the quotes of shells, JSON and Terraform.
var hostileNames = []string{
	"vmagent prod", "it's", `'; touch pwned; '`, `'; touch pwned #`, "$(touch pwned)", "`touch pwned`", "${HOME} %{if true}", "$${x}", `a"b\c`, "!! !$",
	"-rf", "--help", "=ls", "~root", "*", "über ☂ 日本", "<b>&amp;</b>", "a\\", `\"`,
}

func TestCurlSendsWhatWasEntered(t *testing.T) {
	f := func(code func(url string) []Management, want call) {
		t.Helper()
		for _, shell := range shells(t) {
			url, calls := newAPI(t)
			dir, out := paste(t, shell, management(t, code(url), "curl").Code, "GATEHOUSE_API_KEY="+testKey)
			want.key = testKey
			if len(*calls) != 1 || !reflect.DeepEqual((*calls)[0], want) {
				t.Errorf("%s sent %+v, want %+v; output: %s", shell, *calls, want, out)
			}
			wantNothingIn(t, dir)
		}
	}
	for _, name := range hostileNames {
		f(func(url string) []Management {
			return GenerateToken(url, TokenForm{DeploymentID: "d-1", Name: name, Access: "w", Tenant: "7:9"})
		}, call{"POST /api/v1/deployments/d-1/access_tokens", "", map[string]any{"type": "w", "description": name, "tenant_id": "7:9"}})
	}
	f(func(url string) []Management { return CreateDeployment(url, single("it's")) }, call{"POST /api/v1/deployments", "", map[string]any{
		"name": "it's", "type": "single_node", "provider": "local", "region": "local", "tier": float64(gatehouse.Unlimited.ID), "retention": 30.0, "retention_unit": "d",
	}})
	f(func(url string) []Management {
		return UpdateDeployment(url, gatehouse.Deployment{ID: "d-1", Name: "old", Managed: true}, sized("it's"))
	}, call{"PUT /api/v1/deployments/d-1", "", map[string]any{
		"name": "it's", "tier": 22.0, "retention": 6.0, "retention_unit": "m", "storage_size": 40.0, "storage_size_unit": "GB", "deduplication": 500.0,
		"deduplication_unit": "ms", "maintenance_window": "Mon-Fri 4-5am", "flags": map[string]any{"single_flags": []any{"-search.maxQueryDuration=20s"}},
	}})
	f(func(url string) []Management {
		return UpdateDeployment(url, gatehouse.Deployment{ID: "d-1", Name: "old"}, gatehouse.Settings{Name: "renamed"})
	}, call{"PUT /api/v1/deployments/d-1", "", map[string]any{"name": "renamed", "tier": float64(gatehouse.Unlimited.ID)}})
	f(func(url string) []Management { return ConnectDeployment(url, cluster("it's")) }, call{"POST /api/v1/deployments/connect", "", map[string]any{
		"name": "it's", "type": "cluster", "insert_urls": []any{"http://a:8480", "http://b:8480"}, "select_urls": []any{"http://c:8481"},
		"max_concurrent_requests": 50.0,
	}})
}

func single(name string) gatehouse.NewDeployment {
	return gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode}
}

// sized has every setting.
func sized(name string) gatehouse.Settings {
	return gatehouse.Settings{
		Name: name, Tier: "s.micro.a", Retention: gatehouse.Retention{Value: 6, Unit: "m"}, StorageGB: 40,
		Deduplication: gatehouse.Deduplication{Value: 500, Unit: "ms"}, MaintenanceWindow: "Mon-Fri 4-5am",
		Flags: gatehouse.Flags{Single: []string{"-search.maxQueryDuration=20s"}},
	}
}

func cluster(name string) gatehouse.NewDeployment {
	return gatehouse.NewDeployment{
		Name: name, Type: gatehouse.Cluster, InsertURLs: []string{"http://a:8480", "http://b:8480"}, SelectURLs: []string{"http://c:8481"},
		MaxConcurrentRequests: 50,
	}
}

// TestAPIKeyStaysOffCommandLines looks at the arguments of curl, which every user of the machine can see.
func TestAPIKeyStaysOffCommandLines(t *testing.T) {
	path := "PATH=" + stubPrograms(t) + string(os.PathListSeparator) + os.Getenv("PATH")
	for _, code := range []string{
		management(t, GenerateToken("http://x", TokenForm{DeploymentID: "d", Name: "n", Access: "r"}), "curl").Code, ListDeployments("http://x", testKey),
	} {
		if _, out := paste(t, "sh", code, path, "GATEHOUSE_API_KEY="+testKey); !strings.Contains(out, "arguments of curl") || strings.Contains(out, testKey) {
			t.Errorf("%s shows the key: %s", code, out)
		}
	}
}

func TestFirstRequestOfAnAPIKey(t *testing.T) {
	for _, shell := range shells(t) {
		url, calls := newAPI(t)
		paste(t, shell, ListDeployments(url, testKey))
		if want := []call{{"GET /api/v1/deployments", testKey, nil}}; !reflect.DeepEqual(*calls, want) {
			t.Errorf("%s sent %+v", shell, *calls)
		}
	}
}

// TestCommandLineTakesWhatWasEntered runs the commands with a stub that prints its arguments, one a line.
func TestCommandLineTakesWhatWasEntered(t *testing.T) {
	stubs := t.TempDir()
	stub := "#!/bin/sh\nfor a in \"$@\"; do printf '%s\\n' \"$a\"; done\n"
	if err := os.WriteFile(filepath.Join(stubs, "gatehouse"), []byte(stub), 0o755); err != nil {
		t.Fatal(err)
	}
	f := func(all []Management, want ...string) {
		t.Helper()
		for _, shell := range shells(t) {
			dir, out := paste(t, shell, management(t, all, "cli").Code, "PATH="+stubs+string(os.PathListSeparator)+os.Getenv("PATH"))
			if got := strings.Split(strings.TrimSuffix(out, "\n"), "\n"); !reflect.DeepEqual(got, want) {
				t.Errorf("%s gave %q, want %q", shell, got, want)
			}
			wantNothingIn(t, dir)
		}
	}
	for _, name := range hostileNames {
		f(GenerateToken("http://x", TokenForm{DeploymentID: "d-1", Name: name, Access: "rw"}),
			"token", "create", "--deployment=d-1", "--name="+name, "--access=rw")
		if strings.HasPrefix(name, "-") {
			f(CreateDeployment("http://x", single(name)), "deployment", "create", "--", name)
		} else {
			f(CreateDeployment("http://x", single(name)), "deployment", "create", name)
		}
	}
	old := gatehouse.Deployment{ID: "d-1", Name: "old", Managed: true, Type: gatehouse.SingleNode}
	f(UpdateDeployment("http://x", old, sized("it's")), "deployment", "set", "--tier=s.micro.a", "--retention=6m", "--storage=40GB", "--deduplication=500ms",
		"--maintenance-window=Mon-Fri 4-5am", "--flag=-search.maxQueryDuration=20s", "--rename=it's", "d-1")
	has := sized("old")
	old.Tier, old.Retention, old.Deduplication, old.MaintenanceWindow, old.Flags = has.Tier, has.Retention, has.Deduplication, has.MaintenanceWindow, has.Flags
	f(UpdateDeployment("http://x", old, gatehouse.Settings{Name: "old"}),
		"deployment", "set", "--tier=unlimited", "--retention=30d", "--deduplication=0s", "--maintenance-window=any", "--no-flags", "d-1")
	f(UpdateDeployment("http://x", gatehouse.Deployment{ID: "d-1", Name: "old"}, gatehouse.Settings{Name: "new", MaxConcurrentRequests: 7}),
		"deployment", "set", "--max-concurrent-requests=7", "--rename=new", "d-1")
	s := sized("new")
	f(CreateDeployment("http://x", gatehouse.NewDeployment{
		Name: s.Name, Type: gatehouse.Cluster, Tier: "cluster-large", StorageGB: s.StorageGB, Deduplication: s.Deduplication, MaintenanceWindow: s.MaintenanceWindow,
		Flags: gatehouse.Flags{Select: []string{"-search.maxQueueDuration=20s", "-search.disableCache"}, Insert: []string{"-maxLabelNameLen=5"}}, Region: "it's",
	}), "deployment", "create", "--type=cluster", "--region=it's", "--tier=cluster-large", "--storage=40GB", "--deduplication=500ms",
		"--maintenance-window=Mon-Fri 4-5am", "--insert-flag=-maxLabelNameLen=5", "--select-flag=-search.maxQueueDuration=20s", "--select-flag=-search.disableCache", "new")
	n := cluster("many")
	n.Upstream = gatehouse.Upstream{Username: "it's me", Password: "hunter2", CA: "hunter2"}
	f(ConnectDeployment("http://x", n), "deployment", "connect", "--type=cluster", "--insert-url=http://a:8480", "--insert-url=http://b:8480",
		"--select-url=http://c:8481", "--max-concurrent-requests=50", "--upstream-username=it's me", "--upstream-password-file=PASSWORD_FILE",
		"--upstream-ca-file=CA.pem", "many")
}

func TestCredentialsOfADeploymentAreNotPrinted(t *testing.T) {
	n := cluster("many")
	n.Upstream = gatehouse.Upstream{Username: "gate", Password: "hunter2", Bearer: "hunter2", CA: "hunter2", Cert: "hunter2", Key: "hunter2"}
	for _, m := range ConnectDeployment("http://x", n) {
		if strings.Contains(m.Code+m.Intro, "hunter2") {
			t.Errorf("%s prints a credential:\n%s", m.ID, m.Code)
		}
	}
}

func TestTerraform(t *testing.T) {
	f := func(all []Management, want string) {
		t.Helper()
		if got := management(t, all, "terraform").Code; !strings.HasSuffix(got, want) {
			t.Errorf("terraform is\n%s\nwant at its end\n%s", got, want)
		}
	}
	f(GenerateToken("http://gw:8420", TokenForm{DeploymentID: "d-1", Name: `${a} %{b} "c" \`, Access: "w"}), `
provider "victoriametricscloud" {
  base_url = "http://gw:8420"
}

resource "victoriametricscloud_access_token" "a_b_c" {
  deployment_id = "d-1"
  type          = "w"
  description   = "$${a} %%{b} \"c\" \\"
}
`)
	f(CreateDeployment("http://gw:8420", single("7 of 9")), `
resource "victoriametricscloud_deployment" "deployment_7_of_9" {
  name               = "7 of 9"
  type               = "single_node"
  cloud_provider     = "aws"
  region             = "local"
  tier               = `+fmt.Sprint(gatehouse.Unlimited.ID)+`
  storage_size       = 10
  storage_size_unit  = "GB"
  retention          = 30
  retention_unit     = "d"
  deduplication      = 0
  deduplication_unit = "s"
  maintenance_window = "Sat-Sun 3-4am"
}
`)
	for _, all := range [][]Management{
		GenerateToken("http://gw", TokenForm{DeploymentID: "d", Name: "n", Access: "w", Tenant: "7"}), ConnectDeployment("http://gw", cluster("n")),
	} {
		m := management(t, all, "terraform")
		if !strings.Contains(m.Intro, "with cURL") || m.Code != management(t, all, "curl").Code {
			t.Errorf("terraform cannot do this, but the console says %q\n%s", m.Intro, m.Code)
		}
	}
}

func TestTerraformNamesAreValid(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, name := range append(hostileNames, "", "7", "---", "日本") {
		if id := identifier(name, "token"); !valid.MatchString(id) {
			t.Errorf("%q becomes %q", name, id)
		}
	}
}

// TestCodeIsSafeToPaste looks for what a terminal takes for a key.
func TestCodeIsSafeToPaste(t *testing.T) {
	const evil = "x\n\x1b[201~\rtouch pwned\r\u2028"
	n := gatehouse.NewDeployment{Name: evil, Type: evil, URLs: []string{evil}, Upstream: gatehouse.Upstream{Username: evil}}
	all := append(GenerateToken(evil, TokenForm{evil, evil, evil, evil}), CreateDeployment(evil, gatehouse.NewDeployment{Name: evil, Type: gatehouse.DeploymentType(evil), Region: evil, Tier: evil, MaintenanceWindow: evil})...)
	for _, m := range append(all, ConnectDeployment(evil, n)...) {
		if strings.ContainsAny(m.Code, "\x1b\r\u2028") || strings.Contains(m.Code, "x\n") {
			t.Errorf("%s holds control characters: %q", m.ID, m.Code)
		}
	}
}

// wantNothingIn fails the test when pasted code has made a file.
func wantNothingIn(t *testing.T, dir string) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Errorf("a command out of the input ran: it made %s", file.Name())
	}
}
