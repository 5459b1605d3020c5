package control

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestEveryDeploymentGetsADefaultToken(t *testing.T) {
	s := newServer(t, nil)
	create := map[string]func(name string) (gatehouse.Deployment, error){
		"created": func(name string) (gatehouse.Deployment, error) {
			return s.CreateDeployment(t.Context(), editor, gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode, Tier: "small"})
		},
		"connected": func(name string) (gatehouse.Deployment, error) {
			return s.ConnectDeployment(t.Context(), editor, gatehouse.NewDeployment{
				Name: name, Type: gatehouse.Cluster, InsertURLs: []string{"http://in:8480/"}, SelectURLs: []string{"http://sel:8481/base/"}})
		},
	}
	for how, create := range create {
		var d gatehouse.Deployment
		records := s.newRecords(t, func() {
			var err error
			d, err = create(how)
			must(t, err)
		})
		tokens, total, err := s.Tokens(t.Context(), editor, gatehouse.TokenQuery{DeploymentID: d.ID})
		must(t, err)
		if total != 1 || tokens[0].Name != "default" || tokens[0].Access != gatehouse.ReadWrite || tokens[0].Tenant != nil {
			t.Fatalf("%s: the tokens are %+v", how, tokens)
		}
		value, err := s.RevealToken(t.Context(), editor, tokens[0].ID)
		must(t, err)
		s.wantNowhere(t, value.Reveal())

		if len(records) != 2 || records[0].Action != gatehouse.Action("deployment."+how) || records[1].Action != gatehouse.TokenCreated {
			t.Fatalf("%s: the audit records are %+v", how, records)
		}
		for i, object := range []string{d.ID, tokens[0].ID} {
			e := records[i]
			e.Actor.Role = editor.Role // not recorded: a role is what somebody has, not who they are
			if e.ObjectID != object || e.DeploymentID != d.ID || !reflect.DeepEqual(e.Actor, editor) || e.At.IsZero() {
				t.Errorf("%s: the audit record is %+v", how, e)
			}
		}
		if got, err := s.Deployment(t.Context(), editor, d.ID); err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("%s: read back as %+v, %v; want %+v", how, got, err, d)
		}
	}
}

func TestNewDeploymentsGetTheirLimits(t *testing.T) {
	s := newServer(t, nil)
	f := func(n gatehouse.NewDeployment, retention string, limit int) {
		t.Helper()
		n.Type, n.Name = gatehouse.SingleNode, "x"
		d, err := s.CreateDeployment(t.Context(), root, n)
		must(t, err)
		if d.Retention.String() != retention || d.MaxConcurrentRequests != limit || !d.Managed || d.CreatedBy != root.Name {
			t.Errorf("%+v becomes %+v", n, d)
		}
		must(t, s.DeleteDeployment(t.Context(), root, d.ID))
	}
	f(gatehouse.NewDeployment{}, "30d", 600)
	f(gatehouse.NewDeployment{Tier: "small"}, "30d", 200)
	f(gatehouse.NewDeployment{Tier: "small", MaxConcurrentRequests: 7, Retention: gatehouse.Retention{Value: 6, Unit: "m"}}, "6m", 7)

	d, err := s.ConnectDeployment(t.Context(), root, connected("trimmed"))
	must(t, err)
	if len(d.URLs) != 1 || d.URLs[0] != "http://10.0.0.5:8428" {
		t.Errorf("the URLs are stored as %q", d.URLs)
	}
}

