package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tightTier gives the flags that add a tier so small that a test reaches its limit.
func tightTier(t *testing.T) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tiers.yaml")
	tight := "tiers:\n- {id: 1001, name: tight, type: single_node, ingestion_rate: 1000, active_time_series: 20, new_series_over_24h: 2000, datapoints_read_rate: 5000, series_read_per_query: 100}\n"
	if err := os.WriteFile(file, []byte(tight), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--tiers", file}
}

// keptSamples are lines of a sample of each of n series.
func keptSamples(n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, "kept{number=\"%d\"} 42\n", i)
	}
	return lines.String()
}

// writeSeries sends them.
func (p *program) writeSeries(token string, n int) {
	p.t.Helper()
	if a := p.request("POST", token, "/api/v1/import/prometheus", keptSamples(n)); a.status != http.StatusNoContent {
		p.t.Fatalf("writing got status %d: %s", a.status, a.body)
	}
}

// seesActive writes n series until the page shows the text about them: with each hour, VictoriaMetrics begins to count anew.
func (p *program) seesActive(b *tab, token string, n int, text string) {
	b.Helper()
	eventually(b.T, "the page shows "+text, func() error {
		p.writeSeries(token, n)
		shown, err := b.text()
		if err == nil && !strings.Contains(shown, text) {
			err = fmt.Errorf("it shows: %s", shown)
		}
		return err
	})
}

// waitKept waits until the series can be queried with the token.
func (p *program) waitKept(token string) {
	p.t.Helper()
	eventually(p.t, "the samples can be queried", func() error {
		a := p.request("GET", token, "/api/v1/query?nocache=1&query=count(last_over_time(kept[1h]))", "")
		if a.status != http.StatusOK || !strings.Contains(a.body, `"value"`) {
			return fmt.Errorf("status %d: %s", a.status, a.body)
		}
		return nil
	})
}

// waitTrash waits until the data of so many deleted deployments is in the trash: their engines have to end first.
func (p *program) waitTrash(want int) {
	p.t.Helper()
	eventually(p.t, "the data is in the trash", func() error {
		if found, err := filepath.Glob(filepath.Join(p.dataDir, "trash", "*")); err != nil || len(found) != want {
			return fmt.Errorf("there are %q, want %d (%v)", found, want, err)
		}
		return nil
	})
}

func TestLifeOfADeployment(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments", tightTier(t)...)

	b.click("button", "Create")
	b.fill("Name", "shop")
	b.click("radio", "s.starter.a")
	b.fill("Retention", "7")
	b.sees("Recommended for s.starter.a and 7 days: 31 GB.")
	b.click("radio", "tight")
	b.sees("Recommended for tight and 7 days: 10 GB.")
	b.fill("Storage in GB optional", "20")
	b.click("button", "Create")
	b.find("heading", "shop")
	stayed := b.stay()
	b.seesMatch(`Running .* VictoriaMetrics v1\.`)
	b.sees("Tier tight")
	b.seesMatch(`Disk usage .* of 20 GB`)
	token := newToken(t, p.dataDir, "shop", "writer", "rw")
	p.waitRunning("shop")
	p.seesActive(b, token, 60, "Active time series 20 of 20 100 % New series are dropped until")
	stayed()

	b.click("link", "Settings")
	b.fill("Retention", "14")
	b.click("DisclosureTriangle", "Engine flags")
	b.fill("Flags optional", "-search.maxQueryDuration=never")
	b.clickToLoad("button", "Preview changes")
	b.sees("The flag -search.maxQueryDuration has the value")
	b.fill("Flags optional", "-search.maxQueryDuration=20s")
	b.clickToLoad("button", "Preview changes")
	b.sees("Retention before: 7 days after: 14 days")
	b.sees("VictoriaMetrics restarts, for the new retention and flags.")
	b.clickToLoad("button", "Save")
	b.sees("The settings are saved.")
	b.sees("Running")
	p.waitKept(token)

	b.visit("/deployments/shop")
	b.click("button", "Actions for shop")
	b.click("button", "Stop")
	b.find("dialog", "Stop shop?")
	b.seesMatch("Last used .* from 127.0.0.1")
	b.clickToLoad("button", "Stop")
	b.sees("Stopped by " + browserEmail)
	b.sees("Stopped Single node Managed")
	eventually(t, "the token is refused", func() error {
		if a := p.request("GET", token, "/api/v1/query?query=1", ""); a.status != http.StatusServiceUnavailable {
			return fmt.Errorf("status %d", a.status)
		}
		return nil
	})
	b.clickToLoad("button", "Start")
	b.sees("Running Single node Managed")
	p.waitKept(token)

	b.visit("/deployments")
	b.click("button", "Actions for shop")
	b.click("button", "Delete")
	b.sees("stay in the trash for 7 days")
	b.fill("Type the name of the deployment to confirm", "shop")
	b.clickToLoad("button", "Delete")
	b.sees("1 deployment that can be restored")
	p.waitTrash(1)
	b.clickToLoad("link", "Trash")
	b.click("button", "Actions for shop")
	b.click("button", "Restore")
	b.fill("Name", "default")
	b.click("button", "Restore")
	b.wantFieldError("Name", "exists already", "default")
	b.fill("Name", "shop two")
	b.click("button", "Restore")
	b.find("heading", "shop two")
	b.sees("Running Single node Managed")
	p.waitRunning("shop two")
	p.waitKept(newToken(t, p.dataDir, "shop two", "reader", "r"))
	if a := p.request("GET", token, "/api/v1/query?query=1", ""); a.status != http.StatusUnauthorized {
		t.Errorf("a token from before the deletion got status %d", a.status)
	}

	must(t, p.dataDir, "", "deployment", "delete", "shop two")
	p.waitTrash(1)
	b.visit("/trash")
	b.click("button", "Actions for shop two")
	b.click("button", "Free now")
	b.fill("Type the name of the deployment to confirm", "shop")
	b.click("button", "Free now")
	b.wantFieldError("Type the name of the deployment to confirm", "This is not the name", "shop")
	b.fill("Type the name of the deployment to confirm", "shop two")
	b.clickToLoad("button", "Free now")
	b.sees("The trash is empty")
}

