package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/secret"
)

// connected makes a data directory with the connected deployment "shop", which needs no engine.
func connected(t *testing.T) string {
	t.Helper()
	dir := newDataDir(t)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9")
	return dir
}

func TestCommandLineStory(t *testing.T) {
	dir := connected(t)

	value := newToken(t, dir, "shop", "vmagent prod", "w")
	if !secret.Valid(value) {
		t.Fatalf("token create did not print a secret alone: %q", value)
	}
	id := tokenID(t, dir, "shop", "vmagent prod")
	if got := must(t, dir, "", "token", "reveal", id); got != value {
		t.Errorf("token reveal printed %q, want what create printed", got)
	}
	list := must(t, dir, "", "token", "list", "--deployment", "shop")
	if strings.Contains(list, value) || !strings.Contains(list, secret.Mask(value)+"••••") {
		t.Errorf("token list must show the mask and not the secret:\n%s", list)
	}
	if !strings.Contains(list, "default") {
		t.Errorf("the default access token is missing:\n%s", list)
	}
	must(t, dir, "", "token", "revoke", id)
	if r := command(t, dir, "", "token", "reveal", id); r.code != exitFailed {
		t.Errorf("a revoked token can still be revealed: %+v", r)
	}

	must(t, dir, "correct horse battery\n", "user", "create", "--email", "Ops@Example.com", "--role", "admin")
	if users := must(t, dir, "", "user", "list"); !strings.Contains(users, "ops@example.com") {
		t.Errorf("the user is not listed:\n%s", users)
	}
	must(t, dir, "another horse battery\n", "user", "set-password", "ops@example.com")

	must(t, dir, "", "deployment", "delete", "shop")
	if got := must(t, dir, "", "deployment", "list", "--json"); got != "[]" {
		t.Errorf("after deleting the only deployment the list is %s", got)
	}
}

func TestCommandLineJSON(t *testing.T) {
	dir := newDataDir(t)
	parse := func(text string, v any) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), v); err != nil {
			t.Fatalf("not JSON: %v\n%s", err, text)
		}
	}
	var d deploymentJSON
	parse(must(t, dir, "", "deployment", "connect", "big", "--type", "cluster", "--insert-url", "http://127.0.0.1:1/", "--select-url", "http://127.0.0.1:2", "--json"), &d)
	if d.Name != "big" || d.Type != "cluster" || d.Managed || d.InsertURLs[0] != "http://127.0.0.1:1" || d.MaxConcurrentRequests != 600 {
		t.Errorf("deployment connect --json printed %+v", d)
	}
	var token tokenJSON
	parse(must(t, dir, "", "token", "create", "--deployment", d.ID, "--name", "team 7", "--access", "rw", "--tenant", "007:0", "--json"), &token)
	if !secret.Valid(token.Secret) || token.Tenant != "7" || token.LastUsedAt != nil {
		t.Errorf("token create --json printed %+v", token)
	}
	var all []deploymentJSON
	parse(must(t, dir, "", "deployment", "list", "--json"), &all)
	if len(all) != 1 || all[0].ID != d.ID {
		t.Errorf("deployment list --json printed %+v", all)
	}
}

// TestCommandLineRefusals checks that bad input ends with the right exit code, one line on stderr with a remedy, and no change.
func TestCommandLineRefusals(t *testing.T) {
	dir := connected(t)
	empty := newDataDir(t)
	long := strings.Repeat("x", 101)
	refused := func(name, dir string, code int, message string, args ...string) {
		t.Run(name, func(t *testing.T) {
			r := command(t, dir, "short\n", args...)
			if r.code != code || !strings.Contains(r.err, message) {
				t.Errorf("exit code %d and %q, want %d and %q", r.code, r.err, code, message)
			}
			if code == exitFailed && strings.Count(strings.TrimSpace(r.err), "\n") != 0 {
				t.Errorf("the error has more than one line:\n%s", r.err)
			}
			if r.out != "" && code == exitFailed {
				t.Errorf("a refused command printed %q on stdout", r.out)
			}
		})
	}
	create := func(args ...string) []string { return append([]string{"token", "create"}, args...) }

	refused("no command", dir, exitUsage, "--help")
	refused("unknown flag", dir, exitUsage, "--nonsense", "token", "list", "--nonsense")
	refused("missing flag", dir, exitUsage, "--name", create("--deployment", "shop", "--access", "r")...)
	refused("unknown deployment", dir, exitFailed, "there is no deployment", create("--deployment", "nowhere", "--name", "n", "--access", "r")...)
	refused("wrong access", dir, exitUsage, `must be one of "r","w","rw"`, create("--deployment", "shop", "--name", "n", "--access", "x")...)
	refused("empty name", dir, exitFailed, "the name is empty", create("--deployment", "shop", "--name", "", "--access", "r")...)
	refused("long name", dir, exitFailed, "101 characters", create("--deployment", "shop", "--name", long, "--access", "r")...)
	refused("control character", dir, exitFailed, "invisible character", create("--deployment", "shop", "--name", "a\nb", "--access", "r")...)
	refused("taken name", dir, exitFailed, "choose another name", create("--deployment", "shop", "--name", "default", "--access", "r")...)
	refused("tenant on a single node", dir, exitFailed, "leave the tenant empty", create("--deployment", "shop", "--name", "n", "--access", "r", "--tenant", "7")...)
	refused("bad tenant", dir, exitFailed, "accountID:projectID", create("--deployment", "shop", "--name", "n", "--access", "r", "--tenant", "+7")...)
	refused("unknown token", dir, exitFailed, "no access token", "token", "revoke", "nothing")
	refused("short password", dir, exitFailed, "at least 12", "user", "create", "--email", "a@example.com", "--role", "admin")
	refused("bad role", dir, exitUsage, `must be one of "admin","editor","viewer"`, "user", "create", "--email", "a@example.com", "--role", "root")
	refused("bad email", dir, exitFailed, "ops@example.com", "user", "create", "--email", "nobody", "--role", "admin")
	refused("managed cluster", dir, exitFailed, "connect it", "deployment", "create", "c", "--type", "cluster")
	refused("zero retention", dir, exitFailed, "out of range", "deployment", "create", "c", "--retention", "0d")
	refused("unknown tier", dir, exitFailed, "choose one of", "deployment", "create", "c", "--tier", "huge")
	refused("password in a URL", dir, exitFailed, "remove them", "deployment", "connect", "c", "--type", "single_node", "--url", "http://u:hunter2@127.0.0.1:1")
	refused("no database", empty, exitFailed, "there is no Gatehouse database", "token", "list", "--deployment", "shop")

	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Error("a refused command left a data directory behind")
	}
	if list := must(t, dir, "", "token", "list", "--deployment", "shop", "--json"); strings.Count(list, `"id"`) != 1 {
		t.Errorf("a refused command made a token:\n%s", list)
	}
}