func TestBadDeploymentsAreRefused(t *testing.T) {
	s := newServer(t, nil)
	s.connect(t, "taken")
	before := s.dump(t)
	f := func(n gatehouse.NewDeployment, managed bool, code gatehouse.Code, field string) {
		t.Helper()
		var err error
		if managed {
			_, err = s.CreateDeployment(t.Context(), root, n)
		} else {
			_, err = s.ConnectDeployment(t.Context(), root, n)
		}
		if gatehouse.ErrorCode(err) != code || gatehouse.ErrorField(err) != field {
			t.Errorf("%+v: got code %q, field %q (%v)", n, gatehouse.ErrorCode(err), gatehouse.ErrorField(err), err)
		}
	}
	f(connected(""), false, gatehouse.Invalid, "name")
	f(connected("a\x00b"), false, gatehouse.Invalid, "name")
	f(connected("taken"), false, gatehouse.Conflict, "name")
	f(gatehouse.NewDeployment{Name: "taken", Type: gatehouse.SingleNode}, true, gatehouse.Conflict, "name")
	f(gatehouse.NewDeployment{Name: "a", Type: gatehouse.SingleNode, Tier: "huge"}, true, gatehouse.Invalid, "tier")
	f(gatehouse.NewDeployment{Name: "a", Type: gatehouse.Cluster, Tier: "s.starter.a"}, true, gatehouse.Invalid, "tier")
	f(gatehouse.NewDeployment{Name: "a", Type: gatehouse.SingleNode, URLs: []string{"http://u:hunter2@vm"}}, false, gatehouse.Invalid, "url")
	wantError(t, s.DeleteDeployment(t.Context(), root, "nothing"), gatehouse.NotFound, "list the deployments")
	if s.dump(t) != before {
		t.Error("a refused deployment left something behind")
	}
}

func TestDeletingADeploymentIsRecorded(t *testing.T) {
	s := newServer(t, nil)
	d := s.connect(t, "prod")
	records := s.newRecords(t, func() { must(t, s.DeleteDeployment(t.Context(), editor, "prod")) })
	if len(records) != 1 || records[0].Action != gatehouse.DeploymentDeleted || records[0].ObjectID != d.ID || records[0].ObjectName != "prod" {
		t.Errorf("the audit records are %+v", records)
	}
}

func TestDefaultDeploymentIsMadeOnTheVeryFirstStartOnly(t *testing.T) {
	s := newServer(t, nil)
	system := gatehouse.Actor{Kind: gatehouse.System, Name: "first start", Role: gatehouse.Admin}
	start := func() []gatehouse.Deployment {
		t.Helper()
		must(t, s.EnsureDefaultDeployment(t.Context(), system))
		all, err := s.Deployments(t.Context(), root)
		must(t, err)
		return all
	}
	all := start()
	if len(all) != 1 || all[0].Name != "default" || !all[0].Managed || all[0].CreatedBy != "Gatehouse" {
		t.Fatalf("the first start makes %+v", all)
	}
	if len(start()) != 1 {
		t.Error("the second start makes another one")
	}
	must(t, s.DeleteDeployment(t.Context(), root, all[0].ID))
	if len(start()) != 0 {
		t.Error("what was deleted comes back")
	}

	other := newServer(t, nil)
	other.connect(t, "prod")
	must(t, other.EnsureDefaultDeployment(t.Context(), system))
	if all, _ := other.Deployments(t.Context(), root); len(all) != 1 {
		t.Error("a default deployment is made beside one that was there before")
	}
}

func TestStateIsToldOnlyWhereItCanBeTrue(t *testing.T) {
	live := newServer(t, nil)
	d := live.connect(t, "connected")
	managed, err := live.CreateDeployment(t.Context(), root, gatehouse.NewDeployment{Name: "managed", Type: gatehouse.SingleNode})
	must(t, err)
	offline := New(Config{Store: live.store})
	f := func(c *Control, id string, want gatehouse.Status, detail string) {
		t.Helper()
		got, err := c.Deployment(t.Context(), root, id)
		must(t, err)
		if got.State.Status != want || !strings.Contains(got.State.Detail, detail) {
			t.Errorf("%s: the state is %+v", got.Name, got.State)
		}
	}
	f(live.Control, d.ID, gatehouse.Provisioning, "")
	must(t, live.store.SetState(t.Context(), d.ID, gatehouse.State{Status: gatehouse.Running}))
	must(t, live.store.SetState(t.Context(), managed.ID, gatehouse.State{Status: gatehouse.Running}))
	f(live.Control, d.ID, gatehouse.Running, "")
	f(live.Control, managed.ID, gatehouse.Running, "")
	f(offline, d.ID, "", "no server runs")
	f(offline, managed.ID, gatehouse.Stopped, "gatehouse serve")
}

