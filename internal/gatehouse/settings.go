package gatehouse

import (
	"slices"
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

// Flags are further command-line flags of a deployment's programs, each like "-search.maxQueueDuration=20s". Those of a single node
// are among EngineFlags; Gatehouse runs no clusters yet, and so passes on none of theirs.
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
	return s.Flags.check(t)
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
	for _, flags := range [][]string{f.Single, f.Select, f.Storage, f.Insert} {
		if len(flags) > mostFlags {
			return InvalidField("flags", "there are more than %d flags; leave some out", mostFlags)
		}
		for _, flag := range flags {
			if len(flag) > mostFlagSize || !headerText(flag) || !strings.HasPrefix(flag, "-") {
				return InvalidField("flags", "the flag %q is not valid; write it like -search.maxQueueDuration=20s", shorten(flag))
			}
		}
	}
	_, err := CheckEngineFlags(f.Single)
	return err
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
	now, err := CheckEngineFlags(s.Flags.Single)
	before, oldErr := CheckEngineFlags(old.Flags.Single)
	if !slices.Equal(now, before) || (err == nil) != (oldErr == nil) {
		names = append(names, "flags")
	}
	return names
}
