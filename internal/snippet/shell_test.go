package snippet

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// hostileInputs hold what an attacker, or an odd imported secret, may put into each field. pwned must never be run.
func hostileInputs() map[string]Input {
	attacks := map[string]string{
		"quotes":       `a'b"c\d`,
		"substitution": "$(touch pwned) `touch pwned` ${HOME} $HOME $$ %{HOME}",
		"single quote": `'; touch pwned; '`,
		"newline":      "x\ntouch pwned\n'\ntouch pwned\n\"\ntouch pwned\n",
		"heredoc":      "x\nEOF\ntouch pwned\n",
		"history":      "!! !touch !$",
		"terminal":     "x\x1b[201~\rtouch pwned\r",
		"yaml":         "x\"\n    evil: \"true",
		"template":     `{{.Secret}} {{template "x"}}`,
	}
	all := map[string]Input{}
	for name, attack := range attacks {
		in := inputs()["single_node"]
		in.DeploymentName, in.TokenName, in.Secret = attack, attack, attack
		all[name] = in
	}
	return all
}

func TestCurlExamplesWorkInEveryShell(t *testing.T) {
	f := func(in Input, id, path, body string) {
		t.Helper()
		for _, shell := range shells(t) {
			r := newRecorder(t)
			in.EndpointURL = r.URL
			e, _ := Find(in, id)
			_, out := paste(t, shell, e.Code)
			got := r.all()
			want := request{"POST", path, "", "Bearer " + testSecret, body}
			if len(got) != 1 || got[0] != want {
				t.Errorf("%s in %s sent %+v, want %+v; output: %s", id, shell, got, want, out)
			}
			if e.Tab == WriteTab && !strings.Contains(out, "HTTP status 204") {
				t.Errorf("%s in %s does not show the status: %q", id, shell, out)
			}
		}
	}
	single, tenant, any := inputs()["single_node"], inputs()["cluster_tenant"], inputs()["cluster_any_tenant"]

	sample := `gatehouse_example{from="curl"} 1`
	f(single, "curl-write", "/api/v1/import/prometheus", sample)
	f(tenant, "curl-write", "/prometheus/api/v1/import/prometheus", sample)
	f(any, "curl-write", "/insert/0/prometheus/api/v1/import/prometheus", sample)

	point := `gatehouse_example,from=influx value=1`
	f(single, "influx", "/influx/write", point)
	f(tenant, "influx", "/influx/write", point)
	f(any, "influx", "/insert/0/influx/write", point)

	query := "nocache=1&query=" + url.QueryEscape(`{__name__=~"up|gatehouse_example.*"}`)
	f(single, "curl-read", "/api/v1/query", query)
	f(tenant, "curl-read", "/prometheus/api/v1/query", query)
	f(any, "curl-read", "/select/0/prometheus/api/v1/query", query)
}

func TestShellExamplesParse(t *testing.T) {
	all := hostileInputs()
	for kind, in := range inputs() {
		all[kind] = in
	}
	for kind, in := range all {
		for _, e := range Examples(in) {
			if e.Language != "sh" {
				continue
			}
			for _, shell := range shells(t) {
				cmd := exec.Command(shell, "-n")
				cmd.Stdin = strings.NewReader(e.Code)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %s does not parse %s: %v %s\n%s", kind, shell, e.ID, err, out, e.Code)
				}
			}
		}
	}
}

func TestHostileNamesAndSecretsRunNothing(t *testing.T) {
	stubs := stubPrograms(t)
	for kind, in := range hostileInputs() {
		for _, e := range Examples(in) {
			if e.Language != "sh" {
				continue
			}
			for _, shell := range shells(t) {
				dir, _ := paste(t, shell, e.Code, "PATH="+stubs+string(os.PathListSeparator)+os.Getenv("PATH"))
				err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
					if d != nil && d.Name() == "pwned" {
						t.Errorf("%s: pasting %s into %s ran a command out of the input:\n%s", kind, e.ID, shell, e.Code)
					}
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func TestSecretsStayOffCommandLines(t *testing.T) {
	stubs := stubPrograms(t)
	for kind, in := range inputs() {
		for _, e := range Examples(in) {
			if e.Language != "sh" {
				continue
			}
			_, out := paste(t, "sh", e.Code, "PATH="+stubs+string(os.PathListSeparator)+os.Getenv("PATH"))
			if !strings.Contains(out, "arguments of ") {
				t.Fatalf("%s: %s ran no program: %s", kind, e.ID, out)
			}
			if strings.Contains(out, testSecret) {
				t.Errorf("%s: %s shows the secret to whoever lists processes: %s", kind, e.ID, out)
			}
		}
	}
}

func TestOddSecretsArriveAsTheyAre(t *testing.T) {
	for _, secret := range []string{`a'b"c\d`, "$(touch pwned)`id`$HOME", "!! !x", "EOF", "-x", "@file", "a b"} {
		for _, shell := range shells(t) {
			r := newRecorder(t)
			in := inputs()["single_node"]
			in.EndpointURL, in.Secret = r.URL, secret
			e, _ := Find(in, "curl-write")
			paste(t, shell, e.Code)
			if got := r.all(); len(got) != 1 || got[0].authorization != "Bearer "+secret {
				t.Errorf("%s sent %+v, want the secret %q", shell, got, secret)
			}
		}
	}
}

func TestVmagentExampleDelivers(t *testing.T) {
	t.Parallel()
	r := runExample(t, "vmagent", inputs()["cluster_any_tenant"])
	if got := r.waitFor(t, "/insert/0/prometheus/api/v1/write"); got.authorization != "Bearer "+testSecret {
		t.Errorf("vmagent sent the credential %q", got.authorization)
	}
}

func TestVmalertExampleReadsAndWrites(t *testing.T) {
	t.Parallel()
	r := runExample(t, "vmalert", inputs()["cluster_tenant"])
	if got := r.waitFor(t, "/prometheus/api/v1/query"); got.authorization != "Bearer "+testSecret {
		t.Errorf("vmalert sent the credential %q", got.authorization)
	}
}

func TestReadOnlyVmalertExampleIsAccepted(t *testing.T) {
	t.Parallel()
	in := inputs()["single_node"]
	in.Access = gatehouse.Read
	r := runExample(t, "vmalert", in)
	r.waitFor(t, "/api/v1/query")
}

// runExample starts the real program as the example says, against a recorder, and stops it at the end of the test. Its own listener
// moves to a free port.
func runExample(t *testing.T, id string, in Input) *recorder {
	t.Helper()
	r := newRecorder(t)
	in.EndpointURL = r.URL
	e, _ := Find(in, id)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "sh")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), enginePath(t, id))
	port := freePort(t)
	code := strings.NewReplacer("127.0.0.1:18429", port, "127.0.0.1:18880", port).Replace(e.Code)
	cmd.Stdin = strings.NewReader(code)
	// The program is a child of the shell: both get the signal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	var log bytes.Buffer // read to its end by Wait, which so waits for the program and not only for the shell
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whatever did not stop by itself
		if t.Failed() {
			t.Logf("%s", log.String())
		}
		checkTokenFile(t, filepath.Join(cmd.Dir, fmt.Sprintf("%s-%s", id, newTarget(in).Slug()), "token"))
	})
	return r
}

// checkTokenFile wants nobody but the owner to read the token.
func checkTokenFile(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Error(err)
	} else if info.Mode().Perm() != 0o600 {
		t.Errorf("the token file has mode %v, want 0600", info.Mode().Perm())
	}
}
