package gatehouse

import (
	"slices"
	"strings"
)

// Tier is a named set of limits for a managed deployment, which its engine keeps by command-line flags,
// https://docs.victoriametrics.com/victoriametrics/#list-of-command-line-flags. A limit of 0 is none.
type Tier struct {
	ID                    uint32 // by which the management API names it; never changes and is never used for another one
	Type                  DeploymentType
	Name                  string
	IngestionRate         int   // samples per second that the tier is made for; MaxIngestionRate is where a single node ends
	ActiveTimeSeries      int   // series with a sample in the last hour: -storage.maxHourlySeries
	NewSeriesOver24h      int   // -storage.maxDailySeries, which counts the series of a day, old and new
	DatapointsReadRate    int   // per second, a recommendation
	SeriesReadPerQuery    int   // -search.maxUniqueTimeseries
	MaxConcurrentRequests int   // per token, kept by the access endpoint
	MemoryBytes           int64 // for caches: -memory.allowedBytes; 0 is a share of the machine's memory
	Retired               bool  // goes on working where it is in use, and is not offered any more
}

// MaxIngestionRate is how many samples a single node takes per second before it lets clients wait: -maxIngestionRate. Twice the rate
// that the tier is made for, as in https://docs.victoriametrics.com/victoriametrics-cloud/deployments/limits/. A cluster knows no
// such limit.
func (t Tier) MaxIngestionRate() int { return 2 * t.IngestionRate }

// Unlimited is the tier of single nodes that have chosen none, and UnlimitedCluster that of clusters.
var (
	Unlimited        = Tier{ID: 9, Type: SingleNode, Name: "unlimited", MaxConcurrentRequests: DefaultMaxConcurrentRequests}
	UnlimitedCluster = Tier{ID: 19, Type: Cluster, Name: "cluster-unlimited", MaxConcurrentRequests: DefaultMaxConcurrentRequests}
)

// UnlimitedFor is the tier without limits of a type.
func UnlimitedFor(t DeploymentType) Tier {
	if t == Cluster {
		return UnlimitedCluster
	}
	return Unlimited
}

// FirstFreeTierID is where the numbers begin that operators may give to tiers of their own. Those below are Gatehouse's.
const FirstFreeTierID = 1000

// BuiltinTiers are the tiers that there are unless an operator says otherwise, smallest first.
//
// Names, ingestion rate, active series and read rate of the s. tiers are those that the console of VictoriaMetrics Cloud offers, as
// https://docs.victoriametrics.com/victoriametrics-cloud/get-started/quickstart/ shows it. Series over 24 hours and series per query
// are those of https://docs.victoriametrics.com/victoriametrics-cloud/deployments/tiers-and-types/ for as many active series, and
// requests per token those of https://docs.victoriametrics.com/victoriametrics-cloud/tiers-parameters/. Memory is 1 KiB per active
// series, of which https://docs.victoriametrics.com/victoriametrics/#capacity-planning says that it is enough.
var BuiltinTiers = []Tier{
	{ID: 21, Type: SingleNode, Name: "s.starter.a", IngestionRate: 50_000, ActiveTimeSeries: 1_000_000, NewSeriesOver24h: 2_500_000, DatapointsReadRate: 750_000, SeriesReadPerQuery: 23_900, MaxConcurrentRequests: 600, MemoryBytes: 1 << 30},
	{ID: 22, Type: SingleNode, Name: "s.micro.a", IngestionRate: 100_000, ActiveTimeSeries: 2_000_000, NewSeriesOver24h: 5_000_000, DatapointsReadRate: 1_500_000, SeriesReadPerQuery: 46_600, MaxConcurrentRequests: 600, MemoryBytes: 2 << 30},
	{ID: 23, Type: SingleNode, Name: "s.small.a", IngestionRate: 200_000, ActiveTimeSeries: 5_000_000, NewSeriesOver24h: 12_500_000, DatapointsReadRate: 3_000_000, SeriesReadPerQuery: 81_000, MaxConcurrentRequests: 600, MemoryBytes: 5 << 30},
	{ID: 24, Type: SingleNode, Name: "s.medium.a", IngestionRate: 500_000, ActiveTimeSeries: 10_000_000, NewSeriesOver24h: 25_000_000, DatapointsReadRate: 6_000_000, SeriesReadPerQuery: 165_000, MaxConcurrentRequests: 600, MemoryBytes: 10 << 30},
	{ID: 25, Type: SingleNode, Name: "s.large.a", IngestionRate: 1_000_000, ActiveTimeSeries: 15_000_000, NewSeriesOver24h: 37_500_000, DatapointsReadRate: 15_000_000, SeriesReadPerQuery: 244_000, MaxConcurrentRequests: 600, MemoryBytes: 15 << 30},
	Unlimited,
	{ID: 1, Type: SingleNode, Name: "small", IngestionRate: 5_000, ActiveTimeSeries: 100_000, NewSeriesOver24h: 200_000, DatapointsReadRate: 500_000, SeriesReadPerQuery: 30_000, MaxConcurrentRequests: 200, Retired: true},
	{ID: 2, Type: SingleNode, Name: "medium", IngestionRate: 50_000, ActiveTimeSeries: 1_000_000, NewSeriesOver24h: 2_000_000, DatapointsReadRate: 5_000_000, SeriesReadPerQuery: 150_000, MaxConcurrentRequests: 600, Retired: true},
	{ID: 3, Type: SingleNode, Name: "large", IngestionRate: 500_000, ActiveTimeSeries: 10_000_000, NewSeriesOver24h: 20_000_000, DatapointsReadRate: 50_000_000, SeriesReadPerQuery: 600_000, MaxConcurrentRequests: 1200, Retired: true},
	{ID: 11, Type: Cluster, Name: "cluster-medium", IngestionRate: 100_000, ActiveTimeSeries: 2_000_000, NewSeriesOver24h: 4_000_000, DatapointsReadRate: 10_000_000, SeriesReadPerQuery: 300_000, MaxConcurrentRequests: 600, MemoryBytes: 2 << 30},
	{ID: 12, Type: Cluster, Name: "cluster-large", IngestionRate: 1_000_000, ActiveTimeSeries: 20_000_000, NewSeriesOver24h: 40_000_000, DatapointsReadRate: 100_000_000, SeriesReadPerQuery: 1_200_000, MaxConcurrentRequests: 1200, MemoryBytes: 20 << 30},
	UnlimitedCluster,
}

