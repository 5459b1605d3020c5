package snippet

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

const testSecret = "vmat_7e22k3Jq9ZxW0aBcDeFgHiJkLmNoPqRsTuVwXy"

// inputs are the three kinds of token whose URLs differ.
func inputs() map[string]Input {
	in := Input{
		EndpointURL: "https://metrics.example.com", Type: gatehouse.SingleNode, Access: gatehouse.ReadWrite,
		DeploymentName: "Production EU", TokenName: "vmagent prod", Secret: testSecret,
	}
	tenant, any := in, in
	tenant.Type, tenant.Tenant = gatehouse.Cluster, &gatehouse.Tenant{AccountID: 7, ProjectID: 9}
	any.Type = gatehouse.Cluster
	return map[string]Input{"single_node": in, "cluster_tenant": tenant, "cluster_any_tenant": any}
}

func TestExamplesReadAsTheGoldenFiles(t *testing.T) {
	for kind, in := range inputs() {
		t.Run(kind, func(t *testing.T) {
			var got bytes.Buffer
			for _, e := range Examples(in) {
				fmt.Fprintf(&got, "=== %s: %s, %s tab, more %t, %s\n%s\n---\n%s\n", e.ID, e.Title, e.Tab, e.More, e.Language, e.Intro, e.Code)
			}
			golden := filepath.Join("testdata", kind+".golden")
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("the examples differ from %s; after a wanted change run: go test ./internal/snippet -update\ngot:\n%s", golden, got.Bytes())
			}
		})
	}
}

func TestTabsFollowTheAccessLevel(t *testing.T) {
	f := func(access gatehouse.Access, want ...Tab) {
		t.Helper()
		in := inputs()["single_node"]
		in.Access = access
		seen := map[Tab]bool{}
		for _, e := range Examples(in) {
			seen[e.Tab] = true
		}
		for _, tab := range want {
			if !seen[tab] {
				t.Errorf("a token with access %q lacks the %s tab", access, tab)
			}
		}
		if len(seen) != len(want) {
			t.Errorf("a token with access %q has tabs %v, want %v", access, seen, want)
		}
	}
	f(gatehouse.Read, ReadTab)
	f(gatehouse.Write, WriteTab)
	f(gatehouse.ReadWrite, WriteTab, ReadTab)
}

func TestFindGivesWhatExamplesLists(t *testing.T) {
	in := inputs()["cluster_tenant"]
	for _, want := range Examples(in) {
		if got, ok := Find(in, want.ID); !ok || got != want {
			t.Errorf("Find(%q) = %+v, %t", want.ID, got, ok)
		}
	}
	if _, ok := Find(in, "nothing"); ok {
		t.Error("Find found an example that does not exist")
	}
	in.Access = gatehouse.Read
	if _, ok := Find(in, "vmagent"); ok {
		t.Error("Find gave a write example to a token that only reads")
	}
}

func TestVmalertWithoutWriteAccessWritesNothing(t *testing.T) {
	in := inputs()["single_node"]
	in.Access = gatehouse.Read
	e, _ := Find(in, "vmalert")
	if strings.Contains(e.Code, "remoteWrite") || strings.Contains(e.Code, "record:") {
		t.Errorf("the example would be refused:\n%s", e.Code)
	}
	if !strings.Contains(e.Intro, "Read/Write") {
		t.Errorf("the intro does not say which token does more: %s", e.Intro)
	}
}

func TestAnyTenantExamplesSayWhereTheTenantGoes(t *testing.T) {
	for kind, in := range inputs() {
		for _, e := range Examples(in) {
			if got, want := strings.Contains(e.Intro, anyTenantNote), kind == "cluster_any_tenant"; got != want {
				t.Errorf("%s: %s: note about the tenant is %t, want %t", kind, e.ID, got, want)
			}
		}
	}
}

func TestSecretsStayOutOfIntros(t *testing.T) {
	for kind, in := range inputs() {
		for _, e := range Examples(in) {
			if strings.Contains(e.Intro, in.Secret) {
				t.Errorf("%s: the intro of %s, which is shown unmasked, holds the secret", kind, e.ID)
			}
			if !strings.Contains(e.Code, in.Secret) {
				t.Errorf("%s: %s lacks the secret", kind, e.ID)
			}
		}
	}
}

func TestExamplesFitTheDrawer(t *testing.T) {
	for kind, in := range inputs() {
		for _, e := range Examples(in) {
			for line := range strings.Lines(e.Code) {
				hasURL := strings.Contains(line, "://") // which is as long as it is
				if n := len(strings.TrimSuffix(line, "\n")); n > 76 && !hasURL {
					t.Errorf("%s: %s has a line of %d characters: %s", kind, e.ID, n, line)
				}
			}
		}
	}
}

func TestSlugsAreSafeNames(t *testing.T) {
	f := func(deployment, token, want string) {
		t.Helper()
		if got := newTarget(Input{DeploymentName: deployment, TokenName: token}).Slug(); got != want {
			t.Errorf("slug of %q and %q is %q, want %q", deployment, token, got, want)
		}
	}
	f("Production EU", "vmagent prod", "production-eu-vmagent-prod")
	f("default", "../../etc/passwd", "default-etc-passwd")
	f("a'; rm -rf ~; '", "-x", "a-rm-rf-x")
	f("監視", "トークン", "token")
	f(strings.Repeat("long ", 20), "x", "long-long-long-long-long-long-long-long-long-long")
}
