package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/snippet"
	"gatehouse/internal/sqlite"
)

// connected makes a data directory with the connected deployment "shop", which needs no engine.
func connected(t *testing.T) string {
	t.Helper()
	dir := newDataDir(t)
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9")
	return dir
}

func TestCommandLineStory(t *testing.T) {
	t.Parallel()
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
	log := strings.Fields(must(t, dir, "", "audit", "list", "--action", "token.revealed"))
	if !slices.Contains(log, "shop") || !slices.Contains(log, "DEPLOYMENT") {
		t.Errorf("the audit log does not say of which deployment the token was: %q", log)
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
	t.Parallel()
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
	t.Parallel()
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
	refused("zero retention", dir, exitFailed, "--retention: the retention is out of range", "deployment", "create", "c", "--retention", "0d")
	refused("unknown tier", dir, exitFailed, "choose one of", "deployment", "create", "c", "--tier", "huge")
	refused("little storage", dir, exitFailed, "--storage: the storage is out of range", "deployment", "create", "c", "--storage", "9GB")
	refused("storage without unit", dir, exitFailed, "--storage: ", "deployment", "create", "c", "--storage", "20")
	refused("deduplication in minutes", dir, exitFailed, "--deduplication: ", "deployment", "create", "c", "--deduplication", "5m")
	refused("unknown window", dir, exitFailed, "--maintenance-window: ", "deployment", "create", "c", "--maintenance-window", "now")
	refused("flag that opens a port", dir, exitFailed, "--flag: the flag -httpListenAddr cannot be set here", "deployment", "create", "c", "--flag=-httpListenAddr=:80")
	refused("flag of a cluster", dir, exitFailed, "single node", "deployment", "create", "c", "--select-flag=-search.disableCache")
	refused("bad notifier", dir, exitFailed, "--notifier-url: the URL of the notifier", "deployment", "create", "c", "--notifier-url", "alertmanager")
	refused("no requests", dir, exitFailed, "--max-concurrent-requests: ", "deployment", "create", "c", "--max-concurrent-requests", "0")
	refused("unknown provider", dir, exitFailed, "--provider: ", "deployment", "create", "c", "--provider", "gcp")
	refused("unknown region", dir, exitFailed, "--region: ", "deployment", "create", "c", "--region", "eu-west-1")
	refused("nothing to set", dir, exitUsage, "at least one flag", "deployment", "set", "shop")
	refused("empty new name", dir, exitFailed, "--rename: the name is empty", "deployment", "set", "shop", "--rename", "")
	refused("password in a URL", dir, exitFailed, "remove them", "deployment", "connect", "c", "--type", "single_node", "--url", "http://u:hunter2@127.0.0.1:1")
	refused("no database", empty, exitFailed, "there is no Gatehouse database", "token", "list", "--deployment", "shop")

	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Error("a refused command left a data directory behind")
	}
	if list := must(t, dir, "", "token", "list", "--deployment", "shop", "--json"); strings.Count(list, `"id"`) != 1 {
		t.Errorf("a refused command made a token:\n%s", list)
	}
}

func TestTheEnvironmentSaysWhereTheServerIsAndNotWhatToDo(t *testing.T) {
	dir := connected(t)
	t.Setenv("GATEHOUSE_DATA_DIR", dir)
	t.Setenv("GATEHOUSE_DEPLOYMENT", "shop")
	t.Setenv("GATEHOUSE_NAME", "from the environment")
	t.Setenv("GATEHOUSE_RENAME", "from the environment")
	t.Setenv("GATEHOUSE_MAX_CONCURRENT_REQUESTS", "1")
	t.Setenv("GATEHOUSE_JSON", "true")
	t.Setenv("GATEHOUSE_ENGINE_DIR", filepath.Join(dir, "no such folder"))
	run := func(args ...string) (out string, failed bool) {
		t.Helper()
		text, err := gatehouseCommand(args...).CombinedOutput()
		return string(text), err != nil
	}
	if out, failed := run("deployment", "show", "shop"); failed || !strings.Contains(out, "Concurrent requests per token  600") {
		t.Errorf("show prints %s", out)
	}
	if out, failed := run("token", "create", "--deployment", "shop", "--access", "r"); !failed || !strings.Contains(out, "--name") {
		t.Errorf("a token took its name from the environment: %s", out)
	}
	if out, failed := run("token", "list"); !failed || !strings.Contains(out, "--deployment") {
		t.Errorf("a list took its deployment from the environment: %s", out)
	}
	if out, failed := run("deployment", "set", "shop", "--max-concurrent-requests", "7"); failed {
		t.Errorf("set prints %s", out)
	}
	if d := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "show", "shop", "--json")); d.Name != "shop" || d.MaxConcurrentRequests != 7 {
		t.Errorf("it is now %+v", d)
	}
	if out, _ := run("doctor"); !strings.Contains(out, "no such folder") {
		t.Errorf("doctor, which asks about the server, does not know its environment: %s", out)
	}
}

