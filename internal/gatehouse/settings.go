package gatehouse

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Providers are the cloud providers that the management API knows. Gatehouse is the one, local; "aws" is another name for it, since
// the client and the Terraform provider of VictoriaMetrics Cloud refuse every other.
var Providers = []string{"local", "aws"}

// Regions are the regions of each provider.
var Regions = []string{"local"}

// MaintenanceWindows are the times at which a deployment may be updated, as VictoriaMetrics Cloud spells them.
var MaintenanceWindows = []string{"Sat-Sun 3-4am", "Mon-Fri 4-5am"}

// Deduplication keeps one sample of each series per interval. Zero keeps all.
type Deduplication struct {
	Value uint32
	Unit  string // "s" or "ms"
}

// Flags are further command-line flags of a deployment's programs, each like "-search.maxQueueDuration=20s" and among EngineFlags.
type Flags struct {
	Single, Select, Storage, Insert []string
}

// Settings are what may be changed of a deployment.
type Settings struct {
	Name              string
	Tier              string // name of a Tier, or empty for no limits; managed only
	Retention         Retention
	StorageGB         uint64 // 0: as much as the disk has
	Deduplication     Deduplication
	MaintenanceWindow string // one of MaintenanceWindows, or empty for any time
	Flags             Flags
	// MaxConcurrentRequests is the limit per token. 0 leaves it as it is: the tier's, or the one that was chosen.
	MaxConcurrentRequests int
}

// Limits of settings, those of VictoriaMetrics Cloud.
const (
	leastStorageGB          = 10
	mostStorageGB           = 16 << 10 // of a single node
	mostClusterStorageGB    = 1 << 20
	mostDeduplication       = 24 * 60 * 60 // seconds
	mostFlags, mostFlagSize = 50, 1000
)

// Check validates s for a managed deployment of type t.
func (s Settings) Check(t DeploymentType) error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	if err := checkTier(s.Tier, t); err != nil {
		return err
	}
	if err := s.Retention.check(); err != nil {
		return err
	}
	if err := checkStorage(s.StorageGB, t); err != nil {
		return err
	}
	if err := s.Deduplication.check(); err != nil {
		return err
	}
	if s.MaintenanceWindow != "" && !slices.Contains(MaintenanceWindows, s.MaintenanceWindow) {
		return InvalidField("maintenance_window", "the maintenance window %q is unknown; choose one of: %s", shorten(s.MaintenanceWindow), strings.Join(MaintenanceWindows, ", "))
	}
	if err := checkConcurrentRequests(s.MaxConcurrentRequests); err != nil {
		return err
	}
	return s.Flags.check(t)
}

// CheckConnected validates what Gatehouse may change of a deployment that runs elsewhere.
func (s Settings) CheckConnected() error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	return checkConcurrentRequests(s.MaxConcurrentRequests)
}

func checkConcurrentRequests(n int) error {
	if n < 0 || n > MostConcurrentRequests {
		return InvalidField("max_concurrent_requests", "the limit of concurrent requests is out of range; write a number from 1 to %d", MostConcurrentRequests)
	}
	return nil
}

func checkStorage(gb uint64, t DeploymentType) error {
	most := uint64(mostStorageGB)
	if t == Cluster {
		most = mostClusterStorageGB
	}
	if gb != 0 && (gb < leastStorageGB || gb > most) {
		return InvalidField("storage_size", "the storage is out of range; choose %d GB to %d GB", leastStorageGB, most)
	}
	return nil
}

// gbPerTB is what VictoriaMetrics Cloud's API reckons with.
const gbPerTB = 1024

