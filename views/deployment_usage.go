package views

import (
	"math"
	"strconv"
	"time"

	"gatehouse/internal/gatehouse"
)

// usageRow is one figure of a deployment against its limit.
type usageRow struct {
	Label string
	Value string // or why there is none
	Known bool
	Limit string // empty: none
	Whose string // says more of the limit, where there is room
	Part  float64
	Words string // what it means, when the limit is near
}

// percent is the part of the limit that is used.
func (r usageRow) percent() string { return strconv.Itoa(int(math.Floor(r.Part*100))) + " %" }

// bar is the part in per cent that the bar shows.
func (r usageRow) bar() string {
	return strconv.FormatFloat(100*min(max(r.Part, 0), 1), 'f', 1, 64)
}

// level is the class of the row.
func (r usageRow) level() string {
	switch {
	case r.Part >= atLimit:
		return "full"
	case r.Part >= nearLimit:
		return "near"
	}
	return ""
}

const (
	nearLimit = 0.9
	// atLimit is a little below 1: VictoriaMetrics counts series with a Bloom filter, which misses a few.
	atLimit = 0.99
	// stale is how old figures may be before their age is shown. They are read every ten seconds.
	stale = time.Minute
)

// usageRows are the figures of a deployment, in the order of the screen.
func usageRows(d gatehouse.Deployment, f gatehouse.Figures) []usageRow {
	t, _ := gatehouse.TierByName(d.Tier)
	if d.Connected() {
		t = gatehouse.Tier{} // its limits are where it runs
	}
	counted := func(label, unit, missing string, figure gatehouse.Figure, limit int) usageRow {
		row := usageRow{Label: label, Value: missing, Known: figure.Known}
		if !figure.Known {
			return row
		}
		row.Value = short(figure.Value)
		if limit > 0 {
			row.Limit, row.Part = short(float64(limit))+unit, figure.Value/float64(limit)
		} else {
			row.Value += unit
		}
		return row
	}
	missing := whyUnknown(d, f)
	idle := missing
	if f.IngestionRate.Known || f.DatapointsReadRate.Known {
		idle = "no queries in the last minute"
	}
	rows := []usageRow{
		diskRow(d, f, missing),
		counted("Active time series", "", missing, f.ActiveSeries, t.ActiveTimeSeries),
		counted("Ingestion rate", " samples/s", missing, f.IngestionRate, t.IngestionRate),
		counted("New series over 24 h", "", missing, f.SeriesOver24h, t.NewSeriesOver24h),
		counted("Datapoints read rate", " samples/s", missing, f.DatapointsReadRate, t.DatapointsReadRate),
		counted("Series read per query", "", idle, f.SeriesPerQuery, t.SeriesReadPerQuery),
	}
	for i, words := range [][2]string{
		{},
		{"New series are dropped at the limit.", "New series are dropped until the count begins anew, as it does every hour."},
		ingestionWords(t, f.IngestionRate.Value),
		{"New series are dropped at the limit.", "New series are dropped until the count begins anew, as it does every 24 hours."},
		{"Beyond what the tier recommends, queries may become slow.", "This is more than the tier is made for: queries may be slow."},
		{"Queries that read more series are refused.", "Queries that read more series than the limit are refused."},
	} {
		if row := &rows[i]; row.Part >= atLimit && words[1] != "" {
			row.Words = words[1]
		} else if row.Part >= nearLimit && words[0] != "" {
			row.Words = words[0]
		}
	}
	return rows
}

func ingestionWords(t gatehouse.Tier, rate float64) [2]string {
	most := short(float64(t.MaxIngestionRate())) + " samples/s"
	if rate >= atLimit*float64(t.MaxIngestionRate()) {
		return [2]string{"", "Writers are made to wait: VictoriaMetrics takes at most " + most + "."}
	}
	return [2]string{"Close to what the tier is made for. From " + most + " on, writers are made to wait.",
		"More than the tier is made for. From " + most + " on, writers are made to wait."}
}

// diskRow compares with the storage of the deployment or, where it has none, with the disk.
func diskRow(d gatehouse.Deployment, f gatehouse.Figures, missing string) usageRow {
	row := usageRow{Label: "Disk usage", Value: missing, Known: f.DiskBytes.Known}
	if !row.Known {
		return row
	}
	row.Value = sizeText(f.DiskBytes.Value)
	near, full := "", ""
	limit := float64(d.StorageGB) * (1 << 30)
	switch {
	case limit > 0:
		row.Limit = sizeText(limit)
		near = "Raise the storage in the settings, or shorten the retention."
		full = near + " Gatehouse does not stop writes at the limit."
	case f.FreeDiskBytes.Known:
		limit = f.DiskBytes.Value + f.FreeDiskBytes.Value
		row.Limit, row.Whose = sizeText(limit), "that the disk has for it"
		near = "The disk is nearly full: free some space, or shorten the retention. On a full disk, VictoriaMetrics takes no new samples."
		full = near
	}
	if limit > 0 {
		row.Part = f.DiskBytes.Value / limit
	}
	switch {
	case row.Part >= atLimit:
		row.Words = full
	case row.Part >= nearLimit:
		row.Words = near
	}
	return row
}

// whyUnknown stands in the place of a figure that is missing.
func whyUnknown(d gatehouse.Deployment, f gatehouse.Figures) string {
	if d.Managed && d.State.Status == gatehouse.Running && f.At.IsZero() {
		return "not known yet"
	}
	return "not known"
}

// usageNote explains why figures are missing, or is empty.
func usageNote(d gatehouse.Deployment, f gatehouse.Figures) string {
	switch {
	case d.Managed && d.State.Status != gatehouse.Running:
		return "VictoriaMetrics tells these figures while it runs."
	case d.Managed, f.DiskBytes.Known && f.ActiveSeries.Known:
		return ""
	case f.At.IsZero():
		return "Gatehouse cannot read the metrics of this VictoriaMetrics: it asks for /metrics beside the URLs with which it is connected. Let Gatehouse read that page, and the figures appear here."
	case d.Type == gatehouse.Cluster:
		return "Some figures are told by vmstorage only, whose URL Gatehouse does not know."
	}
	return "The metrics of this VictoriaMetrics do not tell all figures."
}

// short writes a number with three digits: 50k, 1.25M.
func short(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= unit.size*0.9995 {
			return digits(n/unit.size) + unit.name
		}
	}
	if n < 10 {
		return strconv.FormatFloat(math.Round(n*10)/10, 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Round(n), 'f', 0, 64)
}

// sizeText writes a size as the settings do: a GB is 2^30 bytes.
func sizeText(n float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1 << 40, "TB"}, {1 << 30, "GB"}, {1 << 20, "MB"}, {1 << 10, "KB"}} {
		if n >= unit.size*0.9995 {
			return digits(n/unit.size) + " " + unit.name
		}
	}
	if n = math.Round(n); n == 1 {
		return "1 byte"
	}
	return strconv.FormatFloat(n, 'f', 0, 64) + " bytes"
}

// digits are three of them, without zeros at the end.
func digits(n float64) string { return strconv.FormatFloat(n, 'g', 3, 64) }
