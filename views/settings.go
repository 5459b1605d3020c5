package views

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// SettingsForm is what was entered for the settings of a managed deployment, as it was typed.
type SettingsForm struct {
	Name, Tier                       string
	Retention, RetentionUnit         string
	StorageGB                        string
	Deduplication, DeduplicationUnit string
	MaintenanceWindow                string
	Flags                            map[gatehouse.Program]string // one a line
}

func (f SettingsForm) hasFlags() bool {
	for _, flags := range f.Flags {
		if flags != "" {
			return true
		}
	}
	return false
}

// SettingsFormOf fills the form.
func SettingsFormOf(s gatehouse.Settings) SettingsForm {
	f := SettingsForm{Name: s.Name, Tier: s.Tier, MaintenanceWindow: s.MaintenanceWindow, Flags: map[gatehouse.Program]string{}}
	for _, p := range gatehouse.Programs {
		f.Flags[p] = strings.Join(s.Flags.Of(p), "\n")
	}
	if s.Retention == (gatehouse.Retention{}) {
		s.Retention = gatehouse.DefaultRetention
	}
	f.Retention, f.RetentionUnit = strconv.FormatUint(uint64(s.Retention.Value), 10), s.Retention.Unit
	if s.StorageGB > 0 {
		f.StorageGB = strconv.FormatUint(s.StorageGB, 10)
	}
	if s.Deduplication.Value > 0 {
		f.Deduplication, f.DeduplicationUnit = strconv.FormatUint(uint64(s.Deduplication.Value), 10), s.Deduplication.Unit
	}
	return f
}

var (
	retentionUnits     = []choice{{Value: "d", Label: "days"}, {Value: "m", Label: "months"}}
	deduplicationUnits = []choice{{Value: "s", Label: "seconds"}, {Value: "ms", Label: "milliseconds"}}
)

func maintenanceWindows() []choice {
	all := []choice{{Label: "at any time"}}
	for _, w := range gatehouse.MaintenanceWindows {
		all = append(all, choice{Value: w, Label: w})
	}
	return all
}

// tierRows are the tiers to choose from. One that is not offered any more stays in the list of who has it.
func tierRows(t gatehouse.DeploymentType, chosen string) []gatehouse.Tier {
	all := gatehouse.OfferedTiers(t)
	if tier, ok := gatehouse.TierByName(chosen); ok && tier.Retired && tier.Type == t {
		all = append(all, tier)
	}
	return all
}

// chosenTier is the row that stands for the name. No tier is the one without limits.
func chosenTier(t gatehouse.DeploymentType, name string) string {
	if name == "" {
		return gatehouse.UnlimitedFor(t).Name
	}
	return name
}

// limitsKept says who keeps the limits of a tier.
func limitsKept(t gatehouse.DeploymentType) string {
	if t == gatehouse.Cluster {
		return "The programs of the cluster keep the limits of series; none of them limits the ingestion rate."
	}
	return "The engine keeps the limits."
}

// recommendation explains how much storage to choose.
func (f SettingsForm) recommendation() string {
	const empty = "Empty: as much as the disk has."
	n, err := strconv.ParseUint(f.Retention, 10, 32)
	r := gatehouse.Retention{Value: uint32(n), Unit: f.RetentionUnit}
	t, ok := gatehouse.TierByName(f.Tier)
	if gb := t.RecommendedStorageGB(r); ok && err == nil && n > 0 && gb > 0 {
		return "Recommended for " + t.Name + " and " + r.Label() + ": " + number(int(gb)) + " GB. That is " + short(float64(t.IngestionRate)) +
			" samples per second for the retention and one more day, at 0.8 bytes each, and a fifth on top for merges. " + empty
	}
	return empty + " For a tier with an ingestion rate, a size is recommended here."
}

// settingChange is one setting before and after.
type settingChange struct{ Label, Before, After string }

