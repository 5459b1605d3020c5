package main

import "testing"

// furnishLifecycle adds a deployment of the tight tier, one that was stopped, and one in the trash.
func furnishLifecycle(t *testing.T, dir string, tiers []string) {
	t.Helper()
	must(t, dir, "", append([]string{"deployment", "create", "tight", "--tier", "tight"}, tiers...)...)
	must(t, dir, "", "deployment", "create", "idle", "--tier", "s.micro.a", "--retention", "6m")
	must(t, dir, "", "deployment", "stop", "idle")
	must(t, dir, "", "deployment", "create", "old shop")
	must(t, dir, "", "deployment", "delete", "old shop")
}

// lifecycleScenes are what an admin sees of sizes, settings, stops and the trash.
func lifecycleScenes(p *program) []scene {
	settings := func(b *tab) { b.visit("/deployments/default/settings"); b.find("button", "Preview changes") }
	trash := func(b *tab, action string) {
		b.visit("/trash")
		b.click("button", "Actions for old shop")
		b.click("button", action)
	}
	return []scene{
		{"create-sized", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Create")
			b.fill("Name", "shop")
			b.click("radio", "s.starter.a")
			b.sees("Recommended for s.starter.a")
			b.fill("Storage in GB optional", "3")
			b.click("DisclosureTriangle", "Advanced settings")
			b.click("button", "Create")
			b.sees("The storage is out of range")
		}},
		{"create-type-cluster", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Create")
			b.click("radio", "Cluster")
			b.sees("Gatehouse cannot run a cluster here yet")
		}},
		{"page-create", func(b *tab) { b.visit("/deployments/create"); b.find("button", "Create") }},
		{"overview-limit", func(b *tab) {
			token := newToken(b.T, p.dataDir, "tight", "writer", "rw")
			p.waitRunning("tight")
			b.visit("/deployments/tight")
			p.seesActive(b, token, 60, "New series are dropped until")
		}},
		{"overview-stopped", func(b *tab) { b.visit("/deployments/idle"); b.sees("Stopped by") }},
		{"stop", func(b *tab) {
			b.visit("/deployments/default")
			b.click("button", "Actions for default")
			b.click("button", "Stop")
			b.find("dialog", "Stop default?")
		}},
		{"settings", settings},
		{"settings-flags", func(b *tab) {
			settings(b)
			b.click("DisclosureTriangle", "Engine flags")
			b.fill("Flags optional", "-retentionPeriod=1d")
			b.clickToLoad("button", "Preview changes")
			b.sees("change the retention of the deployment instead")
		}},
		{"settings-preview", func(b *tab) {
			settings(b)
			b.click("radio", "s.starter.a")
			b.fill("Retention", "7")
			b.clickToLoad("button", "Preview changes")
			b.sees("VictoriaMetrics restarts")
		}},
		{"settings-connected", func(b *tab) {
			b.visit("/deployments/production/settings")
			b.sees("set where this VictoriaMetrics runs")
		}},
		{"trash", func(b *tab) { b.visit("/trash"); b.find("rowheader", "old shop") }},
		{"trash-restore", func(b *tab) { trash(b, "Restore"); b.find("dialog", "Restore old shop?") }},
		{"trash-free", func(b *tab) { trash(b, "Free now"); b.find("dialog", "Free old shop now?") }},
	}
}