func TestChangesAreInForceBeforeTheCallReturns(t *testing.T) {
	published, stored := 0, 0
	var failure error
	var s *server
	s = newServer(t, func(c *Config) {
		seq := int64(0)
		c.Publish = func(ctx context.Context) error {
			published++
			if ctx.Err() != nil {
				t.Errorf("the publication is cancelled: %v", ctx.Err())
			}
			last, err := s.store.Changes(ctx, seq, func(gatehouse.Change) {}) // only what is committed
			if err != nil {
				t.Error(err)
			}
			if last > seq {
				stored++
			}
			seq = last
			return failure
		}
	})
	ctx := t.Context()
	var d, doomed gatehouse.Deployment
	var token, kept gatehouse.Token
	steps := []struct {
		name string
		call func() error
	}{
		{"connect", func() (err error) { d, err = s.ConnectDeployment(ctx, root, connected("a")); return err }},
		{"create", func() (err error) {
			doomed, err = s.CreateDeployment(ctx, root, gatehouse.NewDeployment{Name: "b", Type: gatehouse.SingleNode})
			return err
		}},
		{"token", func() (err error) {
			token, _, err = s.CreateToken(ctx, root, gatehouse.NewToken{DeploymentID: d.ID, Name: "t", Access: gatehouse.Read})
			return err
		}},
		{"revoke", func() error { return s.RevokeToken(ctx, root, token.ID) }},
		{"delete", func() error { return s.DeleteDeployment(ctx, root, doomed.ID) }},
	}
	for i, step := range steps {
		if err := step.call(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if published != i+1 || stored != i+1 {
			t.Fatalf("%s: published %d times, %d times after the commit; want %d", step.name, published, stored, i+1)
		}
	}

	failure = errors.New("the table is away")
	kept, value, err := s.CreateToken(ctx, root, gatehouse.NewToken{DeploymentID: d.ID, Name: "kept", Access: gatehouse.Read})
	wantError(t, err, gatehouse.Unavailable, "is stored", "look again")
	if _, err := s.Token(ctx, root, kept.ID); err != nil || value.Reveal() == "" {
		t.Errorf("the token is not stored: %v", err)
	}
	wantError(t, s.RevokeToken(ctx, root, kept.ID), gatehouse.Unavailable, "is stored")
	_, err = s.Token(ctx, root, kept.ID)
	wantError(t, err, gatehouse.NotFound)

	// Nothing is published of what was refused.
	before := published
	if _, err := s.ConnectDeployment(ctx, root, connected("a")); err == nil || published != before {
		t.Errorf("a refused change is published: %v", err)
	}
}

// hangUp is a store whose client goes away at the very moment when the change is stored.
type hangUp struct {
	Store
	cancel context.CancelFunc
}

func (h hangUp) RevokeToken(ctx context.Context, id string, e gatehouse.AuditEvent) error {
	defer h.cancel()
	return h.Store.RevokeToken(ctx, id, e)
}

func TestARevokedTokenIsPublishedThoughTheClientHangsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	published := false
	s := newServer(t, func(c *Config) {
		c.Store = hangUp{c.Store, cancel}
		c.Publish = func(ctx context.Context) error { published = ctx.Err() == nil; return ctx.Err() }
	})
	d := s.connect(t, "prod")
	token, _ := s.token(t, d.ID, "t")
	published = false
	must(t, s.RevokeToken(ctx, root, token.ID))
	if !published {
		t.Error("the revoked token goes on working")
	}
}

