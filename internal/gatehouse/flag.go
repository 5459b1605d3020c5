package gatehouse

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// FlagKind is what the value of an EngineFlag looks like.
type FlagKind string

const (
	DurationFlag FlagKind = "duration" // like 30s or 1m30s
	SizeFlag     FlagKind = "size"     // bytes, like 500000, 64MB or 64MiB
	CountFlag    FlagKind = "count"    // a whole number
	SwitchFlag   FlagKind = "switch"   // true or false
)

// EngineFlag is a command-line flag of VictoriaMetrics that users may set per deployment. Least and Most bound its value: in
// nanoseconds, bytes or pieces.
type EngineFlag struct {
	Name        string    // without the leading dash
	Programs    []Program // that know it
	Kind        FlagKind
	Least, Most int64
	Help        string // one sentence
}

// The programs of a cluster share the flags of a single node among them.
var (
	inserts  = []Program{SingleProgram, InsertProgram}
	selects  = []Program{SingleProgram, SelectProgram}
	stores   = []Program{SingleProgram, StorageProgram}
	searches = []Program{SingleProgram, SelectProgram, StorageProgram}
)

const (
	second = int64(time.Second)
	minute = int64(time.Minute)
	hour   = int64(time.Hour)
)

// EngineFlags are the flags that users may set. All others are refused: they open ports, name files or other machines, end the
// engine, or belong to a tier or a setting. The bounds keep an engine able to start and to answer.
// https://docs.victoriametrics.com/victoriametrics/#list-of-command-line-flags
var EngineFlags = []EngineFlag{
	{"search.maxQueryDuration", selects, DurationFlag, second, hour, "How long a query may run."},
	{"search.maxQueueDuration", searches, DurationFlag, second, 10 * minute, "How long a query waits while too many others run."},
	{"search.maxConcurrentRequests", searches, CountFlag, 1, 1000, "How many queries run at the same time."},
	{"search.maxMemoryPerQuery", selects, SizeFlag, 1 << 20, 1 << 40, "The memory that one query may take; bigger ones are refused."},
	{"search.maxPointsPerTimeseries", selects, CountFlag, 100, 10_000_000, "The points of one series that a range query may return."},
	{"search.maxSamplesPerQuery", selects, CountFlag, 1000, 1_000_000_000_000, "The samples that one query may read."},
	{"search.maxSamplesPerSeries", selects, CountFlag, 1000, 1_000_000_000, "The samples of one series that a query may read."},
	{"search.maxSeries", selects, CountFlag, 1, 100_000_000, "The series that /api/v1/series may return."},
	{"search.maxExportSeries", selects, CountFlag, 1, 100_000_000, "The series that an export may return."},
	{"search.maxLabelsAPISeries", selects, CountFlag, 1, 100_000_000, "The series that a search for label names and values may read."},
	{"search.maxTagValues", stores, CountFlag, 1, 10_000_000, "The label values that a search may return."},
	{"search.maxQueryLen", selects, SizeFlag, 1 << 10, 16 << 20, "The longest query that is accepted."},
	{"search.latencyOffset", selects, DurationFlag, 0, 10 * minute, "How long queries hide the newest samples. Gatehouse sets 1s."},
	{"search.maxStalenessInterval", selects, DurationFlag, 0, 24 * hour, "How long a series without new samples counts as present; 0 finds it out by itself."},
	{"search.minStalenessInterval", selects, DurationFlag, 0, 24 * hour, "The least of that time, to close gaps between irregular samples."},
	{"search.maxLookback", selects, DurationFlag, 0, 24 * hour, "How far queries look back for a sample; 0 finds it out by itself."},
	{"search.setLookbackToStep", selects, SwitchFlag, 0, 1, "Look back by the step of the query, as InfluxDB does."},
	{"search.noStaleMarkers", selects, SwitchFlag, 0, 1, "Skip the search for Prometheus' stale markers where there are none."},
	{"search.disableImplicitConversion", selects, SwitchFlag, 0, 1, "Refuse queries that rely on implicit subqueries."},
	{"search.disableCache", selects, SwitchFlag, 0, 1, "Do not keep answers for later queries; useful while old samples are written."},
	{"search.cacheTimestampOffset", selects, DurationFlag, 0, 24 * hour, "How new samples must be so that a kept answer is not used for them."},
	{"search.logSlowQueryDuration", selects, DurationFlag, 0, hour, "Queries that take longer are logged; 0 logs none."},
	{"denyQueryTracing", Programs, SwitchFlag, 0, 1, "Refuse to trace queries."},
	{"maxLabelsPerTimeseries", inserts, CountFlag, 1, 1000, "The labels that a series may have; series with more are dropped."},
	{"maxLabelNameLen", inserts, CountFlag, 1, 65535, "The longest name of a label; series with longer ones are dropped."},
	{"maxLabelValueLen", inserts, CountFlag, 1, 65535, "The longest value of a label; series with longer ones are dropped."},
	{"maxInsertRequestSize", inserts, SizeFlag, 1 << 10, 1 << 30, "The largest remote write request."},
	{"import.maxLineLen", inserts, SizeFlag, 1 << 10, 1 << 30, "The longest line of /api/v1/import."},
	{"influx.maxLineSize", inserts, SizeFlag, 1 << 10, 1 << 30, "The longest line of InfluxDB's protocol."},
	{"maxConcurrentInserts", inserts, CountFlag, 1, 1000, "How many writes run at the same time."},
	{"insert.maxQueueDuration", inserts, DurationFlag, second, 10 * minute, "How long a write waits while too many others run."},
	{"influxSkipSingleField", inserts, SwitchFlag, 0, 1, "Name a series after its measurement alone when an InfluxDB line has one field."},
	{"influxSkipMeasurement", inserts, SwitchFlag, 0, 1, "Name a series after the InfluxDB field alone."},
	{"influxTrimTimestamp", inserts, DurationFlag, int64(time.Millisecond), hour, "Round the times of InfluxDB lines down to this, to save disk space."},
	{"usePromCompatibleNaming", inserts, SwitchFlag, 0, 1, "Replace characters in names that Prometheus does not know by underscores."},
	{"opentelemetry.usePrometheusNaming", inserts, SwitchFlag, 0, 1, "Turn OpenTelemetry's names into those of Prometheus."},
	{"inmemoryDataFlushInterval", stores, DurationFlag, second, 5 * minute, "How soon new samples are on disk, safe from a crash of the machine."},
	{"storage.trackMetricNamesStats", stores, SwitchFlag, 0, 1, "Count how often each metric is written and queried."},
}

