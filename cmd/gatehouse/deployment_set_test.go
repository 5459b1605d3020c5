package main

import (
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

func TestSettingsThatAreSetAtTheSameTimeAllStay(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	must(t, dir, "", "deployment", "create", "prod", "--storage", "20GB")
	id := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "show", "prod", "--json")).ID
	var all sync.WaitGroup
	for _, flag := range []string{"--rename=renamed", "--tier=s.starter.a", "--retention=6m", "--storage=40GB", "--deduplication=30s", "--max-concurrent-requests=7"} {
		all.Go(func() {
			if r := command(t, dir, "", "deployment", "set", id, flag); r.code != exitDone {
				t.Errorf("%s: %+v", flag, r)
			}
		})
	}
	all.Wait()
	d := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "show", id, "--json"))
	if d.Name != "renamed" || d.Tier != "s.starter.a" || d.RetentionValue != 6 || d.StorageGB != 40 || d.DeduplicationValue != 30 || d.MaxConcurrentRequests != 7 {
		t.Errorf("it is now %+v", d)
	}
}

func TestANotifierThatCannotBeSetLeavesNoDoubtAboutTheRest(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	must(t, dir, "", "deployment", "set", "shop", "--notifier-url", " http://alertmanager.example.com:9093/ ")
	if d := fromJSON[deploymentJSON](t, must(t, dir, "", "deployment", "show", "shop", "--json")); d.NotifierURL != "http://alertmanager.example.com:9093" {
		t.Errorf("the notifier is %q", d.NotifierURL)
	}
	url := "http://alertmanager:9093"
	c := commands{DataDir: dir}
	err := c.withData(t.Context(), func(ctl *control.Control, actor gatehouse.Actor) error {
		k, gone := settingFlags{NotifierURL: &url}, gatehouse.Deployment{ID: "gone"}
		return k.setNotifier(t.Context(), ctl, actor, &gone, "the other settings were changed")
	})
	if message := gatehouse.ErrorMessage(err); !strings.HasPrefix(message, "the other settings were changed, but the notifier was not set: there is no deployment") {
		t.Errorf("the error is %q", message)
	}
}

func TestADeploymentOfAnUnknownTypeHasNoVersion(t *testing.T) {
	t.Parallel()
	if version := (&server{}).versions()("mystery"); version != "" {
		t.Errorf("its version is %q", version)
	}
}