func managed(name string) gatehouse.NewDeployment {
	return gatehouse.NewDeployment{Name: name, Type: gatehouse.SingleNode, Tier: "small", StorageGB: 20,
		Deduplication: gatehouse.Deduplication{Value: 10, Unit: "s"}, MaintenanceWindow: "Sat-Sun 3-4am"}
}

func TestSettingsAreStoredAndReplaced(t *testing.T) {
	s := newServer(t, nil)
	d, err := s.CreateDeployment(t.Context(), editor, managed("prod"))
	must(t, err)
	if d.Provider != "local" || d.Region != "local" || d.StorageGB != 20 || d.MaxConcurrentRequests != 200 {
		t.Errorf("created as %+v", d)
	}
	settings := gatehouse.Settings{
		Name: "renamed", Tier: "large", Retention: gatehouse.Retention{Value: 6, Unit: "m"}, StorageGB: 1024,
		Deduplication: gatehouse.Deduplication{Value: 0, Unit: "ms"}, MaintenanceWindow: "Mon-Fri 4-5am",
		Flags: gatehouse.Flags{Single: []string{"-search.maxQueueDuration=20s", "-search.disableCache"}},
	}
	var updated gatehouse.Deployment
	records := s.newRecords(t, func() {
		updated, err = s.UpdateDeployment(t.Context(), editor, d.ID, settings)
		must(t, err)
	})
	if !reflect.DeepEqual(updated.Settings(), settings) || updated.MaxConcurrentRequests != 1200 {
		t.Errorf("updated to %+v", updated)
	}
	if got, err := s.Deployment(t.Context(), editor, d.ID); err != nil || !reflect.DeepEqual(got, updated) {
		t.Errorf("read back as %+v, %v; want %+v", got, err, updated)
	}
	before := map[string]string{"name": "prod", "tier": "small", "retention": "30d", "storage_gb": "20", "deduplication": "10s",
		"maintenance_window": "Sat-Sun 3-4am", "max_concurrent_requests": "200", "single_flags": ""}
	after := map[string]string{"name": "renamed", "tier": "large", "retention": "6m", "storage_gb": "1024", "deduplication": "0ms",
		"maintenance_window": "Mon-Fri 4-5am", "max_concurrent_requests": "1200", "single_flags": "-search.maxQueueDuration=20s -search.disableCache"}
	if len(records) != 1 || records[0].Action != gatehouse.DeploymentChanged || records[0].ObjectID != d.ID || records[0].DeploymentID != d.ID ||
		!reflect.DeepEqual(records[0].Before, before) || !reflect.DeepEqual(records[0].After, after) {
		t.Errorf("recorded as %+v", records)
	}
}

func TestTheRecordOfANewDeploymentHasItsSettings(t *testing.T) {
	s := newServer(t, nil)
	n := managed("prod")
	n.Provider, n.Flags.Single = "aws", []string{"-search.maxQueueDuration=20s"}
	f := func(create func() error, want map[string]string) {
		t.Helper()
		records := s.newRecords(t, func() { must(t, create()) })
		if !reflect.DeepEqual(records[0].Details, want) {
			t.Errorf("got  %v\nwant %v", records[0].Details, want)
		}
	}
	f(func() error { _, err := s.CreateDeployment(t.Context(), root, n); return err }, map[string]string{
		"type": "single_node", "tier": "small", "retention": "30d", "storage_gb": "20", "deduplication": "10s", "maintenance_window": "Sat-Sun 3-4am",
		"single_flags": "-search.maxQueueDuration=20s", "max_concurrent_requests": "200", "provider": "aws", "region": "local",
	})
	f(func() error { _, err := s.ConnectDeployment(t.Context(), root, connected("elsewhere")); return err }, map[string]string{
		"type": "single_node", "max_concurrent_requests": "600", "provider": "local", "region": "local", "url": "http://10.0.0.5:8428",
	})
}

