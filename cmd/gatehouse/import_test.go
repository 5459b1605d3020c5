package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func vmauthFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "auth.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImportSaysWhatBecameOfEachUser(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	file := vmauthFile(t, `
users:
- {username: ana, password: hunter2, url_prefix: 'http://127.0.0.1:9/select/7/prometheus'}
- {name: grafana, bearer_token: a-long-bearer-token-1, url_prefix: 'http://127.0.0.1:9'}
- {bearer_token: a-long-bearer-token-2, url_prefix: 'http://127.0.0.1:9?extra_label=team=dev'}
- {name: agents, bearer_token: a-long-bearer-token-3, url_map: [{src_paths: [/api/v1/write], url_prefix: 'http://127.0.0.1:9'}]}
unauthorized_user: {url_prefix: 'http://127.0.0.1:9'}
`)
	out := must(t, dir, "", "import", "vmauth", file)
	for _, want := range []string{
		"ana         Read        7       127.0.0.1:9    new",
		"grafana     Read/Write  any     127.0.0.1:9 2  new",
		"imported 3  -           -       -              left out",
		"agents      Write       any     127.0.0.1:9 2  new",
		"unauthorized_user: Gatehouse lets nobody in without a token",
		"imported 3: vmauth adds arguments to its requests (extra_label)",
		"ana: the secret has fewer than 16 characters",
		"grafana: /-/quit /-/reload /api/v1/admin/",
		"agents: /api/v1/import ",
		"Users in the file: 4. Left out: 1. Imported before: 0. Imported: 3.",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the import does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "hunter2") || strings.Contains(out, "a-long-bearer-token") {
		t.Errorf("the import shows a secret:\n%s", out)
	}
	list := must(t, dir, "", "token", "list", "--deployment", "127.0.0.1:9 2")
	if strings.Contains(list, "a-long-bearer-token") || !strings.Contains(list, "a-lo••••") {
		t.Errorf("the list shows\n%s", list)
	}
	if got := must(t, dir, "", "token", "reveal", tokenID(t, dir, "127.0.0.1:9 2", "grafana")); got != "a-long-bearer-token-1" {
		t.Errorf("the secret became %q", got)
	}
	if records := must(t, dir, "", "audit", "list", "--action", "token.imported"); strings.Count(records, "token.imported") != 3 {
		t.Errorf("the audit log says\n%s", records)
	}
}

func TestImportsThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	refused := func(want, text string) {
		t.Helper()
		r := command(t, dir, "", "import", "vmauth", vmauthFile(t, text))
		if r.code != exitFailed || !strings.Contains(r.err, want) || strings.Contains(r.out+r.err, "hunter2") {
			t.Errorf("%q: code %d, %q; want %q", text, r.code, r.err, want)
		}
		if list := must(t, dir, "", "deployment", "list"); strings.Count(list, "\n") != 1 {
			t.Errorf("a refused import leaves\n%s", list)
		}
	}
	refused("unknown", "users:\n- bearer_token: hunter2\n  may: everything\n")
	refused("cannot be read", "users: [hunter2")
	refused("no user of the file can be carried over", "users:\n- bearer_token: hunter2\n  url_prefix: http://127.0.0.1:9?extra_filters={a='b'}\n")
	refused("no user of the file can be carried over", "users: []")
	refused("same credential", "users:\n- {bearer_token: hunter2, url_prefix: 'http://x'}\n- {bearer_token: hunter2, url_prefix: 'http://y'}\n")
	if r := command(t, dir, "", "import", "vmauth", filepath.Join(dir, "nothing.yml")); r.code != exitFailed || !strings.Contains(r.err, "cannot be read") {
		t.Errorf("a missing file: %+v", r)
	}
	if r := command(t, dir, "", "import"); r.code != exitUsage {
		t.Errorf("import alone: %+v", r)
	}

	// A secret that has come to be somebody else's stops everything.
	must(t, dir, "", "import", "vmauth", vmauthFile(t, "users:\n- {bearer_token: hunter2, url_prefix: 'http://127.0.0.1:9'}\n"))
	r := command(t, dir, "", "import", "vmauth", vmauthFile(t, "users:\n- {bearer_token: another, url_prefix: 'http://127.0.0.1:9'}\n- {bearer_token: hunter2, url_prefix: 'http://127.0.0.1:8'}\n"))
	if r.code != exitFailed || !strings.Contains(r.err, "belongs to the access token") {
		t.Errorf("a secret of another deployment: %+v", r)
	}
	if out := must(t, dir, "", "deployment", "list"); strings.Contains(out, "127.0.0.1:8") {
		t.Errorf("half an import:\n%s", out)
	}
}
