package control

import (
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func importOf(tokens ...ImportToken) ImportPlan {
	return ImportPlan{
		Deployments: []gatehouse.NewDeployment{
			{Name: "vm", Type: gatehouse.SingleNode, URLs: []string{"http://vm:8428/"}, Upstream: gatehouse.Upstream{Bearer: "upstream bearer"}},
			{Name: "fleet", Type: gatehouse.Cluster, SelectURLs: []string{"http://vmselect:8481"}},
		},
		Tokens: tokens,
	}
}

func TestImportMakesTokensOfTheSecretsThatClientsHave(t *testing.T) {
	s := newServer(t, nil)
	s.connect(t, "vm") // the name is taken, by another VictoriaMetrics
	seven := gatehouse.Tenant{AccountID: 7}
	plan := importOf(
		ImportToken{0, "ana", gatehouse.ReadWrite, nil, secret.From("ana:her long password")},
		ImportToken{0, "ana", gatehouse.Read, nil, secret.From("ben:his long password")},
		ImportToken{0, "default", gatehouse.Write, nil, secret.From("a long bearer token")},
		ImportToken{1, "ana", gatehouse.Read, &seven, secret.From("a tenant's bearer token")},
	)
	before := s.dump(t)
	preview, err := s.PreviewImport(t.Context(), root, plan)
	must(t, err)
	if s.dump(t) != before {
		t.Error("a preview changes something")
	}
	var done Imported
	records := s.newRecords(t, func() { done, err = s.Import(t.Context(), root, plan) })
	must(t, err)
	count := map[gatehouse.Action]int{}
	for _, e := range records {
		count[e.Action]++
	}
	if len(records) != 8 || count[gatehouse.DeploymentConnected] != 2 || count[gatehouse.TokenCreated] != 2 || count[gatehouse.TokenImported] != 4 {
		t.Errorf("the records are %v", count)
	}
	var names []string
	for i, token := range done.Tokens {
		names = append(names, token.Name)
		if token.Name != preview.Tokens[i].Name {
			t.Errorf("the preview said %q", preview.Tokens[i].Name)
		}
		value, err := s.RevealToken(t.Context(), root, token.ID)
		must(t, err)
		if value.Reveal() != plan.Tokens[i].Secret.Reveal() {
			t.Errorf("the token %q has another secret", token.Name)
		}
	}
	if got := strings.Join(names, ","); got != "ana,ana 2,default 2,ana" {
		t.Errorf("the tokens are called %s", got)
	}
	if done.Deployments[0].Name != "vm 2" || *done.Tokens[3].Tenant != seven {
		t.Errorf("the import came to %+v", done)
	}
	s.wantNowhere(t, "her long password", "his long password", "a long bearer token", "upstream bearer")

	again := s.newRecords(t, func() { done, err = s.Import(t.Context(), root, plan) })
	must(t, err)
	if len(again) > 0 {
		t.Errorf("the second import leaves the records %+v", again)
	}
	for _, d := range done.Deployments {
		if !d.Existed {
			t.Errorf("%s is connected a second time", d.Name)
		}
	}
	for _, token := range done.Tokens {
		if !token.Existed {
			t.Errorf("%s is imported a second time", token.Name)
		}
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	s := newServer(t, nil)
	_, err := s.Import(t.Context(), root, importOf(ImportToken{0, "ana", gatehouse.Read, nil, secret.From("the secret of ana")}))
	must(t, err)
	f := func(code gatehouse.Code, word string, plan ImportPlan) {
		t.Helper()
		before := s.dump(t)
		_, err := s.Import(t.Context(), root, plan)
		wantError(t, err, code, word)
		if s.dump(t) != before {
			t.Error("a refused import has changed something")
		}
	}
	fine := ImportToken{0, "new", gatehouse.Read, nil, secret.From("a new secret")}
	f(gatehouse.Conflict, "has other rights", importOf(fine, ImportToken{0, "ana", gatehouse.ReadWrite, nil, secret.From("the secret of ana")}))
	f(gatehouse.Conflict, "another deployment", importOf(fine, ImportToken{1, "ana", gatehouse.Read, nil, secret.From("the secret of ana")}))
	f(gatehouse.Conflict, "another token", importOf(fine, ImportToken{0, "twin", gatehouse.Read, nil, secret.From("a new secret")}))
	f(gatehouse.Invalid, "tenant", importOf(fine, ImportToken{0, "x", gatehouse.Read, &gatehouse.Tenant{}, secret.From("another secret")}))
	f(gatehouse.Invalid, "name", importOf(fine, ImportToken{0, "a\nb", gatehouse.Read, nil, secret.From("another secret")}))
	broken := importOf(fine)
	broken.Deployments = append(broken.Deployments, gatehouse.NewDeployment{Name: "x", Type: gatehouse.SingleNode, URLs: []string{"http://u:p@vm"}})
	f(gatehouse.Invalid, "user name or password", broken)
}