func TestChangesAtTheSameTimeDoNotUndoEachOther(t *testing.T) {
	s := newServer(t, nil)
	d, err := s.CreateDeployment(t.Context(), root, managed("prod"))
	must(t, err)
	var all sync.WaitGroup
	for i, change := range []func(*gatehouse.Settings){
		func(s *gatehouse.Settings) { s.Name = "renamed" },
		func(s *gatehouse.Settings) { s.Tier = "large" },
		func(s *gatehouse.Settings) { s.Retention = gatehouse.Retention{Value: 6, Unit: "m"} },
		func(s *gatehouse.Settings) { s.StorageGB = 40 },
		func(s *gatehouse.Settings) { s.MaintenanceWindow = "Mon-Fri 4-5am" },
	} {
		all.Go(func() {
			_, err := s.ChangeDeployment(t.Context(), root, d.ID, func(now *gatehouse.Settings) error { change(now); return nil })
			if err != nil {
				t.Errorf("change %d: %v", i, err)
			}
		})
	}
	all.Wait()
	got, err := s.Deployment(t.Context(), root, d.ID)
	must(t, err)
	if got.Name != "renamed" || got.Tier != "large" || got.Retention.String() != "6m" || got.StorageGB != 40 || got.MaintenanceWindow != "Mon-Fri 4-5am" {
		t.Errorf("it is now %+v", got)
	}
	refused := gatehouse.Errorf(gatehouse.Conflict, "not now")
	_, err = s.ChangeDeployment(t.Context(), root, d.ID, func(now *gatehouse.Settings) error { now.Name = "x"; return refused })
	wantError(t, err, gatehouse.Conflict, "not now")
}

func TestUpdatingToTheSameSettingsIsRecordedAndChangesNothing(t *testing.T) {
	s := newServer(t, nil)
	d, err := s.CreateDeployment(t.Context(), root, managed("prod"))
	must(t, err)
	settings := d.Settings()
	settings.Flags = gatehouse.Flags{Single: []string{}, Insert: []string{}} // as the Terraform provider sends it
	before := s.dump(t, "audit", "sqlite_sequence")
	records := s.newRecords(t, func() {
		updated, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
		must(t, err)
		if !reflect.DeepEqual(updated, d) {
			t.Errorf("updated to %+v", updated)
		}
	})
	if s.dump(t, "audit", "sqlite_sequence") != before {
		t.Error("something has changed")
	}
	if len(records) != 1 || records[0].Action != gatehouse.DeploymentChanged || len(records[0].Before)+len(records[0].After) != 0 {
		t.Errorf("recorded as %+v", records)
	}
}

func TestAChosenLimitOutlivesTheTier(t *testing.T) {
	s := newServer(t, nil)
	f := func(chosen int, from, to string, want int) {
		t.Helper()
		d, err := s.CreateDeployment(t.Context(), root, gatehouse.NewDeployment{Name: "d", Type: gatehouse.SingleNode, Tier: from, MaxConcurrentRequests: chosen})
		must(t, err)
		settings := d.Settings()
		settings.Tier = to
		d, err = s.UpdateDeployment(t.Context(), root, d.ID, settings)
		must(t, err)
		if d.MaxConcurrentRequests != want || d.Tier != to {
			t.Errorf("%d, %q to %q: got %d, %q; want %d", chosen, from, to, d.MaxConcurrentRequests, d.Tier, want)
		}
		must(t, s.DeleteDeployment(t.Context(), root, d.ID))
	}
	f(0, "small", "large", 1200)
	f(0, "", "small", 200)
	f(0, "small", "", 600)
	f(0, "unlimited", "small", 200)
	f(7, "small", "large", 7)
}

