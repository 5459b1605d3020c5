package gatehouse

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Limits of rule files, those of VictoriaMetrics Cloud.
const (
	MostRuleBytes = 20 << 20 // of all files of a deployment together
	MostRules     = 100      // of all files of a deployment together
)

// RuleFile is a file of recording and alerting rules of a deployment. Its content is kept byte for byte.
type RuleFile struct {
	DeploymentID string
	Name         string
	Content      []byte
	Groups       []string // names, unique among all files of a deployment
	Rules        int
	ChangedAt    time.Time
	ChangedBy    string
}

// CheckRuleFileName checks a file name as it stands in a URL: one plain segment of 1 to 100 characters.
func CheckRuleFileName(name string) error {
	bad := func(r rune) bool {
		return unicode.IsControl(r) || unicode.IsSpace(r) || strings.ContainsRune(`/\?#%`, r)
	}
	if name == "" || name == "." || name == ".." || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxNameLength || strings.ContainsFunc(name, bad) {
		return InvalidField("name", `the file name is not valid; write 1 to %d characters without spaces and without / \ ? # %%`, MaxNameLength)
	}
	return nil
}
