package gatehouse

import (
	"strconv"
	"strings"
)

// Tenant is one tenant of a cluster, https://docs.victoriametrics.com/victoriametrics/cluster-victoriametrics/#multitenancy.
// Two spellings of the same pair of numbers ("7", "7:0", "007") are the same Tenant.
type Tenant struct {
	AccountID uint32
	ProjectID uint32
}

// ParseTenant reads accountID or accountID:projectID, each a decimal uint32 without sign or space.
func ParseTenant(s string) (Tenant, error) {
	account, project, hasProject := strings.Cut(s, ":")
	a, ok := parseUint32(account)
	if !ok {
		return Tenant{}, invalidTenant(s)
	}
	var p uint32
	if hasProject {
		if p, ok = parseUint32(project); !ok {
			return Tenant{}, invalidTenant(s)
		}
	}
	return Tenant{AccountID: a, ProjectID: p}, nil
}

func invalidTenant(s string) error {
	return InvalidField("tenant", "the tenant %q is not valid; write accountID or accountID:projectID, each a number from 0 to 4294967295", shorten(s))
}

// parseUint32 takes digits only: strconv alone would accept "+7".
func parseUint32(s string) (uint32, bool) {
	if s == "" || len(s) > 64 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}

// String is the canonical form, which VictoriaMetrics also prints: "7" for 7:0, else "7:9".
func (t Tenant) String() string {
	s := strconv.FormatUint(uint64(t.AccountID), 10)
	if t.ProjectID == 0 {
		return s
	}
	return s + ":" + strconv.FormatUint(uint64(t.ProjectID), 10)
}