// TestLifecycleWithoutJavaScript sizes and stops a deployment in a browser that runs no scripts.
func TestLifecycleWithoutJavaScript(t *testing.T) {
	t.Parallel()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	p := serve(t, dir)
	p.waitRunning("default")
	b := openTab(t, p.console)
	b.withoutScripts()
	b.signIn(browserEmail, "/deployments")
	b.click("button", "Create")
	b.find("heading", "Create deployment")
	b.fill("Name", "by hand")
	b.click("radio", "s.micro.a")
	b.fill("Retention", "0")
	b.click("button", "Create")
	b.wantFieldError("Retention", "The retention is out of range", "0")
	b.fill("Retention", "90")
	b.click("button", "Create")
	b.find("heading", "by hand")
	b.sees("Retention 90 days")
	b.clickToLoad("link", "Settings")
	b.fill("Name", "renamed")
	b.clickToLoad("button", "Preview changes")
	b.sees("nothing restarts")
	b.clickToLoad("button", "Save")
	b.sees("The settings are saved.")
	b.clickToLoad("link", "Overview")
	b.click("button", "Actions for renamed")
	b.clickToLoad("button", "Stop")
	b.find("heading", "Stop deployment")
	b.clickToLoad("button", "Stop")
	b.sees("Stopped by " + browserEmail)
	b.clickToLoad("button", "Start")
	b.find("heading", "renamed")
	b.seesNo("Stopped by")
}

func TestSettingsPrintACommandThatChangesThem(t *testing.T) {
	t.Parallel()
	p, b := newConsole(t, "/deployments/default/settings")
	b.allowClipboard()
	key := must(t, p.dataDir, "", "apikey", "create", "--name", "settings", "--permissions", "rw")
	b.fill("Name", "it's $(id)")
	b.click("radio", "s.micro.a")
	b.fill("Storage in GB optional", "30")
	b.click("DisclosureTriangle", "Engine flags")
	b.fill("Flags optional", "-search.maxQueryDuration=20s")
	b.click("DisclosureTriangle", "as cURL")
	b.sees(`"flags":{"single_flags":["-search.maxQueryDuration=20s"]}`)
	b.sees(`"tier":22`)
	shell(t, b.copied("Copy as cURL"), "GATEHOUSE_API_KEY="+key)
	b.visit("/deployments/it's%20$(id)/settings")
	for field, want := range map[string]string{"Name": "it's $(id)", "Storage in GB optional": "30", "Flags optional": "-search.maxQueryDuration=20s", "Retention": "30"} {
		if got := b.find("textbox", field).value(); got != want {
			t.Errorf("the field %q holds %q, not %q", field, got, want)
		}
	}
	b.sees("Recommended for s.micro.a and 30 days")
}