// ParseStorage reads "20GB" or "1TB", which is 1024 GB.
func ParseStorage(s string) (gb uint64, err error) {
	unit := uint64(1)
	digits, ok := strings.CutSuffix(s, "GB")
	if !ok {
		digits, ok = strings.CutSuffix(s, "TB")
		unit = gbPerTB
	}
	n, isNumber := parseUint32(digits)
	if !ok || !isNumber {
		return 0, InvalidField("storage_size", "the storage %q is not valid; write GB like 20GB or TB like 1TB", shorten(s))
	}
	return uint64(n) * unit, nil
}

// ParseDeduplication reads "30s" or "500ms".
func ParseDeduplication(s string) (Deduplication, error) {
	d := Deduplication{Unit: "ms"}
	digits, ok := strings.CutSuffix(s, d.Unit)
	if !ok {
		d.Unit = "s"
		digits, ok = strings.CutSuffix(s, d.Unit)
	}
	n, isNumber := parseUint32(digits)
	if !ok || !isNumber {
		return Deduplication{}, InvalidField("deduplication", "the deduplication interval %q is not valid; write seconds like 30s or milliseconds like 500ms", shorten(s))
	}
	d.Value = n
	return d, d.check()
}

// String is the form that ParseDeduplication reads, or empty for none.
func (d Deduplication) String() string {
	if d.Value == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(d.Value), 10) + d.Unit
}

// Duration is the interval; 0 keeps all samples.
func (d Deduplication) Duration() time.Duration {
	if d.Unit == "ms" {
		return time.Duration(d.Value) * time.Millisecond
	}
	return time.Duration(d.Value) * time.Second
}

func (d Deduplication) check() error {
	most := uint32(mostDeduplication)
	switch d.Unit {
	case "s":
	case "ms":
		most *= 1000
	case "":
		most = 0
	default:
		return InvalidField("deduplication_unit", "the unit of deduplication %q is unknown; choose s or ms", shorten(d.Unit))
	}
	if d.Value > most {
		return InvalidField("deduplication", "the deduplication interval is out of range; choose 0 to %d seconds", mostDeduplication)
	}
	return nil
}

func (f Flags) check(t DeploymentType) error {
	if t == SingleNode && len(f.Select)+len(f.Storage)+len(f.Insert) > 0 {
		return InvalidField("flags", "a single node has no vmselect, vmstorage or vminsert; give its flags as single_flags")
	}
	if t == Cluster && len(f.Single) > 0 {
		return InvalidField("flags", "a cluster has no single program; give its flags as select_flags, storage_flags and insert_flags")
	}
	for _, p := range t.Programs() {
		flags := f.Of(p)
		if len(flags) > mostFlags {
			return InvalidField(p.FlagsField(), "there are more than %d flags; leave some out", mostFlags)
		}
		if _, err := CheckEngineFlags(p, flags); err != nil {
			return err
		}
	}
	return nil
}

// GrowsFrom refuses what cannot be changed in place: storage that gets smaller.
func (s Settings) GrowsFrom(old Settings) error {
	if s.StorageGB < old.StorageGB {
		return InvalidField("storage_size", "storage can only grow; choose at least %d GB", old.StorageGB)
	}
	return nil
}

// EngineChanges names the settings that differ from old and are given to the engine, which must start anew for them.
func (s Settings) EngineChanges(old Settings) []string {
	var names []string
	if s.Tier != old.Tier {
		names = append(names, "tier")
	}
	if s.Retention.orDefault() != old.Retention.orDefault() {
		names = append(names, "retention")
	}
	if s.Deduplication.Duration() != old.Deduplication.Duration() {
		names = append(names, "deduplication")
	}
	if !s.Flags.same(old.Flags) {
		names = append(names, "flags")
	}
	return names
}

// same reports whether the programs are started with the same flags, however they are written.
func (f Flags) same(old Flags) bool {
	for _, p := range Programs {
		now, err := CheckEngineFlags(p, f.Of(p))
		before, oldErr := CheckEngineFlags(p, old.Of(p))
		if !slices.Equal(now, before) || (err == nil) != (oldErr == nil) {
			return false
		}
	}
	return true
}