// settingFlags are refused with the setting that makes them.
var settingFlags = map[string]string{
	"retentionPeriod":            "retention",
	"dedup.minScrapeInterval":    "deduplication",
	"storage.maxHourlySeries":    "tier",
	"storage.maxDailySeries":     "tier",
	"search.maxUniqueTimeseries": "tier",
	"search.maxResponseSeries":   "tier",
	"maxIngestionRate":           "tier",
	"memory.allowedBytes":        "tier",
	"memory.allowedPercent":      "tier",
}

// CheckEngineFlag reads one flag of a program as a user writes it, like "-search.maxQueueDuration=20s" or "--search.disableCache", and
// gives it as the program takes it: with one dash and a value.
func CheckEngineFlag(p Program, text string) (flag string, err error) {
	name, value, hasValue := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(text, "-"), "-"), "=")
	if !strings.HasPrefix(text, "-") || name == "" || len(text) > mostFlagSize || !headerText(text) {
		return "", InvalidField(p.FlagsField(), "the flag %q is not valid; write it like -search.maxQueueDuration=20s", shorten(text))
	}
	if setting, ok := settingFlags[name]; ok {
		return "", InvalidField(p.FlagsField(), "the flag -%s is not set here; change the %s of the deployment instead", name, setting)
	}
	i := slices.IndexFunc(EngineFlags, func(f EngineFlag) bool { return f.Name == name })
	if i < 0 {
		return "", InvalidField(p.FlagsField(), "the flag -%s cannot be set here; leave it out, or start such a VictoriaMetrics yourself and connect it", shorten(name))
	}
	f := EngineFlags[i]
	if !slices.Contains(f.Programs, p) {
		return "", InvalidField(p.FlagsField(), "the flag -%s is not one of %s; give it to %s", name, p, strings.Join(f.ClusterPrograms(), " or "))
	}
	if !hasValue && f.Kind == SwitchFlag {
		value = "true"
	}
	n, ok := f.parse(value)
	if !ok {
		return "", InvalidField(p.FlagsField(), "the flag -%s has the value %q; write %s", name, shorten(value), f.form())
	}
	if n < f.Least || n > f.Most {
		return "", InvalidField(p.FlagsField(), "the flag -%s is out of range; choose %s to %s", name, f.Format(f.Least), f.Format(f.Most))
	}
	return "-" + name + "=" + value, nil
}

