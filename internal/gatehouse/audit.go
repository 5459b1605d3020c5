package gatehouse

import "time"

// Action is what an audit record says was done.
type Action string

const (
	DeploymentCreated   Action = "deployment.created"
	DeploymentConnected Action = "deployment.connected"
	DeploymentChanged   Action = "deployment.changed"
	DeploymentDeleted   Action = "deployment.deleted"
	TokenCreated        Action = "token.created"
	TokenImported       Action = "token.imported"
	TokenRevealed       Action = "token.revealed"
	TokenRevoked        Action = "token.revoked"
	RulesUploaded       Action = "rules.uploaded"
	RulesDeleted        Action = "rules.deleted"
	APIKeyCreated       Action = "api_key.created"
	APIKeyRevealed      Action = "api_key.revealed"
	APIKeyRevoked       Action = "api_key.revoked"
	APIKeyRefused       Action = "api_key.refused" // unknown, expired or revoked
	UserCreated         Action = "user.created"
	UserInvited         Action = "user.invited"
	UserLinkMade        Action = "user.link_made" // a one-time link to choose a password
	UserPasswordSet     Action = "user.password_set"
	UserRoleChanged     Action = "user.role_changed"
	UserDisabled        Action = "user.disabled"
	UserEnabled         Action = "user.enabled"
	UserDeleted         Action = "user.deleted"
	SignedIn            Action = "user.signed_in"
	SignedOut           Action = "user.signed_out"
	SessionEnded        Action = "user.session_ended"
	SignInFailed        Action = "user.sign_in_failed"
	Denied              Action = "access.denied" // the actor lacked the right
	AuditExported       Action = "audit.exported"
	AuditPruned         Action = "audit.pruned" // records older than the retention were removed
	BackedUp            Action = "backup.made"
	Restored            Action = "backup.restored"
	Rekeyed             Action = "secrets.rekeyed"
	DeploymentStopped   Action = "deployment.stopped"
	DeploymentStarted   Action = "deployment.started"
	DeploymentRestored  Action = "deployment.restored" // from the trash
	DataFreed           Action = "deployment.freed"    // it was in the trash and cannot be restored any more
)

// Actions are all actions, in the order of the list above.
var Actions = []Action{
	DeploymentCreated, DeploymentConnected, DeploymentChanged, DeploymentDeleted,
	TokenCreated, TokenImported, TokenRevealed, TokenRevoked, RulesUploaded, RulesDeleted,
	APIKeyCreated, APIKeyRevealed, APIKeyRevoked, APIKeyRefused,
	UserCreated, UserInvited, UserLinkMade, UserPasswordSet, UserRoleChanged, UserDisabled, UserEnabled, UserDeleted,
	SignedIn, SignedOut, SessionEnded, SignInFailed, Denied, AuditExported, AuditPruned, BackedUp, Restored, Rekeyed,
	DeploymentStopped, DeploymentStarted, DeploymentRestored, DataFreed,
}

// AuditEvent is one record of the audit log. It never holds a secret.
type AuditEvent struct {
	Seq          int64 // set by the store; consecutive
	At           time.Time
	Actor        Actor // without Role, ReadOnly and Deployments
	Action       Action
	ObjectID     string // what it was done to
	ObjectName   string
	DeploymentID string            // the deployment concerned, or empty
	Details      map[string]string // further facts, such as access and tenant
	Before       map[string]string // of a change: the fields that differ, as they were
	After        map[string]string // and as they are now
}

// AuditQuery chooses records of the audit log. Zero fields choose all.
type AuditQuery struct {
	From, To     time.Time // From is included, To is not
	Actor        string    // name of the actor, or a part of it
	Action       Action
	DeploymentID string
	ObjectID     string // what it was done to
	Text         string // a part of the object's name or ID, the client address, or a value of the details
	Limit        int    // 0: all
	Offset       int
}

// AuditHead is the last record of the audit log: noted elsewhere, it also shows when the whole log is replaced.
type AuditHead struct {
	Seq  int64
	Hash string // hexadecimal SHA-256
}
