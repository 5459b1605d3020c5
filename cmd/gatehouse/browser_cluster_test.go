package main

import (
	"strings"
	"testing"
)

func TestCreateSaysWhatAClusterNeeds(t *testing.T) {
	t.Parallel()
	_, b := newConsole(t, "/deployments")
	b.click("button", "Create")
	b.fill("Name", "fleet")
	b.seesNo("cannot run a cluster")
	b.click("radio", "Cluster")
	b.sees("Gatehouse cannot run a cluster here yet. A cluster needs vmstorage, vminsert and vmselect")
	if b.has("textbox", "Retention") {
		t.Error("the form asks for settings of a cluster that cannot run")
	}
	b.click("button", "Create")
	b.sees("there is no vmstorage, vmselect, vminsert in")
	b.click("link", "Connect existing")
	b.find("textbox", "vminsert URL")
	b.find("dialog", "Connect existing")
}

func TestACreatedClusterIsRunAndExplored(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments", "--engine-dir", clusterEngineDir(t))
	b.click("button", "Create")
	b.fill("Name", "fleet")
	b.click("radio", "Cluster")
	b.waitGone("radio", "s.starter.a")
	b.click("radio", "cluster-medium")
	b.sees("Recommended for cluster-medium")
	b.click("button", "Create")
	b.find("heading", "fleet")
	stayed := b.stay()
	b.seesMatch(`Running`)
	stayed()
	p.waitRunning("fleet")

	p.answers(204, "POST", tenantToken(t, p, "writer", "7"), writeSuffix, "explored 42")
	b.visit("/deployments/fleet/settings")
	b.click("DisclosureTriangle", "Engine flags")
	b.fill("Flags of vminsert optional", "-search.maxQueryDuration=20s")
	b.clickToLoad("button", "Preview changes")
	b.sees("give it to vmselect")
	b.fill("Flags of vminsert optional", "-maxLabelsPerTimeseries=20")
	b.clickToLoad("button", "Preview changes")
	b.sees("VictoriaMetrics restarts, for the new flags")
	b.sees("vminsert -maxLabelsPerTimeseries=20")
	b.clickToLoad("button", "Save")
	b.sees("The settings are saved")
	p.waitRunning("fleet")
	b.visit("/deployments/fleet/explore?tenant=7")
	if text, err := b.text(); err != nil || !strings.Contains(text, "Tenant") {
		t.Errorf("Explore asks for no tenant: %v", err)
	}
	if got := p.show("fleet"); got.Tier != "cluster-medium" || got.Type != "cluster" {
		t.Errorf("it made %+v", got)
	}
}
