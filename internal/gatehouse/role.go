package gatehouse

import "slices"

// Role is what a user may do, as in VictoriaMetrics Cloud.
type Role string

const (
	Admin  Role = "admin"  // everything
	Editor Role = "editor" // deployments, tokens, rules, logs and the audit log
	Viewer Role = "viewer" // looks, never sees or copies a secret
)

// Roles are all roles, the mightiest first.
var Roles = []Role{Admin, Editor, Viewer}

// ParseRole reads "admin", "editor" or "viewer".
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles, r) {
		return r, nil
	}
	return "", InvalidField("role", "the role %q is unknown; choose admin, editor or viewer", shorten(s))
}

// Label is the role as the screen shows it.
func (r Role) Label() string {
	switch r {
	case Admin:
		return "Admin"
	case Editor:
		return "Editor"
	case Viewer:
		return "Viewer"
	}
	return string(r)
}

// Right is one thing that control asks a role for.
type Right string

const (
	ViewDeployments   Right = "view deployments"
	ChangeDeployments Right = "create, connect, change or delete deployments"
	ViewTrash         Right = "list deleted deployments"
	ViewTokens        Right = "list access tokens"
	ChangeTokens      Right = "generate or delete access tokens"
	RevealTokens      Right = "see or copy a secret"
	ViewRules         Right = "read rule files"
	ChangeRules       Right = "upload or delete rule files"
	ViewLogs          Right = "read the logs of deployments"
	ViewAudit         Right = "read the audit log"
	ViewAPIKeys       Right = "list API keys"
	ManageAPIKeys     Right = "create, see or revoke API keys"
	ViewUsers         Right = "list users"
	ManageUsers       Right = "manage users"
	ManageServer      Right = "back up, restore or rekey"
)

// Rights are all rights.
var Rights = []Right{
	ViewDeployments, ChangeDeployments, ViewTrash, ViewTokens, ChangeTokens, RevealTokens, ViewRules, ChangeRules, ViewLogs, ViewAudit,
	ViewAPIKeys, ManageAPIKeys, ViewUsers, ManageUsers, ManageServer,
}

// Can reports whether the role carries the right. docs/roles.md has the table.
func (r Role) Can(right Right) bool {
	switch r {
	case Admin:
		return true
	case Editor:
		switch right {
		case ViewDeployments, ChangeDeployments, ViewTrash, ViewTokens, ChangeTokens, RevealTokens, ViewRules, ChangeRules, ViewLogs, ViewAudit:
			return true
		}
	case Viewer:
		return right == ViewDeployments
	}
	return false
}

// changes reports whether the right is beyond a read-only key. RevealTokens is not among them: control lets such a key see the
// secrets of Read tokens, and refuses those with which it could write.
func (r Right) changes() bool {
	switch r {
	case ViewDeployments, ViewTrash, ViewTokens, RevealTokens, ViewRules, ViewLogs, ViewAudit, ViewAPIKeys, ViewUsers:
		return false
	}
	return true
}
