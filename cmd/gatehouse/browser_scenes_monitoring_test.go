package main

// monitoringScenes are what an admin sees of charts, and of a token that is in use.
func monitoringScenes(p *program) []scene {
	const monitoring = "/deployments/default/monitoring"
	token := func(b *tab) { b.visit("/deployments/default/tokens/" + tokenID(b.T, p.dataDir, "default", "edge one")) }
	return []scene{
		{"monitoring", func(b *tab) {
			value := newToken(b.T, p.dataDir, "default", "edge one", "rw")
			b.visit(monitoring)
			p.waitBusy(b, value)
			b.waitDrawn("#chart-requests")
		}},
		{"monitoring-table", func(b *tab) {
			b.visit(monitoring)
			b.click("DisclosureTriangle", "Requests as a table")
			b.sees("Time Read, 2xx")
			b.waitDrawn("#chart-requests")
		}},
		{"monitoring-week", func(b *tab) {
			b.visit(monitoring + "?period=week")
			b.sees("a point every hour")
			b.waitDrawn("#chart-requests")
		}},
		{"monitoring-refused", func(b *tab) { b.visit(monitoring + "?period=year"); b.sees("choose hour, day or week") }},
		{"monitoring-stopped", func(b *tab) { b.visit("/deployments/idle/monitoring"); b.sees("Stopped by") }},
		{"token", func(b *tab) { token(b); b.waitDrawn("#chart-requests") }},
		{"token-trail", func(b *tab) {
			token(b)
			b.click("tab", "Read")
			eval[any](b, `document.getElementById("trail-title").scrollIntoView()`)
			b.sees("Generated access token")
		}},
		{"token-unused", func(b *tab) {
			b.visit("/deployments/production/tokens/" + tokenID(b.T, p.dataDir, "production", "team seven"))
			b.sees("never used")
		}},
	}
}
