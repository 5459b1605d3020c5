package gatehouse

import "time"

// Action is what an audit record says was done.
type Action string

const (
	DeploymentCreated   Action = "deployment.created"
	DeploymentConnected Action = "deployment.connected"
	DeploymentDeleted   Action = "deployment.deleted"
	TokenCreated        Action = "token.created"
	TokenRevealed       Action = "token.revealed"
	TokenRevoked        Action = "token.revoked"
	UserCreated         Action = "user.created"
	UserPasswordSet     Action = "user.password_set"
	UserDisabled        Action = "user.disabled"
	SignedIn            Action = "user.signed_in"
	SignedOut           Action = "user.signed_out"
	SignInFailed        Action = "user.sign_in_failed"
	BackedUp            Action = "backup.made"
	Restored            Action = "backup.restored"
)

// AuditEvent is one record of the audit log. It never holds a secret.
type AuditEvent struct {
	Seq          int64 // set by the store
	At           time.Time
	Actor        Actor
	Action       Action
	ObjectID     string // what it was done to
	ObjectName   string
	DeploymentID string            // the deployment concerned, or empty
	Details      map[string]string // further facts, such as access and tenant
}
