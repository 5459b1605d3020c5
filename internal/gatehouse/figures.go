package gatehouse

import "time"

// Figure is a number that may not be known: not every VictoriaMetrics lets its metrics be read.
type Figure struct {
	Value float64
	Known bool
}

// Figures are what a deployment's VictoriaMetrics says of itself in its own metrics,
// https://docs.victoriametrics.com/victoriametrics/#monitoring.
type Figures struct {
	At            time.Time // when the metrics were last read
	DiskBytes     Figure    // of data and index, vm_data_size_bytes without what is in memory
	FreeDiskBytes Figure    // vm_free_disk_space_bytes
	// ActiveSeries are those with a sample in the last hour,
	// https://docs.victoriametrics.com/victoriametrics/faq/#what-is-an-active-time-series.
	ActiveSeries Figure
	// IngestionRate is in samples per second, over the last minute: vm_rows_inserted_total.
	IngestionRate Figure
	// SeriesOver24h is what counts against Tier.NewSeriesOver24h where there is such a limit: the different series since the engine
	// started, of 24 hours at most (vm_daily_series_limit_current_series). Otherwise it is the number of new series in the last
	// 24 hours (vm_new_timeseries_created_total), as far back as Gatehouse or the engine has run.
	SeriesOver24h Figure
	// DatapointsReadRate is in samples per second that queries read, over the last minute: vm_rows_read_per_query.
	DatapointsReadRate Figure
	// SeriesPerQuery is the number of series that 99 of 100 queries of the last minute did not exceed: vm_series_read_per_query. It
	// is not known while nobody queries.
	SeriesPerQuery Figure
}
