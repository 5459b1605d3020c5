package api

import "gatehouse/internal/gatehouse"

type cloudProvider struct {
	ID  string `json:"id" doc:"Name of the provider." example:"local"`
	URL string `json:"url" doc:"Where the provider can be found. Empty: it is this Gatehouse."`
}

func (a *api) cloudProviders(call[none]) ([]cloudProvider, error) {
	var all []cloudProvider
	for _, id := range gatehouse.Providers {
		all = append(all, cloudProvider{ID: id})
	}
	return all, nil
}

type region struct {
	CloudProvider string `json:"cloud_provider" doc:"Provider of the region." example:"local"`
	Name          string `json:"name" doc:"Name of the region." example:"local"`
}

func (a *api) regions(call[none]) ([]region, error) {
	var all []region
	for _, provider := range gatehouse.Providers {
		for _, name := range gatehouse.Regions {
			all = append(all, region{provider, name})
		}
	}
	return all, nil
}

type tier struct {
	ID                    uint32  `json:"id" doc:"Number of the tier, which never changes." example:"21"`
	Type                  string  `json:"type" doc:"Type of the deployments that may have it." enum:"single_node,cluster" example:"single_node"`
	CloudProvider         string  `json:"cloud_provider" doc:"Always aws, the only provider that VictoriaMetrics Cloud's clients know. The tier is the same for every provider." example:"aws"`
	Name                  string  `json:"name" doc:"Name of the tier." example:"s.starter.a"`
	ComputeCostPerHour    float64 `json:"compute_cost_per_hour" doc:"Always 0."`
	IngestionRate         int     `json:"ingestion_rate" doc:"Samples per second that the tier is made for. 0: no limit." example:"50000"`
	ActiveTimeSeries      int     `json:"active_time_series" doc:"Series with a sample in the last hour. 0: no limit." example:"1000000"`
	NewSeriesOver24h      int     `json:"new_series_over_24h" doc:"Series of a day. 0: no limit." example:"2500000"`
	DatapointsReadRate    int     `json:"datapoints_read_rate" doc:"Data points read per second, a recommendation. 0: no limit." example:"750000"`
	SeriesReadPerQuery    int     `json:"series_read_per_query" doc:"Series that one query may read. 0: no limit." example:"23900"`
	MaxConcurrentRequests int     `json:"access_token_concurrent_requests" doc:"Requests that one access token may have running." example:"600"`
}

// mainProvider is the one of gatehouse.Providers that VictoriaMetrics Cloud's clients look for.
const mainProvider = "aws"

func (a *api) tiers(call[none]) ([]tier, error) {
	var all []tier
	for _, kind := range []gatehouse.DeploymentType{gatehouse.SingleNode, gatehouse.Cluster} {
		for _, t := range gatehouse.OfferedTiers(kind) {
			all = append(all, tier{
				ID: t.ID, Type: string(t.Type), CloudProvider: mainProvider, Name: t.Name,
				IngestionRate: t.IngestionRate, ActiveTimeSeries: t.ActiveTimeSeries, NewSeriesOver24h: t.NewSeriesOver24h,
				DatapointsReadRate: t.DatapointsReadRate, SeriesReadPerQuery: t.SeriesReadPerQuery, MaxConcurrentRequests: t.MaxConcurrentRequests,
			})
		}
	}
	return all, nil
}