func TestSettingsOfADeploymentByCommandLine(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	const notifier = "http://alertmanager.example.com:9093"
	made := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "create", "prod", "--tier", "s.starter.a", "--retention", "6m", "--storage", "1TB", "--deduplication", "500ms",
		"--maintenance-window", "Sat-Sun 3-4am", "--flag=-search.maxQueueDuration=20s", "--flag=-search.disableCache", "--max-concurrent-requests", "7",
		"--notifier-url", notifier, "--provider", "aws", "--region", "local", "--json"))
	want := deploymentJSON{
		ID: made.ID, Name: "prod", Type: "single_node", Managed: true, Provider: "aws", Region: "local", Status: made.Status, StatusDetail: made.StatusDetail,
		Tier: "s.starter.a", RetentionValue: 6, RetentionUnit: "m", StorageGB: 1024, DeduplicationValue: 500, DeduplicationUnit: "ms",
		MaintenanceWindow: "Sat-Sun 3-4am", SingleSettings: []string{"-search.maxQueueDuration=20s", "-search.disableCache"}, NotifierURL: notifier,
		MaxConcurrentRequests: 7, CreatedAt: made.CreatedAt, CreatedBy: made.CreatedBy,
	}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("got  %+v\nwant %+v", made, want)
	}
	if shown := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "show", "prod", "--json")); !reflect.DeepEqual(shown, want) {
		t.Errorf("show --json prints %+v", shown)
	}
	shown := must(t, dir, "", "deployment", "show", "prod")
	for _, text := range []string{"s.starter.a", "6 months", "1024 GB", "500ms", "Sat-Sun 3-4am", "-search.maxQueueDuration=20s -search.disableCache", "  7\n", notifier, "provider aws"} {
		if !strings.Contains(shown, text) {
			t.Errorf("show does not say %q:\n%s", text, shown)
		}
	}
	must(t, dir, "", "deployment", "set", "prod", "--retention", "30d")
	must(t, dir, "", "deployment", "set", "prod", "--tier", "unlimited", "--deduplication", "0s", "--maintenance-window", "any", "--no-flags", "--notifier-url", "")
	want.Tier, want.RetentionValue, want.RetentionUnit, want.DeduplicationValue, want.DeduplicationUnit = "unlimited", 30, "d", 0, "s"
	want.MaintenanceWindow, want.SingleSettings, want.NotifierURL = "", nil, ""
	if shown := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "show", "prod", "--json")); !reflect.DeepEqual(shown, want) {
		t.Errorf("got  %+v\nwant %+v", shown, want)
	}
	if shown := must(t, dir, "", "deployment", "show", "prod"); !strings.Contains(shown, "unlimited") {
		t.Errorf("show prints\n%s", shown)
	}
}

// TestPrintedCommandsSetEverything runs what the console prints as command line, against the real command line.
func TestPrintedCommandsSetEverything(t *testing.T) {
	t.Parallel()
	dir, bin := newDataDir(t), t.TempDir()
	program := gatehouseCommand()
	script := "#!/bin/sh\nexec '" + program.Path + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "gatehouse"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	paste := func(all []snippet.Management) {
		t.Helper()
		code := all[len(all)-1]
		cmd := exec.Command("sh", "-c", code.Code)
		cmd.Env = append(program.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "GATEHOUSE_DATA_DIR="+dir)
		if out, err := cmd.CombinedOutput(); code.ID != "cli" || err != nil {
			t.Fatalf("%s: %v: %s", code.Code, err, out)
		}
	}
	read := func() gatehouse.Deployment {
		t.Helper()
		store, err := sqlite.Open(t.Context(), filepath.Join(dir, sqlite.File))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		d, err := store.FindDeployment(t.Context(), "it's")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	n := gatehouse.NewDeployment{
		Name: "it's", Type: gatehouse.SingleNode, Tier: "s.micro.a", Retention: gatehouse.Retention{Value: 6, Unit: "m"}, StorageGB: 40,
		Deduplication: gatehouse.Deduplication{Value: 500, Unit: "ms"}, MaintenanceWindow: "Mon-Fri 4-5am", Provider: "aws", Region: "local",
		Flags: gatehouse.Flags{Single: []string{"-search.maxQueryDuration=20s"}}, MaxConcurrentRequests: 7,
	}
	paste(snippet.CreateDeployment("http://x", n))
	d := read()
	want := gatehouse.Settings{
		Name: n.Name, Tier: n.Tier, Retention: n.Retention, StorageGB: n.StorageGB, Deduplication: n.Deduplication, MaintenanceWindow: n.MaintenanceWindow, Flags: n.Flags,
	}
	if got := d.Settings(); !reflect.DeepEqual(got, want) || d.Provider != "aws" || d.MaxConcurrentRequests != 7 {
		t.Errorf("created %+v", d)
	}
	plain := gatehouse.Settings{Name: n.Name, Retention: gatehouse.DefaultRetention, StorageGB: 50, Deduplication: gatehouse.Deduplication{Unit: "s"}}
	paste(snippet.UpdateDeployment("http://x", d, plain))
	if got := read().Settings(); !reflect.DeepEqual(got, plain) {
		t.Errorf("got  %+v\nwant %+v", got, plain)
	}
}

func TestMissingOrForeignKeyset(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
