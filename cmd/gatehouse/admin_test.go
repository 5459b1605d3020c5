package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/auditexport"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
	"gatehouse/internal/sqlite"
)

func fromJSON[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return v
}

func TestAPIKeysOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	value := must(t, dir, "", "apikey", "create", "--name", "terraform", "--permissions", "rw")
	if !secret.Valid(value) || !strings.HasPrefix(value, "vmak_") {
		t.Fatalf("apikey create did not print a key alone: %d characters", len(value))
	}
	scoped := fromJSON[apiKeyJSON](t, must(t, dir, "", "apikey", "create", "--name", "shop only", "--permissions", "r", "--deployments", "shop", "--expires", "never", "--json"))
	if scoped.Permissions != "r" || len(scoped.Deployments) != 1 || scoped.ExpiresAt != nil || !secret.Valid(scoped.Secret) {
		t.Errorf("apikey create --json printed %+v", scoped)
	}
	keys := fromJSON[[]apiKeyJSON](t, must(t, dir, "", "apikey", "list", "--json"))
	i := slices.IndexFunc(keys, func(k apiKeyJSON) bool { return k.Name == "terraform" })
	if len(keys) != 2 || i < 0 || keys[i].Deployments != nil || keys[i].Secret != "" || keys[i].ExpiresAt == nil || time.Until(*keys[i].ExpiresAt) < 364*24*time.Hour {
		t.Fatalf("apikey list --json printed %+v", keys)
	}
	if list := must(t, dir, "", "apikey", "list"); !strings.Contains(list, secret.Mask(value)+"••••") || strings.Contains(list, value) {
		t.Errorf("apikey list shows\n%s", list)
	}
	if got := must(t, dir, "", "apikey", "reveal", keys[i].ID); got != value {
		t.Error("apikey reveal printed another key")
	}
	must(t, dir, "", "apikey", "revoke", keys[i].ID)
	if r := command(t, dir, "", "apikey", "reveal", keys[i].ID); r.code != exitFailed {
		t.Errorf("a revoked key can be revealed: %+v", r)
	}
	create := func(args ...string) []string { return append([]string{"apikey", "create", "--name", "x"}, args...) }
	for _, one := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "--permissions", create()},
		{exitUsage, "must be one of", create("--permissions", "w")},
		{exitFailed, "lifetime", create("--permissions", "r", "--expires", "0d")},
		{exitFailed, "expired already", create("--permissions", "r", "--expires", "2020-01-01")},
		{exitFailed, "lifetime", create("--permissions", "r", "--expires", "soon")},
		{exitFailed, "no deployment", create("--permissions", "r", "--deployments", "shop,nowhere")},
		{exitFailed, "another name", []string{"apikey", "create", "--name", "shop only", "--permissions", "r"}},
	} {
		if r := command(t, dir, "", one.args...); r.code != one.code || !strings.Contains(r.err, one.want) || r.out != "" {
			t.Errorf("%q: %+v, want code %d and %q", one.args, r, one.code, one.want)
		}
	}
}

func TestAnInvitationBeforeThereIsAnAdminWarns(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	const warning = "There is no admin"
	invite := []string{"user", "invite", "--email", "ana@example.com", "--role", "editor"}
	if r := command(t, dir, "", invite...); r.code != 0 || !strings.Contains(r.err, warning) || !strings.Contains(r.out, "/invite?code=") {
		t.Errorf("without an admin: %+v", r)
	}
	addUser(t, dir, "root@example.com", "admin")
	invite[3] = "bob@example.com"
	if r := command(t, dir, "", invite...); r.code != 0 || r.err != "" {
		t.Errorf("with an admin: %+v", r)
	}
}

func TestUsersOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	addUser(t, dir, "root@example.com", "admin")
	link := must(t, dir, "", "user", "invite", "--email", "ana@example.com", "--role", "viewer", "--console-url", "https://gate.example/")
	if !regexp.MustCompile(`^https://gate\.example/invite\?code=[\w-]{20,}$`).MatchString(link) {
		t.Errorf("user invite printed %q", link)
	}
	if again := must(t, dir, "", "user", "reset-link", "ana@example.com"); !strings.HasPrefix(again, "http://127.0.0.1:8420/invite?code=") {
		t.Errorf("user reset-link printed %q", again)
	}
	state := func() string {
		t.Helper()
		for _, u := range fromJSON[[]userJSON](t, must(t, dir, "", "user", "list", "--json")) {
			if u.Email == "ana@example.com" {
				return u.Role + map[bool]string{true: " disabled"}[u.Disabled] + map[bool]string{true: " invited"}[u.Invited]
			}
		}
		return "gone"
	}
	step := func(want string, args ...string) {
		t.Helper()
		must(t, dir, "a long enough password\n", append([]string{"user"}, args...)...)
		if got := state(); got != want {
			t.Errorf("after %q the user is %q, want %q", args, got, want)
		}
	}
	step("editor invited", "role", "ana@example.com", "editor")
	step("editor", "set-password", "ana@example.com")
	step("editor disabled", "disable", "ana@example.com")
	step("editor", "enable", "ana@example.com")
	step("gone", "delete", "ana@example.com")
	for _, args := range [][]string{{"disable"}, {"delete"}} {
		if r := command(t, dir, "", append(append([]string{"user"}, args...), "root@example.com")...); r.code != exitFailed || !strings.Contains(r.err, "last admin") {
			t.Errorf("%q of the last admin: %+v", args, r)
		}
	}
	if r := command(t, dir, "", "user", "role", "root@example.com", "king"); r.code != exitUsage {
		t.Errorf("an unknown role: %+v", r)
	}
	if r := command(t, dir, "x\n", "user", "create", "--email", "b@example.com", "--role", "viewer"); r.code != exitFailed || !strings.Contains(r.err, "has 1 character;") {
		t.Errorf("a password of one character: %+v", r)
	}
}

