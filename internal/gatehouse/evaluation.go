package gatehouse

import "time"

// RuleSet is what is evaluated for a deployment.
type RuleSet struct {
	Files       []RuleFile // with their content
	NotifierURL string     // of an Alertmanager that gets the alerts; empty: none does
}

// Evaluation is how the rules of a deployment are doing. The zero value means that nothing is evaluated.
type Evaluation struct {
	Status  Status // Provisioning, Running or Failed
	Detail  string // one sentence with the remedy, for Failed, and for Running when alerts do not reach the notifier
	Version string // of vmalert; empty when not known
	Groups  []RuleGroup
}

// RuleGroup is one group of rules that is evaluated.
type RuleGroup struct {
	Name     string
	Interval time.Duration
	Rules    []RuleState
}

// RuleHealth is how a rule was doing when it was last evaluated.
type RuleHealth string

const (
	RuleOK       RuleHealth = "ok"
	RuleFailing  RuleHealth = "err"
	RuleUnjudged RuleHealth = "unknown" // never evaluated
)

// RuleState is one rule that is evaluated.
type RuleState struct {
	Name           string // of the metric that it records, or of the alert
	Alerting       bool   // else recording
	Query          string
	Health         RuleHealth
	Error          string    // why it is failing
	LastEvaluation time.Time // zero: never
	Samples        int       // that the last evaluation gave
	Alerts         []Alert   // firing and pending
}

// Alert is one that is firing, or that will be if its condition holds long enough.
type Alert struct {
	Name   string
	Firing bool // else pending
	Labels map[string]string
	Value  string
	Since  time.Time
}

// Alerts gives those of all rules.
func (e Evaluation) Alerts() []Alert {
	var all []Alert
	for _, g := range e.Groups {
		for _, r := range g.Rules {
			all = append(all, r.Alerts...)
		}
	}
	return all
}

// LogName is one of the logs of a deployment's programs.
type LogName string

const (
	EngineLog  LogName = "engine" // of a single node
	StorageLog LogName = LogName(StorageProgram)
	InsertLog  LogName = LogName(InsertProgram)
	SelectLog  LogName = LogName(SelectProgram)
	VmalertLog LogName = "vmalert"
)

// ParseLogName reads the name of a log.
func ParseLogName(s string) (LogName, error) {
	switch n := LogName(s); n {
	case EngineLog, StorageLog, InsertLog, SelectLog, VmalertLog:
		return n, nil
	}
	return "", InvalidField("log", "the log %q is unknown; choose engine for a single node, vmstorage, vminsert or vmselect for a cluster, or vmalert", shorten(s))
}

// Label is the program that writes the log, as the screen shows it.
func (n LogName) Label() string {
	if n == EngineLog {
		return string(SingleProgram)
	}
	return string(n)
}

// Missing says which log there is none of, and when there would be one.
func (n LogName) Missing() string {
	switch n {
	case VmalertLog:
		return "log of vmalert: only deployments with rules have one"
	case EngineLog:
		return "engine log: only managed deployments that were started have one"
	}
	return "log of " + string(n) + ": only managed clusters that were started have one"
}
