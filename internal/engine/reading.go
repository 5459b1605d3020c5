package engine

import (
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// reading is what one page of metrics says, at a time.
type reading struct {
	at      time.Time
	started float64 // Unix seconds at which the program started: counters are since then

	disk, dailySeries       gatehouse.Figure
	free, active, newSeries float64
	inserted, read          gatehouse.Figure   // samples
	seriesPerQuery          map[string]float64 // queries by range of series read
}

func (r reading) startedAt() time.Time { return time.Unix(int64(r.started), 0) }

// plausible leaves out what is no amount of anything. A connected deployment may say what it likes; NaN and infinite numbers would spread
// to every sum that they get into, and JSON has no word for them.
func plausible(value float64) bool { return value >= 0 && value <= 1e18 }

// parseMetrics picks what it needs from a page in Prometheus' text format. What is not there stays unknown or 0.
func parseMetrics(page []byte, at time.Time) reading {
	r := reading{at: at, seriesPerQuery: map[string]float64{}}
	for series, value := range samples(page, "vm_", "process_start_time_seconds") {
		r.note(series, value)
	}
	return r
}

// samples gives those of a page in Prometheus' text format whose series begin in one of the ways.
func samples(page []byte, beginnings ...string) iter.Seq2[string, float64] {
	return func(yield func(string, float64) bool) {
		for line := range strings.Lines(string(page)) {
			line = strings.TrimSpace(line)
			blank := strings.LastIndexByte(line, ' ') // label values may hold blanks too
			if blank < 0 || !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
				continue
			}
			value, err := strconv.ParseFloat(line[blank+1:], 64)
			if err == nil && plausible(value) && !yield(line[:blank], value) {
				return
			}
		}
	}
}

func (r *reading) note(series string, value float64) {
	name, labels, _ := strings.Cut(series, "{")
	switch name {
	case "process_start_time_seconds":
		r.started = value
	case "vm_data_size_bytes":
		// The sizes of metaindex and inmemory are of memory.
		if !strings.Contains(labels, "/metaindex") && !strings.Contains(labels, "/inmemory") {
			add(&r.disk, value)
		}
	case "vm_free_disk_space_bytes":
		r.free += value
	case "vm_cache_entries":
		if strings.Contains(labels, `type="storage/hour_metric_ids"`) {
			r.active += value
		}
	case "vm_new_timeseries_created_total":
		r.newSeries += value
	case "vm_daily_series_limit_current_series":
		add(&r.dailySeries, value)
	case "vm_rows_inserted_total":
		add(&r.inserted, value)
	case "vm_concurrent_select_capacity":
		add(&r.read, 0) // it answers queries, even if there was none yet
	case "vm_rows_read_per_query_sum":
		add(&r.read, value)
	case "vm_series_read_per_query_bucket":
		if _, rest, ok := strings.Cut(labels, `vmrange="`); ok {
			ends, _, _ := strings.Cut(rest, `"`)
			r.seriesPerQuery[strings.Clone(ends)] += value // not to keep all of the page
		}
	}
}

// quantile gives the upper end of the range into which phi of the observations between the two readings fall. The ranges are those of
// VictoriaMetrics' histograms, https://docs.victoriametrics.com/victoriametrics/metricsql/#histogram, which are a seventh wide.
func quantile(before, after map[string]float64, phi float64) (value float64, ok bool) {
	type bucket struct{ end, n float64 }
	var buckets []bucket
	total := 0.0
	for ends, n := range after {
		if n -= before[ends]; n <= 0 {
			continue
		}
		_, text, _ := strings.Cut(ends, "...")
		end, err := strconv.ParseFloat(text, 64)
		if err != nil || !plausible(end) {
			continue
		}
		buckets = append(buckets, bucket{end, n})
		total += n
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return int(math.Copysign(1, a.end-b.end)) })
	seen := 0.0
	for _, b := range buckets {
		if seen += b.n; seen >= phi*total {
			return math.Floor(b.end), true
		}
	}
	return 0, false
}
