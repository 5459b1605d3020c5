package gatehouse

import "time"

// Period is how far back charts look.
type Period string

const (
	LastHour Period = "hour"
	LastDay  Period = "day"
	LastWeek Period = "week"
)

// Periods are all of them, the shortest first.
var Periods = []Period{LastHour, LastDay, LastWeek}

// ParsePeriod reads "hour", "day" or "week"; an empty one is the last hour.
func ParsePeriod(s string) (Period, error) {
	switch p := Period(s); p {
	case "":
		return LastHour, nil
	case LastHour, LastDay, LastWeek:
		return p, nil
	}
	return "", InvalidField("period", "the period %q is unknown; choose hour, day or week", shorten(s))
}

// Label is the period as the screen shows it.
func (p Period) Label() string { return "Last " + string(p) }

// Length is how long the period is.
func (p Period) Length() time.Duration {
	switch p {
	case LastDay:
		return 24 * time.Hour
	case LastWeek:
		return 7 * 24 * time.Hour
	}
	return time.Hour
}

// Step is the time between two points of a chart, so that each period has 120 to 180 of them.
func (p Period) Step() time.Duration {
	switch p {
	case LastDay:
		return 10 * time.Minute
	case LastWeek:
		return time.Hour
	}
	return 30 * time.Second
}

// ChartScope is what charts are about: a deployment or, with TokenID, one of its access tokens.
type ChartScope struct {
	DeploymentID string
	TokenID      string
}

// Charts are the charts of one scope over one period.
type Charts struct {
	Times  []time.Time // of the points that all series have, the oldest first
	Charts []Chart
}

// Chart is a few series in one unit.
type Chart struct {
	ID     string // a word that is good for URLs and element IDs, such as "requests"
	Title  string // such as "Requests"
	Unit   ChartUnit
	Series []Series
	Limit  float64 // a line that the series should stay below; 0: none
}

// Series is one line of a chart.
type Series struct {
	Label  string    // such as "Write, 2xx"
	Values []float64 // one for each of Charts.Times; NaN where nothing is known
}

// ChartUnit says what the values of a chart count.
type ChartUnit string

const (
	PerSecond      ChartUnit = "per second" // things, such as requests or samples, per second
	BytesPerSecond ChartUnit = "bytes per second"
	Seconds        ChartUnit = "seconds"
	Count          ChartUnit = "count"
	Bytes          ChartUnit = "bytes"
)
