package gatehouse

import "time"

// DefaultTokenName is the name of the rw token that every deployment gets when it is created.
const DefaultTokenName = "default"

// Token is an access token without its secret. Tokens are immutable: to change one, make another and delete the first.
type Token struct {
	ID           string // UUID
	DeploymentID string
	Name         string
	Access       Access
	Tenant       *Tenant // nil: any tenant
	TenantSent   string  // the tenant as the management API received it, where it is spelled otherwise; the API echoes it
	Mask         string  // the secret's first four random characters, all that lists ever show
	CreatedAt    time.Time
	CreatedBy    string // email of the person, or "command line"
	FirstUse     *Use   // nil: never used
	LastUse      *Use   // nil: never used
	Broken       bool   // its row in the database is damaged: the access endpoint leaves it out, and it can only be deleted
}

// Use is one request that came with a token.
type Use struct {
	At        time.Time
	Addr      string // client address without port
	UserAgent string // as the client sent it, cut to 200 bytes
}

// NewToken is the input from which a token is made.
type NewToken struct {
	DeploymentID string
	Name         string
	Access       Access
	Tenant       *Tenant
	TenantSent   string // see Token
}

// Check validates n for a deployment of type t.
func (n NewToken) Check(t DeploymentType) error {
	if err := CheckName(n.Name); err != nil {
		return err
	}
	if _, err := ParseAccess(string(n.Access)); err != nil {
		return err
	}
	if n.Tenant != nil && t != Cluster {
		return InvalidField("tenant", "a single-node deployment has no tenants; leave the tenant empty")
	}
	return nil
}

// SecretHash is the SHA-256 of a secret, by which it is looked up. Secrets carry 190 random bits, so a fast hash is right.
type SecretHash [32]byte

// Credential is what the access endpoint must know of a token.
type Credential struct {
	TokenID      string
	DeploymentID string
	Name         string
	Hash         SecretHash
	Access       Access
	Tenant       *Tenant
}

// Change is one step that brings the access table up to date with the store. Exactly one field is set.
type Change struct {
	Deployment     *Deployment // created or changed
	Token          *Credential // created
	GoneDeployment string      // ID; its tokens are gone with it
	GoneToken      *SecretHash
	Broken         error // a row that cannot be read: told to the operator, never a reason to stop
}

// StoredToken is a token with what the store keeps of its secret.
type StoredToken struct {
	Token
	Hash   SecretHash
	Sealed []byte
}

// Sealed is a sealed secret and the row that it is bound to.
type Sealed struct {
	Row    string
	Sealed []byte
}

// TokenUse is news of a token's use, from the access endpoint to the store.
type TokenUse struct {
	TokenID      string
	DeploymentID string
	First        bool // the first use that this process has seen
	Use          Use
}

// TokenSort is the column by which a list of tokens is ordered.
type TokenSort string

const (
	SortByName      TokenSort = "name"
	SortByAccess    TokenSort = "access"
	SortByCreated   TokenSort = "created"
	SortByCreator   TokenSort = "creator"
	SortByFirstUsed TokenSort = "first_used"
	SortByLastUsed  TokenSort = "last_used"
	SortByTenant    TokenSort = "tenant"
)

// TokenActivity is what a token is doing right now and has done of late.
type TokenActivity struct {
	Running  int           // requests that are being answered
	Waiting  int           // requests in line, as the token's limit is reached
	Requests int           // let in and answered, in the last Period
	Refusals int           // refused although the token is valid, in the last Period
	Period   time.Duration // how far back Requests and Refusals look
}

// EndpointLoad is how busy the access endpoint is with all tokens of all deployments together.
type EndpointLoad struct {
	Running int // requests that are being answered
	Waiting int // requests in line, as the limit is reached
	Limit   int // of running requests
}

// TokenQuery says which tokens of a deployment to list, and in which order.
type TokenQuery struct {
	DeploymentID string
	Search       string    // part of the name, in any case; empty for all
	Access       Access    // empty for all
	Sort         TokenSort // empty: by creation
	Descending   bool
	Limit        int // 0: all
	Offset       int
}
