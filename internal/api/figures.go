package api

import (
	"time"

	"gatehouse/internal/gatehouse"
)

// figure is a number against its limit.
type figure struct {
	Value *float64 `json:"value" doc:"As it is now. null: not known." example:"12500"`
	Limit float64  `json:"limit" doc:"What the deployment may reach, or is made for. 0: no limit." example:"50000"`
}

func figureOf(f gatehouse.Figure, limit float64) figure {
	if !f.Known {
		return figure{nil, limit}
	}
	return figure{&f.Value, limit}
}

type deploymentUsage struct {
	At                 *time.Time `json:"at" doc:"When the metrics of VictoriaMetrics were last read. null: never." example:"\"2026-11-24T12:00:00Z\""`
	DiskBytes          figure     `json:"disk_bytes" doc:"Size of data and index. Without a storage size, the limit is what the disk has for them."`
	ActiveTimeSeries   figure     `json:"active_time_series" doc:"Series with a sample in the last hour."`
	IngestionRate      figure     `json:"ingestion_rate" doc:"Samples stored per second, over the last minute. From twice the limit on, writers are made to wait."`
	NewSeriesOver24h   figure     `json:"new_series_over_24h" doc:"Series of the last 24 hours."`
	DatapointsReadRate figure     `json:"datapoints_read_rate" doc:"Samples that queries read per second, over the last minute. The limit is a recommendation."`
	SeriesReadPerQuery figure     `json:"series_read_per_query" doc:"Series that 99 of 100 queries of the last minute did not exceed."`
}

// deploymentUsage gives what VictoriaMetrics says of itself, against the limits of the deployment's tier.
func (a *api) deploymentUsage(c call[none]) (deploymentUsage, error) {
	d, err := c.deployment(a)
	if err != nil {
		return deploymentUsage{}, err
	}
	f, err := a.Figures(d.ID)
	if err != nil && gatehouse.ErrorCode(err) != gatehouse.NotFound { // which it is while it is just being made
		return deploymentUsage{}, err
	}
	var t gatehouse.Tier
	if d.Managed { // the limits of others are where they run
		t, _ = gatehouse.TierByName(d.Tier)
	}
	disk := float64(d.StorageGB) * (1 << 30)
	if disk == 0 && f.DiskBytes.Known && f.FreeDiskBytes.Known {
		disk = f.DiskBytes.Value + f.FreeDiskBytes.Value
	}
	out := deploymentUsage{
		DiskBytes: figureOf(f.DiskBytes, disk), ActiveTimeSeries: figureOf(f.ActiveSeries, float64(t.ActiveTimeSeries)),
		IngestionRate: figureOf(f.IngestionRate, float64(t.IngestionRate)), NewSeriesOver24h: figureOf(f.SeriesOver24h, float64(t.NewSeriesOver24h)),
		DatapointsReadRate: figureOf(f.DatapointsReadRate, float64(t.DatapointsReadRate)),
		SeriesReadPerQuery: figureOf(f.SeriesPerQuery, float64(t.SeriesReadPerQuery)),
	}
	if !f.At.IsZero() {
		at := f.At.UTC()
		out.At = &at
	}
	return out, nil
}
