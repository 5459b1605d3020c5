package gatehouse

// Tier is a named set of limits for a managed deployment, with the engine flags that enforce them. The flags are those of
// https://docs.victoriametrics.com/victoriametrics/#list-of-command-line-flags.
type Tier struct {
	Name                  string
	ActiveTimeSeries      int // series with a sample in the last hour: -storage.maxHourlySeries
	NewSeriesOver24h      int // -storage.maxDailySeries
	SeriesReadPerQuery    int // -search.maxUniqueTimeseries
	MaxConcurrentRequests int // per token, kept by the access endpoint
}

// Tiers are the built-in tiers, smallest first.
var Tiers = []Tier{
	{Name: "small", ActiveTimeSeries: 100_000, NewSeriesOver24h: 200_000, SeriesReadPerQuery: 30_000, MaxConcurrentRequests: 200},
	{Name: "medium", ActiveTimeSeries: 1_000_000, NewSeriesOver24h: 2_000_000, SeriesReadPerQuery: 150_000, MaxConcurrentRequests: 600},
	{Name: "large", ActiveTimeSeries: 10_000_000, NewSeriesOver24h: 20_000_000, SeriesReadPerQuery: 600_000, MaxConcurrentRequests: 1200},
}

// TierByName finds a built-in tier.
func TierByName(name string) (Tier, bool) {
	for _, t := range Tiers {
		if t.Name == name {
			return t, true
		}
	}
	return Tier{}, false
}

func tierNames() []string {
	names := make([]string, len(Tiers))
	for i, t := range Tiers {
		names[i] = t.Name
	}
	return names
}
