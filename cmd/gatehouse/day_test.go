package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatehouse/internal/auditexport"
	"gatehouse/internal/gatehouse"
)

// day is a server on which every action is done once, and what its audit log says of it.
type day struct {
	*testing.T
	p       *program
	dataDir string
	key     string // an API key for everything
	browser *http.Client
	seen    int64           // number of the last record that was looked at
	done    map[string]bool // actions so far
}

// cli runs a command and gives what it prints, trimmed.
func (d *day) cli(stdin string, args ...string) string {
	d.Helper()
	return strings.TrimSpace(must(d.T, d.dataDir, stdin, args...))
}

// api calls the management API and decodes the answer, when it is JSON, into out.
func (d *day) api(wantStatus int, key, method, path, body string, out any) {
	d.Helper()
	status, text := d.ask(key, method, path, body)
	if status != wantStatus {
		d.Fatalf("%s %s: got status %d, want %d: %s", method, path, status, wantStatus, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			d.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
}

// apiSoon calls the management API until it does it.
func (d *day) apiSoon(wantStatus int, method, path, body string) {
	d.Helper()
	eventually(d.T, method+" "+path, func() error {
		if status, text := d.ask(d.key, method, path, body); status != wantStatus {
			return fmt.Errorf("status %d: %s", status, text)
		}
		return nil
	})
}

func (d *day) ask(key, method, path, body string) (status int, text []byte) {
	d.Helper()
	r, err := http.NewRequest(method, d.p.console+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("X-VM-Cloud-Access", key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err = io.ReadAll(answer.Body); err != nil {
		d.Fatal(err)
	}
	return answer.StatusCode, text
}

// form sends a form of the console, as the page itself would.
func (d *day) form(wantStatus int, browser *http.Client, path string, fields url.Values) {
	d.Helper()
	r, err := http.NewRequest(http.MethodPost, d.p.console+path, strings.NewReader(fields.Encode()))
	if err != nil {
		d.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := browser.Do(r)
	if status, _, text := arrived(d.T, answer, err); status != wantStatus {
		d.Fatalf("POST %s: got status %d, want %d:\n%s", path, status, wantStatus, text)
	}
}

// records gives what is new in the audit log, oldest first.
func (d *day) records() []auditexport.Record {
	d.Helper()
	var all, fresh []auditexport.Record
	if err := json.Unmarshal([]byte(d.cli("", "audit", "list", "--json", "--limit", "0")), &all); err != nil {
		d.Fatal(err)
	}
	for _, r := range slices.Backward(all) {
		if r.Seq > d.seen {
			fresh = append(fresh, r)
			d.seen = r.Seq
		}
	}
	return fresh
}

// step does something, of which the log must say exactly the actions, in this order.
func (d *day) step(what string, do func(), actions ...gatehouse.Action) {
	d.Helper()
	do()
	var want, got []string
	for _, a := range actions {
		want = append(want, string(a))
		d.done[string(a)] = true
	}
	for _, r := range d.records() {
		got = append(got, r.Action)
		if r.At.IsZero() || r.ActorKind == "" {
			d.Errorf("%s: the record does not say who or when: %+v", what, r)
		}
	}
	if !slices.Equal(got, want) {
		d.Errorf("%s: the log says %q, want %q", what, got, want)
	}
}

func newDay(t *testing.T) *day {
	t.Helper()
	d := &day{T: t, dataDir: newDataDir(t), browser: newBrowser(t), done: map[string]bool{}}
	d.p = serve(t, d.dataDir, "--audit-retention", "1d")
	d.records() // of the first start
	return d
}

func TestEveryActionOfADayHasItsRecord(t *testing.T) {
	t.Parallel()
	d := newDay(t)
	const password, newPassword = "correct horse battery", "another horse battery"

	t.Log("users")
	d.step("create a user", func() { d.cli(password, "user", "create", "--email", "root@example.com", "--role", "admin") }, gatehouse.UserCreated)
	d.step("sign in", func() {
		d.form(http.StatusOK, d.browser, "/sign-in", url.Values{"email": {"root@example.com"}, "password": {password}})
	}, gatehouse.SignedIn)
	d.step("a wrong password", func() {
		d.form(http.StatusUnauthorized, newBrowser(t), "/sign-in", url.Values{"email": {"root@example.com"}, "password": {"wrong"}})
	}, gatehouse.SignInFailed)
	d.step("create an API key", func() {
		d.key = d.cli("", "apikey", "create", "--name", "terraform", "--permissions", "rw", "--expires", "never")
	}, gatehouse.APIKeyCreated)
	d.step("invite", func() {
		d.api(http.StatusOK, d.key, "POST", "/users", `{"email":"ana@example.com","role":"viewer"}`, nil)
	}, gatehouse.UserInvited)
	d.step("make a link", func() { d.cli("", "user", "reset-link", "ana@example.com") }, gatehouse.UserLinkMade)
	d.step("set a password", func() { d.cli(password, "user", "set-password", "ana@example.com") }, gatehouse.UserPasswordSet)
	ana := newBrowser(t)
	d.step("sign in as a viewer", func() {
		d.form(http.StatusOK, ana, "/sign-in", url.Values{"email": {"ana@example.com"}, "password": {password}})
	}, gatehouse.SignedIn)
	d.step("a viewer tries to connect", func() {
		d.form(http.StatusForbidden, ana, "/deployments/connect", url.Values{"name": {"x"}, "type": {"single_node"}, "url": {"http://127.0.0.1:1"}})
	}, gatehouse.Denied)
	d.step("another role", func() { d.cli("", "user", "role", "ana@example.com", "editor") }, gatehouse.UserRoleChanged)
	d.step("change one's own password", func() {
		d.form(http.StatusOK, ana, "/profile/password", url.Values{"current": {password}, "password": {newPassword}, "repeat": {newPassword}})
	}, gatehouse.UserPasswordSet)
	d.step("end one's other sessions", func() {
		other := newBrowser(t)
		d.form(http.StatusOK, other, "/sign-in", url.Values{"email": {"ana@example.com"}, "password": {newPassword}})
		d.form(http.StatusOK, ana, "/profile/sessions/end-others", nil)
	}, gatehouse.SignedIn, gatehouse.SessionEnded)
	d.step("sign out", func() { d.form(http.StatusOK, ana, "/sign-out", nil) }, gatehouse.SignedOut)
	d.step("disable", func() { d.cli("", "user", "disable", "ana@example.com") }, gatehouse.UserDisabled)
	d.step("enable", func() { d.cli("", "user", "enable", "ana@example.com") }, gatehouse.UserEnabled)
	d.step("delete", func() { d.cli("", "user", "delete", "ana@example.com") }, gatehouse.UserDeleted)

	t.Log("deployments, tokens and rules")
	var managed, token struct{ ID string }
	d.step("create a deployment", func() {
		d.api(http.StatusOK, d.key, "POST", "/deployments", `{"name":"managed","type":"single_node","provider":"local","region":"local","tier":1,`+
			`"storage_size":10,"storage_size_unit":"GB","deduplication":0,"deduplication_unit":"s","retention":30,"retention_unit":"d","maintenance_window":"Sat-Sun 3-4am"}`, &managed)
	}, gatehouse.DeploymentCreated, gatehouse.TokenCreated)
	d.step("change it", func() { d.cli("", "deployment", "set", "managed", "--rename", "renamed") }, gatehouse.DeploymentChanged)
	d.step("connect another", func() {
		d.cli("", "deployment", "connect", "elsewhere", "--type", "single_node", "--url", "http://127.0.0.1:1")
	}, gatehouse.DeploymentConnected, gatehouse.TokenCreated)
	d.step("create a token", func() {
		d.api(http.StatusOK, d.key, "POST", "/deployments/"+managed.ID+"/access_tokens", `{"type":"r","description":"grafana"}`, &token)
	}, gatehouse.TokenCreated)
	d.step("list tokens", func() { d.api(http.StatusOK, d.key, "GET", "/deployments/"+managed.ID+"/access_tokens", "", nil) })
	d.step("reveal it", func() {
		d.api(http.StatusOK, d.key, "GET", "/deployments/"+managed.ID+"/access_tokens/"+token.ID, "", nil)
	}, gatehouse.TokenRevealed)
	d.step("revoke it", func() {
		d.api(http.StatusNoContent, d.key, "DELETE", "/deployments/"+managed.ID+"/access_tokens/"+token.ID, "", nil)
	}, gatehouse.TokenRevoked)
	d.step("upload rules", func() {
		d.api(http.StatusNoContent, d.key, "POST", "/deployments/"+managed.ID+"/rule-sets/files/a.yml", "groups:\n- name: g\n  rules:\n  - record: a\n    expr: b\n", nil)
	}, gatehouse.RulesUploaded)
	d.step("bad rules", func() {
		d.api(http.StatusUnprocessableEntity, d.key, "POST", "/deployments/"+managed.ID+"/rule-sets/files/b.yml", "groups: 7", nil)
	})
	d.step("set the notifier", func() {
		d.api(http.StatusNoContent, d.key, "PUT", "/deployments/"+managed.ID+"/notifier", `{"notifier_url":"http://127.0.0.1:3"}`, nil)
		d.cli("", "deployment", "set", "renamed", "--notifier-url", "")
	}, gatehouse.DeploymentChanged, gatehouse.DeploymentChanged)
	d.step("look at rules, usage and logs", func() {
		for _, path := range []string{"/rule-sets/evaluation", "/notifier", "/usage", "/logs?log=engine&lines=5"} {
			d.api(http.StatusOK, d.key, "GET", "/deployments/"+managed.ID+path, "", nil)
		}
	})
	d.step("delete rules", func() {
		d.api(http.StatusNoContent, d.key, "DELETE", "/deployments/"+managed.ID+"/rule-sets/files/a.yml", "", nil)
	}, gatehouse.RulesDeleted)
	d.step("import from vmauth", func() {
		file := filepath.Join(t.TempDir(), "auth.yml")
		config := "users:\n- bearer_token: a-long-enough-secret-of-vmauth\n  url_prefix: http://127.0.0.1:2/\n"
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		d.cli("", "import", "vmauth", file, "--dry-run")
		d.cli("", "import", "vmauth", file)
	}, gatehouse.DeploymentConnected, gatehouse.TokenCreated, gatehouse.TokenImported)
	d.step("stop", func() { d.cli("", "deployment", "stop", "renamed") }, gatehouse.DeploymentStopped)
	d.step("start", func() { d.cli("", "deployment", "start", "renamed") }, gatehouse.DeploymentStarted)
	d.p.waitRunning("renamed")
	d.step("stop and start it by the API", func() {
		d.api(http.StatusNoContent, d.key, "POST", "/deployments/"+managed.ID+"/stop", "{}", nil)
		d.api(http.StatusNoContent, d.key, "POST", "/deployments/"+managed.ID+"/start", "{}", nil)
	}, gatehouse.DeploymentStopped, gatehouse.DeploymentStarted)
	d.p.waitRunning("renamed")
	d.step("delete a deployment", func() { d.cli("", "deployment", "delete", "renamed") }, gatehouse.DeploymentDeleted)
	eventually(t, "its data is in the trash", func() error {
		if got := command(t, d.dataDir, "", "deployment", "restore", managed.ID); got.code != exitDone {
			return fmt.Errorf("restore: %s", got.err)
		}
		return nil
	})
	d.step("restore it", func() {}, gatehouse.DeploymentRestored, gatehouse.TokenCreated)
	d.p.waitRunning("renamed")
	d.step("delete and restore it by the API", func() {
		d.api(http.StatusNoContent, d.key, "DELETE", "/deployments/"+managed.ID, "", nil)
		d.apiSoon(http.StatusOK, "POST", "/trash/"+managed.ID+"/restore", "{}")
	}, gatehouse.DeploymentDeleted, gatehouse.DeploymentRestored, gatehouse.TokenCreated)
	d.p.waitRunning("renamed")
	d.step("delete it for good", func() {
		d.cli("", "deployment", "delete", "renamed")
		var deleted []struct{ ID string }
		if d.api(http.StatusOK, d.key, "GET", "/trash", "", &deleted); len(deleted) != 1 || deleted[0].ID != managed.ID {
			t.Errorf("the trash holds %+v", deleted)
		}
		d.apiSoon(http.StatusNoContent, "DELETE", "/trash/"+managed.ID, "")
	}, gatehouse.DeploymentDeleted, gatehouse.DataFreed)

	t.Log("keys, and the server as a whole")
	var key struct {
		ID    string
		Value string
	}
	d.step("create a read-only key", func() {
		d.api(http.StatusOK, d.key, "POST", "/api_keys", `{"name":"reader","permissions":"r","expires":"30d"}`, &key)
	}, gatehouse.APIKeyCreated)
	d.step("it tries to write", func() {
		d.api(http.StatusForbidden, key.Value, "POST", "/users", `{"email":"eve@example.com","role":"admin"}`, nil)
	}, gatehouse.Denied)
	d.step("reveal it", func() { d.cli("", "apikey", "reveal", key.ID) }, gatehouse.APIKeyRevealed)
	d.step("revoke it", func() { d.cli("", "apikey", "revoke", key.ID) }, gatehouse.APIKeyRevoked)
	d.step("use it all the same", func() { d.api(http.StatusUnauthorized, key.Value, "GET", "/deployments", "", nil) }, gatehouse.APIKeyRefused)
	d.step("export the log", func() { d.cli("", "audit", "export") }, gatehouse.AuditExported)
	d.step("look at the log", func() { d.cli("", "audit", "verify") })
	d.step("rekey", func() { d.cli("", "rekey") }, gatehouse.Rekeyed)
	backup := filepath.Join(t.TempDir(), "backup.tar")
	d.step("back up", func() { d.cli("", "backup", backup) }, gatehouse.BackedUp)

	other := &day{T: t, dataDir: newDataDir(t), seen: d.seen, done: d.done}
	other.step("restore a backup", func() { other.cli("", "restore", backup) }, gatehouse.Restored)

	for _, a := range gatehouse.Actions {
		if a != gatehouse.AuditPruned && !d.done[string(a)] { // nothing is a day old
			t.Errorf("the day has no %q", a)
		}
	}
	d.cli("", "audit", "verify")
	other.cli("", "audit", "verify")

	t.Log("the head that the server notes as it stops is one that verify finds")
	d.p.stop()
	heads := auditHead.FindAllStringSubmatch(d.p.log.String(), -1)
	if len(heads) < 2 {
		t.Fatalf("the log of the server has %d heads:\n%s", len(heads), d.p.log)
	}
	d.cli("", "audit", "verify", "--anchor", heads[0][1])
	d.cli("", "audit", "verify", "--anchor", heads[len(heads)-1][1])
}

var auditHead = regexp.MustCompile(`"head":"(\d+:[0-9a-f]{64})"`)

func TestKilledServerHasNoActionWithoutRecordAndNoRecordWithoutAction(t *testing.T) {
	dataDir := newDataDir(t)
	p := serve(t, dataDir)
	key := strings.TrimSpace(must(t, dataDir, "", "apikey", "create", "--name", "load", "--permissions", "rw", "--expires", "never"))
	for round := range 3 {
		var writers sync.WaitGroup
		var done atomic.Int64
		for writer := range 4 {
			writers.Go(func() {
				for i := 0; ; i++ { // ends with the server
					body := fmt.Sprintf(`{"email":"u%d-%d-%d@example.com","role":"viewer"}`, round, writer, i)
					r, err := http.NewRequest(http.MethodPost, p.console+"/api/v1/users", bytes.NewReader([]byte(body)))
					if err != nil {
						t.Error(err)
						return
					}
					r.Header.Set("X-VM-Cloud-Access", key)
					answer, err := http.DefaultClient.Do(r)
					if err != nil {
						return
					}
					answer.Body.Close()
					done.Add(1)
				}
			})
		}
		eventually(t, "writes are under way, at whatever moment it is", func() error {
			if n := done.Load(); n < 10 {
				return fmt.Errorf("%d are done", n)
			}
			return nil
		})
		p.kill()
		writers.Wait()
		p = serve(t, dataDir)
	}
	users := strings.Count(must(t, dataDir, "", "user", "list"), "@example.com")
	invited := strings.Count(must(t, dataDir, "", "audit", "list", "--action", "user.invited", "--limit", "0"), "user.invited")
	if users == 0 || users != invited {
		t.Errorf("%d users, %d records of it", users, invited)
	}
	must(t, dataDir, "", "audit", "verify")
}
