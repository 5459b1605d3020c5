package views

import (
	"maps"
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
)

// actionLabels say what was done, so that a record reads "ops@example.com: Generated access token vmagent".
var actionLabels = map[gatehouse.Action]string{
	gatehouse.DeploymentCreated:   "Created deployment",
	gatehouse.DeploymentConnected: "Connected deployment",
	gatehouse.DeploymentChanged:   "Changed deployment",
	gatehouse.DeploymentDeleted:   "Deleted deployment",
	gatehouse.DeploymentStopped:   "Stopped deployment",
	gatehouse.DeploymentStarted:   "Started deployment",
	gatehouse.DeploymentRestored:  "Restored deployment",
	gatehouse.DataFreed:           "Freed the data of deployment",
	gatehouse.TokenCreated:        "Generated access token",
	gatehouse.TokenImported:       "Imported access token",
	gatehouse.TokenRevealed:       "Saw or copied access token",
	gatehouse.TokenRevoked:        "Deleted access token",
	gatehouse.RulesUploaded:       "Uploaded rule file",
	gatehouse.RulesDeleted:        "Deleted rule file",
	gatehouse.APIKeyCreated:       "Created API key",
	gatehouse.APIKeyRevealed:      "Saw or copied API key",
	gatehouse.APIKeyRevoked:       "Revoked API key",
	gatehouse.APIKeyRefused:       "Came with an API key that is not valid",
	gatehouse.UserCreated:         "Created user",
	gatehouse.UserInvited:         "Invited user",
	gatehouse.UserLinkMade:        "Made password link for user",
	gatehouse.UserPasswordSet:     "Set password of user",
	gatehouse.UserRoleChanged:     "Changed role of user",
	gatehouse.UserDisabled:        "Disabled user",
	gatehouse.UserEnabled:         "Enabled user",
	gatehouse.UserDeleted:         "Deleted user",
	gatehouse.SignedIn:            "Signed in",
	gatehouse.SignedOut:           "Signed out",
	gatehouse.SessionEnded:        "Ended session of user",
	gatehouse.SignInFailed:        "Failed to sign in",
	gatehouse.Denied:              "Was refused",
	gatehouse.AuditExported:       "Exported audit log",
	gatehouse.AuditPruned:         "Removed old audit records",
	gatehouse.BackedUp:            "Made backup",
	gatehouse.Restored:            "Restored backup",
	gatehouse.Rekeyed:             "Changed sealing key",
}

// actionLabel shows an action that a newer Gatehouse recorded as it stands.
func actionLabel(a gatehouse.Action) string {
	if label, ok := actionLabels[a]; ok {
		return label
	}
	return string(a)
}

// refused reports whether the record is of an attempt that failed.
func refused(a gatehouse.Action) bool {
	return a == gatehouse.Denied || a == gatehouse.SignInFailed || a == gatehouse.APIKeyRefused
}

func actorKind(k gatehouse.ActorKind) string {
	switch k {
	case gatehouse.Person:
		return "person"
	case gatehouse.KeyHolder:
		return "API key"
	case gatehouse.CommandLine:
		return "command line"
	}
	return "Gatehouse"
}

// actorName of somebody who failed to sign in is not known when what they typed was no email address.
func actorName(a gatehouse.Actor) string {
	if a.Name == "" {
		return "unknown"
	}
	return a.Name
}

// auditField is a field of a record, or of what was changed.
type auditField struct{ Field, Before, After string }

// changes gives the fields that a change changed.
func changes(e gatehouse.AuditEvent) []auditField {
	names := map[string]string{}
	maps.Copy(names, e.Before)
	maps.Copy(names, e.After)
	var all []auditField
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, auditField{words(name), e.Before[name], e.After[name]})
	}
	return all
}

// details gives the further facts of a record.
func details(e gatehouse.AuditEvent) []auditField {
	var all []auditField
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		all = append(all, auditField{Field: words(name), After: e.Details[name]})
	}
	return all
}

func words(name string) string {
	if name == "right" {
		return "to" // as in: was refused to list users
	}
	return strings.ReplaceAll(name, "_", " ")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