// ClusterPrograms are the programs of a cluster that know the flag.
func (f EngineFlag) ClusterPrograms() []string {
	var names []string
	for _, p := range f.Programs {
		if p != SingleProgram {
			names = append(names, string(p))
		}
	}
	return names
}

// CheckEngineFlags reads the flags of one program, sorted as it takes them.
func CheckEngineFlags(p Program, texts []string) ([]string, error) {
	var flags []string
	names := map[string]bool{}
	for _, text := range texts {
		flag, err := CheckEngineFlag(p, text)
		if err != nil {
			return nil, err
		}
		name, _, _ := strings.Cut(flag, "=")
		if names[name] {
			return nil, InvalidField(p.FlagsField(), "the flag %s is given twice; give it once", name)
		}
		names[name] = true
		flags = append(flags, flag)
	}
	slices.Sort(flags)
	return flags, nil
}

// parse gives the value in nanoseconds, bytes or pieces. What it accepts, VictoriaMetrics accepts too.
func (f EngineFlag) parse(value string) (n int64, ok bool) {
	switch f.Kind {
	case DurationFlag:
		d, err := time.ParseDuration(value)
		return int64(d), err == nil
	case SizeFlag:
		return parseSize(value)
	case SwitchFlag:
		if value == "true" {
			return 1, true
		}
		return 0, value == "false"
	}
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil
}

func (f EngineFlag) form() string {
	switch f.Kind {
	case DurationFlag:
		return "a time like 30s or 5m"
	case SizeFlag:
		return "a size like 500000 or 64MiB"
	case SwitchFlag:
		return "true or false"
	}
	return "a whole number"
}

// Format writes a bound of the flag as a user would.
func (f EngineFlag) Format(n int64) string {
	switch f.Kind {
	case DurationFlag:
		return time.Duration(n).String()
	case SizeFlag:
		return FormatSize(n)
	case SwitchFlag:
		return strconv.FormatBool(n != 0)
	}
	return strconv.FormatInt(n, 10)
}

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"", 1},
}

// The fourteen digits keep the product with every unit that is in range from overflowing.
var sizeRe = regexp.MustCompile(`^([0-9]{1,14})(TiB|GiB|MiB|KiB|TB|GB|MB|KB)?$`)

func parseSize(s string) (n int64, ok bool) {
	m := sizeRe.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	n, _ = strconv.ParseInt(m[1], 10, 64) // digits that always fit
	for _, unit := range sizeUnits {
		if unit.name == m[2] {
			if n > (1<<62)/unit.bytes {
				return 0, false
			}
			return n * unit.bytes, true
		}
	}
	return 0, false
}

// ParseSize reads a number of bytes as VictoriaMetrics writes it, like 500000, 64MB or 2GiB.
func ParseSize(s string) (int64, error) {
	if n, ok := parseSize(s); ok {
		return n, nil
	}
	return 0, fmt.Errorf("the size %q is not valid; write it like 64MiB", shorten(s))
}

// FormatSize is the shortest form that ParseSize reads.
func FormatSize(n int64) string {
	shortest := strconv.FormatInt(n, 10)
	for _, unit := range sizeUnits[:len(sizeUnits)-1] { // without the plain one
		if text := strconv.FormatInt(n/unit.bytes, 10) + unit.name; n != 0 && n%unit.bytes == 0 && len(text) <= len(shortest) {
			shortest = text
		}
	}
	return shortest
}