func TestEveryFlagHasAnEnvironmentVariable(t *testing.T) {
	dir := connected(t)
	t.Setenv("GATEHOUSE_DATA_DIR", dir)
	t.Setenv("GATEHOUSE_DEPLOYMENT", "shop")
	cmd := gatehouseCommand("token", "list")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "default") {
		t.Errorf("token list with the flags in the environment: %v\n%s", err, out)
	}
}

func TestMissingOrForeignKeyset(t *testing.T) {
	dir := newDataDir(t)
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("upstream secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9",
		"--upstream-username", "u", "--upstream-password-file", password)
	keyset := filepath.Join(dir, secret.KeysetFile)
	refused := func(message string) {
		t.Helper()
		r := command(t, dir, "", "token", "list", "--deployment", "shop")
		if r.code != exitFailed || !strings.Contains(r.err, message) {
			t.Errorf("exit code %d, %q, want %q", r.code, r.err, message)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}

	move(keyset, keyset+".away")
	refused("put it back")
	move(keyset+".away", keyset)
	// With the token gone, only the deployment's credentials are sealed.
	must(t, dir, "", "token", "revoke", tokenID(t, dir, "shop", "default"))
	move(keyset, keyset+".away")
	refused("put it back")
	if _, err := os.Stat(keyset); !os.IsNotExist(err) {
		t.Error("a new keyset was made although secrets are sealed with the old one")
	}

	other := connected(t)
	move(filepath.Join(other, secret.KeysetFile), keyset)
	refused("not the one with which the stored secrets were sealed")
	move(keyset+".away", keyset)
	id := newToken(t, dir, "shop", "again", "r")
	if got := must(t, dir, "", "token", "reveal", tokenID(t, dir, "shop", "again")); got != id {
		t.Errorf("with the right keyset back, reveal printed %q", got)
	}
}

func TestBackupAndRestore(t *testing.T) {
	dir := connected(t)
	value := newToken(t, dir, "shop", "kept", "r")
	file := filepath.Join(t.TempDir(), "gatehouse.tar")
	must(t, dir, "", "backup", file)

	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup holds secrets and must be readable by its owner only: %v %v", info.Mode(), err)
	}
	if r := command(t, dir, "", "backup", file); r.code != exitFailed || !strings.Contains(r.err, "exists already") {
		t.Errorf("a second backup replaced the first: %+v", r)
	}
	if r := command(t, dir, "", "restore", file); r.code != exitFailed || !strings.Contains(r.err, "not empty") {
		t.Errorf("a restore over existing data was not refused: %+v", r)
	}

	other := newDataDir(t)
	must(t, other, "", "restore", file)
	if got := must(t, other, "", "token", "reveal", tokenID(t, other, "shop", "kept")); got != value {
		t.Errorf("the restored token reveals %q, want the original secret", got)
	}

	broken := filepath.Join(t.TempDir(), "broken.tar")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(broken, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	third := newDataDir(t)
	if r := command(t, third, "", "restore", broken); r.code != exitFailed {
		t.Errorf("half a backup was restored: %+v", r)
	}
	if entries, err := os.ReadDir(third); err != nil || len(entries) > 0 {
		t.Errorf("a failed restore left files behind: %v %v", entries, err)
	}
}