// settingChanges lists what differs.
func settingChanges(before, after gatehouse.Settings) []settingChange {
	var all []settingChange
	add := func(label, was, is string) {
		if was != is {
			all = append(all, settingChange{label, was, is})
		}
	}
	add("Name", before.Name, after.Name)
	add("Tier", tierLabel(before.Tier), tierLabel(after.Tier))
	add("Retention", before.Retention.Label(), after.Retention.Label())
	add("Storage", storageLabel(before.StorageGB), storageLabel(after.StorageGB))
	add("Deduplication", deduplicationLabel(before.Deduplication), deduplicationLabel(after.Deduplication))
	add("Maintenance window", windowLabel(before.MaintenanceWindow), windowLabel(after.MaintenanceWindow))
	add("Flags", flagsLabel(before.Flags), flagsLabel(after.Flags))
	return all
}

func tierLabel(name string) string {
	if name == "" {
		return gatehouse.Unlimited.Name
	}
	return name
}

func storageLabel(gb uint64) string {
	if gb == 0 {
		return "as much as the disk has"
	}
	return number(int(gb)) + " GB"
}

func deduplicationLabel(d gatehouse.Deduplication) string {
	if d.Value == 0 {
		return "all samples are kept"
	}
	return "one sample per " + strconv.FormatUint(uint64(d.Value), 10) + " " + d.Unit
}

func windowLabel(w string) string {
	if w == "" {
		return "at any time"
	}
	return w
}

func flagsLabel(f gatehouse.Flags) string {
	all := slices.Clone(f.Single)
	for _, p := range gatehouse.Cluster.Programs() {
		if flags := f.Of(p); len(flags) > 0 {
			all = append(all, string(p)+" "+strings.Join(flags, " "))
		}
	}
	if len(all) == 0 {
		return "none"
	}
	return strings.Join(all, " ")
}

// flagsPlaceholder is a flag that the program knows.
func flagsPlaceholder(p gatehouse.Program) string {
	switch p {
	case gatehouse.StorageProgram:
		return "-inmemoryDataFlushInterval=10s"
	case gatehouse.InsertProgram:
		return "-maxLabelsPerTimeseries=60"
	}
	return "-search.maxQueryDuration=30s"
}

// flagsHint stands under the first input for flags.
func flagsHint(p gatehouse.Program) string {
	if p == gatehouse.SelectProgram || p == gatehouse.InsertProgram {
		return ""
	}
	return "One a line. Those below can be set; tier, retention and deduplication set theirs."
}

// flagPrograms names the programs of a cluster that know the flag.
func flagPrograms(f gatehouse.EngineFlag) string { return and(f.ClusterPrograms()) + ":" }

// restarts says what saving does to the engine.
func restarts(d gatehouse.Deployment, after gatehouse.Settings) string {
	names := after.EngineChanges(d.Settings())
	switch {
	case d.Connected():
		return "Gatehouse changes nothing in VictoriaMetrics itself."
	case len(names) == 0:
		return "VictoriaMetrics runs on; nothing restarts."
	case d.StoppedBy != "":
		return "The deployment is stopped. It takes effect when it is started."
	}
	return "VictoriaMetrics restarts, for the new " + and(names) + ". For some seconds, requests are answered 503: writers such as vmagent keep their data and try again, and queries fail."
}

// shortens reports whether old data goes.
func shortens(before, after gatehouse.Retention) bool { return span(after) < span(before) }

func span(r gatehouse.Retention) time.Duration {
	days := time.Duration(r.Value)
	if r.Unit == "m" {
		days *= 31 // as VictoriaMetrics reckons, https://docs.victoriametrics.com/victoriametrics/#retention
	}
	return days * 24 * time.Hour
}

// and joins words: "a, b and c".
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// flagRange says what a flag may be set to.
func flagRange(f gatehouse.EngineFlag) string {
	switch f.Kind {
	case gatehouse.SwitchFlag:
		return "true or false"
	case gatehouse.CountFlag:
		return number(int(f.Least)) + " to " + number(int(f.Most))
	}
	plain := strings.NewReplacer("h0m0s", "h", "m0s", "m")
	return plain.Replace(f.Format(f.Least)) + " to " + plain.Replace(f.Format(f.Most))
}
