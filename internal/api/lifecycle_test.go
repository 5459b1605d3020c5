package api_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/api"
	"gatehouse/internal/gatehouse"
)

// actions gives the newest actions of the audit log, the newest first.
func (c client) actions(n int) []string {
	c.Helper()
	var all []string
	for _, r := range c.get("audit").list()[:n] {
		all = append(all, r["action"].(string))
	}
	return all
}

func TestADeploymentIsStoppedAndStarted(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	c.post("", "deployments", id, "stop").refused(422, "the body is empty")
	c.post("{}", "deployments", id, "stop").ok()
	if d := c.get("deployments", id).object(); d["stopped_by"] != "API key admin" {
		t.Errorf("it is stopped by %v", d["stopped_by"])
	}
	c.post("{}", "deployments", id, "start").ok()
	if d := c.get("deployments", id).object(); d["stopped_by"] != nil {
		t.Errorf("it is stopped by %v", d["stopped_by"])
	}
	if got := c.actions(2); !reflect.DeepEqual(got, []string{"deployment.started", "deployment.stopped"}) {
		t.Errorf("the records are %q", got)
	}
	c.post("{}", "deployments", s.addCluster("elsewhere").ID, "stop").refused(422, "where it runs")
	s.client(s.key("reader", readOnly)).post("{}", "deployments", id, "stop").refused(403, "read-only")
}

func TestADeletedDeploymentIsRestoredOrFreed(t *testing.T) {
	s := newSite(t, func(c *api.Config) { c.TrashRetention = 7 * 24 * time.Hour })
	c := s.admin()
	mine, other := s.addDeployment("mine").ID, s.addDeployment("other").ID
	reader, scoped := s.client(s.key("reader", readOnly)), s.client(s.key("scoped", only(mine)))
	c.del("deployments", mine).ok()
	c.del("deployments", other).ok()

	list := reader.get("trash").list()
	if len(list) != 2 || list[0]["name"] != "other" || list[0]["deleted_by"] != "API key admin" || list[0]["damaged"] != false {
		t.Fatalf("the trash holds %v", list)
	}
	deleted, err := time.Parse(time.RFC3339, list[0]["deleted_at"].(string))
	until, untilErr := time.Parse(time.RFC3339, list[0]["restorable_until"].(string))
	if err != nil || untilErr != nil || until.Sub(deleted) != 7*24*time.Hour {
		t.Errorf("deleted at %v, it can be restored until %v", deleted, until)
	}
	reader.post("{}", "trash", mine, "restore").refused(403, "read-only")
	reader.del("trash", mine).refused(403, "read-only")
	if list := scoped.get("trash").list(); len(list) != 1 || list[0]["id"] != mine {
		t.Errorf("the key for one deployment sees %v", list)
	}
	scoped.post("{}", "trash", other, "restore").refused(403, "other deployments")
	scoped.del("trash", other).refused(403, "other deployments")
	if r := c.get("audit").list()[0]; r["action"] != "access.denied" || r["object"] != "other" || r["actor"] != "scoped" {
		t.Errorf("the attempt is recorded as %v", r)
	}
	scoped.del("trash", "other").refused(404, "in the trash")

	s.addDeployment("mine")
	scoped.post("{}", "trash", mine, "restore").refused(422, "name")
	restored := scoped.post(`{"name":"mine again"}`, "trash", strings.ToUpper(mine), "restore").object()
	if restored["id"] != mine || restored["name"] != "mine again" || restored["status"] != "PROVISIONING" {
		t.Errorf("restored %v", restored)
	}
	c.get("deployments", mine).ok()
	scoped.post("{}", "trash", mine, "restore").refused(404, "in the trash")
	c.del("trash", other).ok()
	if got := c.actions(1); got[0] != "deployment.freed" {
		t.Errorf("the last record is %q", got)
	}
	if list := c.get("trash").list(); len(list) != 0 {
		t.Errorf("the trash holds %v", list)
	}
}

func TestTheNotifierIsSetAndRemoved(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	id := s.addDeployment("single").ID
	path := []string{"deployments", id, "notifier"}
	if n := c.get(path...).object(); n["notifier_url"] != "" {
		t.Errorf("the notifier is %v", n)
	}
	c.put(`{"notifier_url":"http://alertmanager:9093/"}`, path...).ok()
	if n, d := c.get(path...).object(), c.get("deployments", id).object(); n["notifier_url"] != "http://alertmanager:9093" || d["notifier_url"] != n["notifier_url"] {
		t.Errorf("the notifier is %v, and of the deployment %v", n, d["notifier_url"])
	}
	c.put(`{}`, path...).refused(422, "notifier_url")
	if n := c.get(path...).object(); n["notifier_url"] == "" {
		t.Error("a PUT that says nothing of the notifier removes it")
	}
	c.put(`{"notifier_url":""}`, path...).ok()
	if d := c.get("deployments", id).object(); d["notifier_url"] != nil {
		t.Errorf("the notifier is %v", d["notifier_url"])
	}
	s.client(s.key("reader", readOnly)).put(`{"notifier_url":""}`, path...).refused(403, "read-only")
}

