package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
	"gatehouse/internal/sqlite"
)

// organizationScenes are the pages about users, API keys and the audit log, as an admin sees them, and the code that forms print.
func organizationScenes() []scene {
	users := func(b *tab) { b.visit("/users"); b.find("button", "Invite user") }
	user := func(b *tab, email, action string) {
		users(b)
		b.click("button", "Actions for "+email)
		b.click("button", action)
	}
	keys := func(b *tab) { b.visit("/api-keys"); b.find("rowheader", "terraform") }
	key := func(b *tab, name, action string) {
		keys(b)
		b.click("button", "Actions for "+name)
		b.click("button", action)
	}
	return []scene{
		{"users", users},
		{"user-menu", func(b *tab) {
			users(b)
			b.click("button", "Actions for editor@example.com")
			b.find("button", "Reset password")
		}},
		{"user-invite", func(b *tab) {
			users(b)
			b.click("button", "Invite user")
			b.fill("Email", "editor@example.com")
			b.click("button", "Invite")
			b.sees("already")
		}},
		{"user-link", func(b *tab) {
			user(b, "editor@example.com", "Reset password")
			b.click("button", "Make link")
			b.sees("It is not shown again")
		}},
		{"user-role-last-admin", func(b *tab) {
			user(b, browserEmail, "Change role")
			b.click("radio", "Viewer")
			b.click("button", "Change role")
			b.sees("last admin")
		}},
		{"user-delete", func(b *tab) { user(b, "editor@example.com", "Delete"); b.sees("Never signed in") }},
		{"profile", func(b *tab) {
			b.visit("/profile")
			b.fill("Current password", "wrong")
			b.fill("New password", "short")
			b.click("button", "Change password")
			b.sees("choose at least 12")
		}},
		{"api-keys", keys},
		{"api-key-create", func(b *tab) { keys(b); b.click("button", "Create API key"); b.fill("Name", "grafana operator") }},
		{"api-key-create-selected", func(b *tab) {
			keys(b)
			b.click("button", "Create API key")
			b.fill("Name", "terraform")
			b.click("radio", "Until a date")
			b.click("radio", "Selected deployments")
			b.click("button", "Create")
			b.sees("The date is missing")
		}},
		{"api-key-created", func(b *tab) {
			keys(b)
			b.click("button", "Create API key")
			b.fill("Name", "nightly")
			b.click("button", "Create")
			b.find("dialog", "API key created")
		}},
		{"api-key-example", func(b *tab) { key(b, "inventory", "Example"); b.find("button", "Copy example cURL") }},
		{"api-key-revoke", func(b *tab) { key(b, "terraform", "Revoke"); b.sees("Last used") }},
		{"audit", func(b *tab) { b.visit("/audit?actor=example.com"); b.sees("Changed deployment") }},
		{"audit-none", func(b *tab) { b.visit("/audit?text=nobody"); b.sees("No record matches") }},
		{"audit-deployment", func(b *tab) { b.visit("/deployments/default/audit"); b.sees("Generated access token") }},
		{"api-docs", func(b *tab) { b.visit("/api-docs"); b.sees("API") }},
		{"generate-curl", func(b *tab) {
			b.visit("/deployments/default/tokens")
			b.click("button", "Generate Token")
			b.fill("Name", "it's vmagent")
			b.click("DisclosureTriangle", "as cURL")
			b.sees(`it'\''s vmagent`)
		}},
		{"create-terraform", func(b *tab) {
			b.visit("/deployments")
			b.click("button", "Create")
			b.fill("Name", "second")
			b.click("DisclosureTriangle", "as Terraform")
			b.sees(`resource "victoriametricscloud_deployment" "second"`)
		}},
	}
}

// inviteScenes are what somebody sees who was sent a one-time link.
func inviteScenes(link string) []scene {
	return []scene{
		{"invite", func(b *tab) {
			b.visit(link)
			b.fill("Password", "short")
			b.click("button", "Set password")
			b.sees("choose at least 12")
		}},
		{"invite-wrong", func(b *tab) { b.visit("/invite?code=wrong"); b.sees("This link does not work") }},
	}
}

// viewerScenes are what a viewer sees.
func viewerScenes() []scene {
	return []scene{
		{"overview-viewer", func(b *tab) { b.visit("/deployments/default"); b.sees("As a viewer you may") }},
		{"monitoring-viewer", func(b *tab) { b.visit("/deployments/default/monitoring"); b.sees("Last hour") }},
		{"integration-viewer", func(b *tab) { b.visit("/integrations/prometheus"); b.sees("Ask an admin or an editor") }},
		{"users-refused", func(b *tab) { b.visit("/users"); b.sees(`Your role "viewer" may not`) }},
	}
}

// furnishOrganization adds users, API keys, and something to find in the audit log. It gives the one-time link of an invited user.
func furnishOrganization(t *testing.T, dir string) (link string) {
	t.Helper()
	addUser(t, dir, "editor@example.com", "editor")
	addUser(t, dir, "viewer@example.com", "viewer")
	team := gatehouse.Actor{Kind: gatehouse.Person, Name: browserEmail, Role: gatehouse.Admin, Addr: "10.0.0.20"}
	err := (&commands{DataDir: dir}).withData(t.Context(), func(ctl *control.Control, _ gatehouse.Actor) error {
		_, code, err := ctl.InviteUser(t.Context(), team, "new-colleague@example.com", gatehouse.Editor)
		if err != nil {
			return err
		}
		link = "/invite?code=" + code
		addUser(t, dir, "left@example.com", "editor")
		if err := ctl.DisableUser(t.Context(), team, "left@example.com"); err != nil {
			return err
		}
		if err := makeKeys(t.Context(), ctl, team); err != nil {
			return err
		}
		d, err := ctl.Deployment(t.Context(), team, "default")
		if err != nil {
			return err
		}
		s := d.Settings()
		s.Retention, s.MaintenanceWindow = gatehouse.Retention{Value: 6, Unit: "m"}, gatehouse.MaintenanceWindows[0]
		_, err = ctl.UpdateDeployment(t.Context(), team, d.ID, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", filepath.Join(dir, sqlite.File))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`UPDATE api_keys SET expires_at = created_at WHERE name = 'migration'`); err != nil {
		t.Fatal(err)
	}
	return link
}

func makeKeys(ctx context.Context, ctl *control.Control, team gatehouse.Actor) error {
	d, err := ctl.Deployment(ctx, team, "production")
	if err != nil {
		return err
	}
	for _, n := range []gatehouse.NewAPIKey{
		{Name: "migration", ExpiresAt: time.Now().Add(time.Hour)},
		{Name: "inventory", ReadOnly: true, Deployments: []string{d.ID}},
		{Name: "terraform", ExpiresAt: time.Now().AddDate(0, 0, 90)},
	} {
		_, value, err := ctl.CreateAPIKey(ctx, team, n)
		if err != nil {
			return err
		}
		if n.Name != "terraform" {
			continue
		}
		if _, err := ctl.KeyActor(ctx, value.Reveal(), gatehouse.Client{Addr: "10.0.0.9", UserAgent: "Terraform/1.10"}); err != nil {
			return err
		}
	}
	return nil
}
