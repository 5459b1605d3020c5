package snippet

import (
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/access"
	"gatehouse/internal/gatehouse"
)

func TestGuidesAreWhole(t *testing.T) {
	used := map[string]bool{}
	for kind, in := range inputs() {
		for _, listed := range Guides() {
			g, ok := FindGuide(in, listed.ID)
			if !ok || g.Summary != listed.Summary || g.Title != listed.Title {
				t.Fatalf("%s: FindGuide(%q) = %+v, %t", kind, listed.ID, g, ok)
			}
			if g.Summary == "" || len(g.Examples) == 0 || len(g.Start) == 0 || len(g.Expect) == 0 || len(g.Trouble) == 0 {
				t.Errorf("%s: the guide %s lacks a part: %+v", kind, g.ID, g)
			}
			if needs, fitting := GuideAccess(g.ID); needs != g.Needs || !slices.Contains(fitting, needs) {
				t.Errorf("the guide %s asks for a token with %q, which does not fit it", g.ID, g.Needs)
			}
			for _, e := range g.Examples {
				used[e.ID] = true
			}
		}
	}
	for _, e := range catalog {
		if !used[e.ID] {
			t.Errorf("no guide has the example %s", e.ID)
		}
	}
}

func TestGuideTextsHoldNoSecretAndBalancedCode(t *testing.T) {
	all := hostileInputs()
	for kind, in := range inputs() {
		all[kind] = in
	}
	for kind, in := range all {
		for _, listed := range Guides() {
			g, _ := FindGuide(in, listed.ID)
			for _, text := range slices.Concat([]string{g.Summary}, g.Start, g.Expect, g.Trouble) {
				if strings.Contains(text, in.Secret) {
					t.Errorf("%s: the guide %s shows the secret: %s", kind, g.ID, text)
				}
				if strings.Count(text, "`")%2 != 0 {
					t.Errorf("%s: the guide %s has an odd back quote: %s", kind, g.ID, text)
				}
			}
		}
	}
}

func TestGuidesShowOnlyWhatTheTokenMayDo(t *testing.T) {
	f := func(id string, access gatehouse.Access, want ...string) {
		t.Helper()
		in := inputs()["single_node"]
		in.Access = access
		g, _ := FindGuide(in, id)
		var got []string
		for _, e := range g.Examples {
			got = append(got, e.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the guide %s for %q has %q, want %q", id, access, got, want)
		}
		if _, fitting := GuideAccess(id); slices.Contains(fitting, access) != (len(want) > 0) {
			t.Errorf("a token with %q fits the guide %s among %q", access, id, fitting)
		}
	}
	f("curl", gatehouse.ReadWrite, "curl-write", "curl-read")
	f("curl", gatehouse.Write, "curl-write")
	f("curl", gatehouse.Read, "curl-read")
	f("vmagent", gatehouse.Write, "vmagent")
	f("vmagent", gatehouse.Read)
	f("grafana", gatehouse.Read, "grafana", "grafana-provisioning")
	f("grafana", gatehouse.Write)
	_, found := FindGuide(inputs()["single_node"], "nothing")
	if _, fitting := GuideAccess("nothing"); found || fitting != nil {
		t.Error("there is a guide that does not exist")
	}
}

// TestTheEndpointLetsTheTestAndVmuiIn asks the access endpoint's own decision about the URLs.
func TestTheEndpointLetsTheTestAndVmuiIn(t *testing.T) {
	for kind, in := range inputs() {
		for _, level := range []gatehouse.Access{gatehouse.Read, gatehouse.Write, gatehouse.ReadWrite} {
			in.Access = level
			u := URLsOf(in)
			if (u.Import != "") != level.CanWrite() || (u.Query != "") != level.CanRead() {
				t.Errorf("%s: a token with %q has the URLs %+v", kind, level, u)
			}
			urls := []string{u.Import, u.Query}
			if level.CanRead() {
				urls = append(urls, newTarget(in).UIURL())
			}
			for _, url := range urls {
				path := strings.TrimPrefix(url, in.EndpointURL)
				if _, refusal := access.Decide(in.Type, access.Scope{Access: level, Tenant: in.Tenant}, path); path != "" && refusal != nil {
					t.Errorf("%s: %s is refused: %+v", kind, path, refusal)
				}
			}
		}
	}
}