func TestTheLimitOfRequestsIsChosenForBothKindsOfDeployment(t *testing.T) {
	s := newServer(t, nil)
	here, err := s.CreateDeployment(t.Context(), root, managed("here"))
	must(t, err)
	for _, d := range []gatehouse.Deployment{here, s.connect(t, "elsewhere")} {
		settings := d.Settings()
		settings.MaxConcurrentRequests = 7
		records := s.newRecords(t, func() {
			got, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
			must(t, err)
			again, err := s.UpdateDeployment(t.Context(), root, d.ID, got.Settings())
			if err != nil || got.MaxConcurrentRequests != 7 || again.MaxConcurrentRequests != 7 {
				t.Errorf("%s has the limit %d, and then %d, %v", d.Name, got.MaxConcurrentRequests, again.MaxConcurrentRequests, err)
			}
		})
		if records[0].After["max_concurrent_requests"] != "7" || len(records[1].After) > 0 {
			t.Errorf("the records are %+v", records)
		}
		settings.MaxConcurrentRequests = gatehouse.MostConcurrentRequests + 1
		_, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
		if wantError(t, err, gatehouse.Invalid); gatehouse.ErrorField(err) != "max_concurrent_requests" {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestBadUpdatesAreRefused(t *testing.T) {
	s := newServer(t, nil)
	d, err := s.CreateDeployment(t.Context(), root, managed("prod"))
	must(t, err)
	s.connect(t, "taken")
	elsewhere := s.connect(t, "elsewhere")
	before := s.dump(t)
	f := func(d gatehouse.Deployment, change func(*gatehouse.Settings), code gatehouse.Code, field string, words ...string) {
		t.Helper()
		settings := d.Settings()
		change(&settings)
		_, err := s.UpdateDeployment(t.Context(), root, d.ID, settings)
		wantError(t, err, code, words...)
		if gatehouse.ErrorField(err) != field {
			t.Errorf("the error %q stands beside the field %q", err, gatehouse.ErrorField(err))
		}
	}
	f(d, func(s *gatehouse.Settings) { s.Name = "" }, gatehouse.Invalid, "name")
	f(d, func(s *gatehouse.Settings) { s.Name = "taken" }, gatehouse.Conflict, "name")
	f(d, func(s *gatehouse.Settings) { s.Tier = "cluster-large" }, gatehouse.Invalid, "tier")
	f(d, func(s *gatehouse.Settings) { s.StorageGB = 19 }, gatehouse.Invalid, "storage_size", "only grow", "20 GB")
	f(d, func(s *gatehouse.Settings) { s.StorageGB = 0 }, gatehouse.Invalid, "storage_size", "only grow")
	f(d, func(s *gatehouse.Settings) { s.Retention.Unit = "y" }, gatehouse.Invalid, "retention")
	f(d, func(s *gatehouse.Settings) { s.MaintenanceWindow = "now" }, gatehouse.Invalid, "maintenance_window")
	f(d, func(s *gatehouse.Settings) { s.Flags.Single = []string{"no flag"} }, gatehouse.Invalid, "flags")
	f(d, func(s *gatehouse.Settings) { s.Flags.Insert = []string{"-a"} }, gatehouse.Invalid, "flags")
	f(elsewhere, func(s *gatehouse.Settings) { s.Tier = "small" }, gatehouse.Invalid, "", "only its name")
	f(elsewhere, func(s *gatehouse.Settings) { s.StorageGB = 10 }, gatehouse.Invalid, "", "only its name")
	f(elsewhere, func(s *gatehouse.Settings) { s.Name = " " }, gatehouse.Invalid, "name")
	_, err = s.UpdateDeployment(t.Context(), root, "gone", d.Settings())
	wantError(t, err, gatehouse.NotFound, "no deployment")
	if s.dump(t) != before {
		t.Error("a refused update left something behind")
	}
	renamed, err := s.UpdateDeployment(t.Context(), root, "elsewhere", gatehouse.Settings{Name: "renamed"})
	if err != nil || renamed.Name != "renamed" || renamed.URLs[0] != elsewhere.URLs[0] || renamed.MaxConcurrentRequests != elsewhere.MaxConcurrentRequests {
		t.Errorf("a connected deployment is renamed to %+v, %v", renamed, err)
	}
}