// Tiers are the tiers of this process. They are set once, before anything runs, as command-line flags are, and never change
// afterwards: control, engine and API look a tier up at any time, and must never see two tables.
var Tiers = BuiltinTiers

// OfferedTiers are those that a new deployment of type t may choose from.
func OfferedTiers(t DeploymentType) []Tier {
	var offered []Tier
	for _, tier := range Tiers {
		if tier.Type == t && !tier.Retired {
			offered = append(offered, tier)
		}
	}
	return offered
}

// TierByName finds a tier. The empty name is that of no tier.
func TierByName(name string) (Tier, bool) {
	return findTier(func(t Tier) bool { return t.Name == name })
}

// TierByID finds a tier.
func TierByID(id uint32) (Tier, bool) {
	return findTier(func(t Tier) bool { return t.ID == id })
}

func findTier(is func(Tier) bool) (Tier, bool) {
	if i := slices.IndexFunc(Tiers, is); i >= 0 {
		return Tiers[i], true
	}
	return Tier{}, false
}

// checkTier checks the name of a tier for a deployment of type t. Empty is none. A retired one is taken: configurations that name it
// go on working.
func checkTier(name string, t DeploymentType) error {
	tier, ok := TierByName(name)
	if name == "" || ok && tier.Type == t {
		return nil
	}
	var names []string
	for _, tier := range OfferedTiers(t) {
		names = append(names, tier.Name)
	}
	return InvalidField("tier", "the tier %q is unknown; choose one of %s", shorten(name), strings.Join(names, ", "))
}

// bytesPerSample is what VictoriaMetrics Cloud reckons with, https://docs.victoriametrics.com/victoriametrics-cloud/deployments/tiers-and-types/.
const bytesPerSample = 0.8

// RecommendedStorageGB is the disk space that a deployment of the tier needs, in the GB (2^30 bytes) of Settings.StorageGB: its
// ingestion rate for the retention and one more day, and a fifth on top for merges, as VictoriaMetrics Cloud reckons,
// https://docs.victoriametrics.com/guides/understand-your-setup-size/#retention-perioddisk-space. 0 when the tier has no rate.
func (t Tier) RecommendedStorageGB(r Retention) uint64 {
	if t.IngestionRate == 0 {
		return 0
	}
	days := float64(r.Value)
	if r.Unit == "m" {
		days *= 30
	}
	bytes := bytesPerSample * float64(t.IngestionRate) * (days + 1) * 24 * 60 * 60 * 1.2
	gb := uint64(bytes/(1<<30)) + 1
	if t.Type == SingleNode {
		gb = min(gb, mostStorageGB)
	}
	return max(gb, leastStorageGB)
}
