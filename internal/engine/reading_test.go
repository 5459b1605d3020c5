package engine

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func TestWhatIsNoAmountIsLeftOut(t *testing.T) {
	began := time.Now()
	page := func(value, samples string) []byte {
		return fmt.Appendf(nil, "process_start_time_seconds %d\nvm_data_size_bytes{type=\"storage/big\"} 7\nvm_data_size_bytes{type=\"x\"} %s\n"+
			"vm_free_disk_space_bytes %[2]s\nvm_cache_entries{type=\"storage/hour_metric_ids\"} %[2]s\nvm_new_timeseries_created_total %[2]s\n"+
			"vm_rows_inserted_total %[3]s\nvm_rows_inserted_total{type=\"x\"} %[2]s\nvm_rows_read_per_query_sum %[2]s\n"+
			"vm_series_read_per_query_bucket{vmrange=\"1...%[2]s\"} %[3]s\n", began.Unix(), value, samples)
	}
	for _, value := range []string{"+Inf", "-Inf", "NaN", "-1", "1e300", "1e19", "1e999"} {
		m := newMeter()
		m.add("one", parseMetrics(page(value, "1"), began))
		m.add("one", parseMetrics(page(value, "11"), began.Add(10*time.Second)))
		f := m.figures()
		if _, err := json.Marshal(f); err != nil {
			t.Errorf("%s: %v", value, err)
		}
		if f.DiskBytes.Value != 7 || f.IngestionRate.Value != 1 || f.SeriesPerQuery.Known {
			t.Errorf("%s: the figures are %+v", value, f)
		}
		if ingested, _ := m.counters(); ingested != (gatehouse.Figure{Value: 11, Known: true}) {
			t.Errorf("%s: %+v samples were counted", value, ingested)
		}
	}
}

func TestAReadingDoesNotKeepItsPage(t *testing.T) {
	page := []byte("vm_series_read_per_query_bucket{vmrange=\"1...2\"} 1\n" + strings.Repeat("# nothing to be kept\n", 200_000))
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	var kept []reading
	for range 20 {
		kept = append(kept, parseMetrics(page, time.Now()))
	}
	if grown := int64(inUse()) - int64(before); grown > int64(5*len(page)) {
		t.Errorf("%d readings of pages of %d bytes keep %d bytes", len(kept), len(page), grown)
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(page)
}
