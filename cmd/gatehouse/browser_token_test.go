package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp/kb"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
)

// newConsoleWithFleet starts the program with a cluster "fleet", which does not run, and an admin who is signed in at path.
func newConsoleWithFleet(t *testing.T, path string, prepare func(dataDir string)) (*program, *tab) {
	t.Helper()
	dir := newDataDir(t)
	addUser(t, dir, browserEmail, "admin")
	must(t, dir, "", "deployment", "connect", "fleet", "--type", "cluster", "--insert-url", "http://127.0.0.1:1", "--select-url", "http://127.0.0.1:1")
	prepare(dir)
	p := serve(t, dir)
	b := openTab(t, p.console)
	b.signIn(browserEmail, path)
	return p, b
}

// addTokens makes many tokens faster than by as many commands.
func addTokens(t *testing.T, dataDir, deployment string, n int) {
	t.Helper()
	c := &commands{DataDir: dataDir}
	err := c.withData(t.Context(), func(ctl *control.Control, actor gatehouse.Actor) error {
		for i := range n {
			access := []gatehouse.Access{gatehouse.Read, gatehouse.Write, gatehouse.ReadWrite}[i%3]
			if _, _, err := ctl.CreateToken(context.Background(), actor, gatehouse.NewToken{
				DeploymentID: deployment, Name: fmt.Sprintf("client %03d", i), Access: access,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// rows gives the names in the first column of the table, from top to bottom.
func (b *tab) rows() []string {
	b.Helper()
	var names []string
	for _, e := range b.readable("rowheader") {
		names = append(names, e.name)
	}
	return names
}

// waitRows waits until the table has n rows with these at both ends, and the page says how many there are.
func (b *tab) waitRows(n int, first, last, count string) {
	b.Helper()
	eventually(b.T, fmt.Sprintf("the table has %d rows from %s to %s", n, first, last), func() error {
		rows := b.rows()
		if len(rows) != n || n > 0 && (rows[0] != first || rows[n-1] != last) {
			return fmt.Errorf("they are %q", rows)
		}
		return nil
	})
	b.sees(count)
}

func TestManyTokens(t *testing.T) {
	t.Parallel()
	_, b := newConsoleWithFleet(t, "/deployments/fleet/tokens", func(dir string) { addTokens(t, dir, "fleet", 119) })
	b.waitRows(50, "client 118", "client 069", "1–50 of 120 tokens")
	b.click("link", "Next")
	b.waitRows(50, "client 068", "client 019", "51–100 of 120 tokens")
	b.click("link", "Next")
	b.waitRows(20, "client 018", "default", "101–120 of 120 tokens")
	if b.has("link", "Next") {
		t.Error("the last page has a next one")
	}
	b.click("link", "Previous")
	b.waitRows(50, "client 068", "client 019", "51–100 of 120 tokens")

	b.click("link", "Name")
	b.waitRows(50, "client 000", "client 049", "1–50 of 120 tokens")
	b.click("link", "Name")
	b.waitRows(50, "default", "client 070", "1–50 of 120 tokens")

	b.focus("searchbox", "Search by name")
	call(b, input.InsertText, input.InsertTextParams{Text: "CLIENT 11"})
	b.waitRows(9, "client 118", "client 110", "9 tokens")
	b.focus("combobox", "Permissions")
	b.press("W") // chooses Write
	b.waitRows(3, "client 118", "client 112", "3 tokens")
	if at := b.path(); !strings.Contains(at, "search=CLIENT+11") || !strings.Contains(at, "access=w") {
		t.Errorf("the address %s does not say what the page shows", at)
	}
	b.focus("searchbox", "Search by name")
	b.press(kb.End)
	b.press("x")
	b.sees("No token matches")
	b.click("link", "show all tokens")
	b.waitRows(50, "client 118", "client 069", "1–50 of 120 tokens")
}

func TestTenantsOfACluster(t *testing.T) {
	t.Parallel()
	p, b := newConsoleWithFleet(t, "/deployments/fleet/tokens", func(string) {})
	b.click("button", "Generate Token")
	b.fill("Name", "team seven")
	b.click("DisclosureTriangle", "Advanced settings")
	refused := func(tenant string) {
		t.Helper()
		b.fill("Tenant optional", tenant)
		b.click("button", "Generate")
		b.wantFieldError("Tenant optional", `The tenant "`+tenant+`" is not valid`, tenant)
		if kept := b.find("textbox", "Name").value(); kept != "team seven" {
			t.Errorf("the name became %q", kept)
		}
	}
	refused("seven")
	refused("4294967296")
	refused("7:")
	b.fill("Tenant optional", "7:9")
	b.click("button", "Generate")
	b.find("dialog", "Token generated")
	b.sees("Tenant 7:9")
	b.click("link", "Done")
	b.find("rowheader", "team seven")
	b.find("cell", "7:9")
	b.find("cell", "any") // the default token's

	b.click("button", "Generate Token")
	b.fill("Name", "team seven")
	b.click("button", "Generate")
	b.wantFieldError("Name", "has a token with this name already", "team seven")
	b.press(kb.Escape)
	b.waitGone("dialog", "Generate Token")

	b.click("button", "Actions for team seven")
	b.click("button", "Delete")
	b.sees("Never used")
	b.click("link", "Cancel")
	b.waitGone("dialog", "Delete team seven?")
	if id := tokenID(t, p.dataDir, "fleet", "team seven"); id == "" {
		t.Error("Cancel deleted the token")
	}
}

// TestDamagedToken shows a row of the database that cannot be read, and lets it be deleted.
func TestDamagedToken(t *testing.T) {
	t.Parallel()
	_, b := newConsoleWithFleet(t, "/deployments/fleet/tokens", func(dir string) {
		newToken(t, dir, "fleet", "scratched", "r")
		db, err := sql.Open("sqlite3", filepath.Join(dir, sqlite.File))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(`UPDATE tokens SET tenant = 'seven' WHERE name = 'scratched'`); err != nil {
			t.Fatal(err)
		}
	})
	b.find("rowheader", "scratched Damaged; delete it")
	if b.has("button", "Copy key of scratched") {
		t.Error("the page offers a key that does not work")
	}
	b.click("button", "Actions for scratched")
	if b.has("button", "Examples") {
		t.Error("the page offers examples that do not work")
	}
	b.click("button", "Delete")
	b.find("dialog", "Delete scratched?")
	b.click("button", "Delete")
	b.waitGone("dialog", "Delete scratched?")
	b.waitRows(1, "default", "default", "1 token")
}