func TestTheAuditLogOnTheCommandLine(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	must(t, dir, "", "token", "create", "--deployment", "shop", "--name", "=cmd|' /C calc'!A0", "--access", "r")
	records := fromJSON[[]auditexport.Record](t, must(t, dir, "", "audit", "list", "--deployment", "shop", "--action", "token.created", "--json"))
	if len(records) != 2 || records[0].Object != "=cmd|' /C calc'!A0" || records[0].ActorKind != "command_line" || records[1].Object != "default" {
		t.Errorf("audit list printed %+v", records)
	}
	if list := must(t, dir, "", "audit", "list", "--text", "calc", "--from", "2020-01-01", "--to", time.Now().UTC().Format(time.DateOnly)); strings.Count(list, "\n") != 1 || !strings.Contains(list, "access=r") {
		t.Errorf("audit list shows\n%s", list)
	}
	if list := must(t, dir, "", "audit", "list", "--to", "2020-01-01"); strings.Contains(list, "token") {
		t.Errorf("records of the far past:\n%s", list)
	}
	if r := command(t, dir, "", "audit", "list", "--limit", "1"); strings.Count(r.out, "\n") != 2 || !strings.Contains(r.err, "1 of 3 records") {
		t.Errorf("audit list --limit 1: %+v", r)
	}
	head := must(t, dir, "", "audit", "verify")
	head = head[strings.LastIndex(head, "\n")+1:]
	csv := must(t, dir, "", "audit", "export")
	if !strings.HasPrefix(csv, "seq,at,") || !strings.Contains(csv, `'=cmd|`) {
		t.Errorf("audit export printed\n%s", csv)
	}
	lines := strings.Split(must(t, dir, "", "audit", "export", "--format", "jsonl", "--action", "audit.exported"), "\n")
	if len(lines) != 2 || fromJSON[auditexport.Record](t, lines[0]).Action != "audit.exported" {
		t.Errorf("the exports are not recorded: %q", lines)
	}
	if out := must(t, dir, "", "audit", "verify", "--anchor", head); !strings.Contains(out, "whole: 5 records") {
		t.Errorf("audit verify says %q", out)
	}
	wrong := head[:len(head)-1] + map[bool]string{true: "0", false: "1"}[!strings.HasSuffix(head, "0")]
	refused := func(code int, want string, args ...string) {
		t.Helper()
		if r := command(t, dir, "", append([]string{"audit"}, args...)...); r.code != code || !strings.Contains(r.err, want) || r.out != "" {
			t.Errorf("%q: %+v, want code %d and %q", args, r, code, want)
		}
	}
	refused(exitFailed, "tampered", "verify", "--anchor", wrong)
	refused(exitFailed, "not a head", "verify", "--anchor", "5")
	refused(exitFailed, "no action", "list", "--action", "token.eaten")
	refused(exitFailed, "2026-11-24", "list", "--from", "yesterday")
	refused(exitFailed, "below zero", "list", "--limit=-1")
	refused(exitUsage, "must be one of", "export", "--format", "xml")
}

func TestSettingsOfADeployment(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	must(t, dir, "", "deployment", "create", "shop")
	d := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "set", "shop", "--rename", "store", "--retention", "6m", "--json"))
	if d.Name != "store" || d.RetentionValue != 6 || d.RetentionUnit != "m" {
		t.Errorf("deployment set printed %+v", d)
	}
	if r := command(t, dir, "", "deployment", "set", "store"); r.code != exitUsage || !strings.Contains(r.err, "--rename") {
		t.Errorf("deployment set without anything: %+v", r)
	}
	if r := command(t, dir, "", "deployment", "set", "store", "--tier", "huge"); r.code != exitFailed {
		t.Errorf("an unknown tier: %+v", r)
	}
}

func TestNoCommandPrintsTheHelp(t *testing.T) {
	t.Parallel()
	cmd := gatehouseCommand()
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(out), "import vmauth") {
		t.Errorf("exit code %d (%v):\n%s", code, err, out)
	}
}

func TestOldAuditRecordsAreRemoved(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, sqlite.File))
	if err != nil {
		t.Fatal(err)
	}
	old := gatehouse.AuditEvent{At: time.Now().AddDate(0, 0, -3), Actor: commandLineActor(), Action: gatehouse.BackedUp, ObjectName: "three days ago"}
	if err := errors.Join(store.AddAudit(t.Context(), old), store.Close()); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "", "deployment", "connect", "shop", "--type", "single_node", "--url", "http://127.0.0.1:9")
	if _, err := tryServe(t, dir, "--engine-dir", engineDir(t), "--audit-retention", "soon"); err == nil {
		t.Error("a wrong retention is accepted")
	}
	serve(t, dir, "--audit-retention", "2d")
	eventually(t, "the old record is removed", func() error {
		if list := must(t, dir, "", "audit", "list"); strings.Contains(list, "three days ago") || !strings.Contains(list, "audit.pruned") || !strings.Contains(list, "shop") {
			return errors.New(list)
		}
		return nil
	})
	must(t, dir, "", "audit", "verify")
}
