package gatehouse

import "time"

// DefaultTrashRetention is how long a deleted managed deployment can be restored unless the operator says otherwise.
const DefaultTrashRetention = 7 * 24 * time.Hour

// DeletedDeployment is a managed deployment in the trash: with its settings, its rule files and its data, and without its access
// tokens, which stay revoked.
type DeletedDeployment struct {
	Deployment Deployment
	RuleFiles  []RuleFile
	DeletedAt  time.Time
	Damaged    bool   // only ID and name could be read: it cannot be restored
	DeletedBy  string // email of the person, name of the API key, or "command line"
}