func TestStatesOfRulesAndAlerts(t *testing.T) {
	s := newSite(t)
	got := s.client(s.key("reader", readOnly)).get("deployments", s.addDeployment("single").ID, "rule-sets", "evaluation").object()
	alert := map[string]any{"name": "Down", "state": "firing", "labels": map[string]any{"job": "node"}, "value": "0", "since": "2026-11-24T12:00:00Z"}
	want := map[string]any{"status": "RUNNING", "status_detail": "", "version": "v1.151.0", "groups": []any{map[string]any{
		"name": "g", "interval_seconds": 90.0, "rules": []any{
			map[string]any{"name": "a", "type": "recording", "query": "up", "health": "unknown", "error": "", "last_evaluation": nil, "samples": 0.0, "alerts": []any{}},
			map[string]any{"name": "Down", "type": "alerting", "query": "up == 0", "health": "ok", "error": "", "last_evaluation": "2026-11-24T12:00:00Z",
				"samples": 1.0, "alerts": []any{alert}},
		},
	}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestTheUsageOfADeploymentStandsAgainstItsLimits(t *testing.T) {
	known := func(n float64) gatehouse.Figure { return gatehouse.Figure{Value: n, Known: true} }
	figures := gatehouse.Figures{}
	s := newSite(t, func(c *api.Config) { c.Figures = func(string) (gatehouse.Figures, error) { return figures, nil } })
	c := s.client(s.key("reader", readOnly))
	made := s.admin().post(createBody, "deployments").object()["id"].(string)
	path := []string{"deployments", made, "usage"}
	unknown := c.get(path...).object()
	if unknown["at"] != nil || !reflect.DeepEqual(unknown["ingestion_rate"], map[string]any{"value": nil, "limit": 50000.0}) {
		t.Errorf("before anything is known, the usage is %v", unknown)
	}
	figures = gatehouse.Figures{
		At: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), DiskBytes: known(5), FreeDiskBytes: known(95), ActiveSeries: known(3), IngestionRate: known(2.5),
		SeriesOver24h: known(7), DatapointsReadRate: known(0),
	}
	f := func(id, field string, value any, limit float64) {
		t.Helper()
		if got := c.get("deployments", id, "usage").object()[field]; !reflect.DeepEqual(got, map[string]any{"value": value, "limit": limit}) {
			t.Errorf("%s is %v, want %v of %v", field, got, value, limit)
		}
	}
	f(made, "disk_bytes", 5.0, 20<<30)
	f(made, "active_time_series", 3.0, 1_000_000)
	f(made, "ingestion_rate", 2.5, 50_000)
	f(made, "new_series_over_24h", 7.0, 2_500_000)
	f(made, "datapoints_read_rate", 0.0, 750_000)
	f(made, "series_read_per_query", nil, 23_900)
	elsewhere := s.addCluster("elsewhere").ID
	f(elsewhere, "disk_bytes", 5.0, 100) // what the disk has
	f(elsewhere, "ingestion_rate", 2.5, 0)
	if at := c.get(path...).object()["at"]; at != "2026-11-24T12:00:00Z" {
		t.Errorf("the metrics are of %v", at)
	}
}

func TestTheEndOfALogIsRead(t *testing.T) {
	s := newSite(t)
	c := s.client(s.key("reader", readOnly))
	id := s.addDeployment("single").ID
	var lines []string
	c.query("deployments/"+id+"/logs", "log=vmalert&lines=2").into(&lines)
	if !reflect.DeepEqual(lines, []string{"a line of vmalert", "a line of vmalert"}) {
		t.Errorf("the lines are %q", lines)
	}
	if c.get("deployments", id, "logs").into(&lines); len(lines) != 3 || lines[0] != "a line of engine" {
		t.Errorf("the lines are %q", lines)
	}
	c.get("deployments", s.addCluster("elsewhere").ID, "logs").refused(404, "runs elsewhere")
}

func TestLimitOfRequestsAndFlagsComeWithTheOtherSettings(t *testing.T) {
	s := newSite(t)
	c := s.admin()
	more := func(body, fields string) string { return strings.TrimSuffix(body, "}") + "," + fields + "}" }
	d := c.post(more(createBody, `"max_concurrent_requests":7,"flags":{"single_flags":["-search.maxQueueDuration=20s"]}`), "deployments").object()
	if d["max_concurrent_requests"] != 7.0 || !reflect.DeepEqual(d["vmsingle_settings"], []any{"-search.maxQueueDuration=20s"}) || d["tier_name"] != "s.starter.a" {
		t.Errorf("made %v", d)
	}
	id := d["id"].(string)
	if d := c.put(updateBody, "deployments", id).object(); d["max_concurrent_requests"] != 7.0 {
		t.Errorf("an update of the Terraform provider, which does not know the limit, makes it %v", d["max_concurrent_requests"])
	}
	c.put(more(updateBody, `"max_concurrent_requests":8`), "deployments", id).ok()
	elsewhere := s.addCluster("elsewhere").ID
	c.put(`{"name":"elsewhere","tier":9,"max_concurrent_requests":8}`, "deployments", elsewhere).ok()
	for _, id := range []string{id, elsewhere} {
		if d := c.get("deployments", id).object(); d["max_concurrent_requests"] != 8.0 {
			t.Errorf("the limit of %v is %v", d["name"], d["max_concurrent_requests"])
		}
		c.put(`{"name":"x","tier":9,"max_concurrent_requests":100001}`, "deployments", id).refused(422, "max_concurrent_requests: ")
	}
	if d := c.post(`{"name":"plain","type":"single_node","tier":9}`, "deployments").object(); d["tier_name"] != "unlimited" {
		t.Errorf("without limits, the tier is %v", d["tier_name"])
	}
}
