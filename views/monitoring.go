package views

import (
	"math"
	"strconv"
	"strings"

	"gatehouse/internal/gatehouse"
)

// Monitoring is what charts show of a deployment or of an access token.
type Monitoring struct {
	Period  gatehouse.Period
	URL     func(gatehouse.Period) string // of the page over another period
	DataURL string                        // gives what the script chart.js draws
	Charts  gatehouse.Charts
	Missing string // why there are no charts
}

// page is the page as it is open.
func (m Monitoring) page() string { return m.URL(m.Period) }

// begun reports whether anything has been recorded in the period.
func (m Monitoring) begun() bool {
	for _, c := range m.Charts.Charts {
		for _, s := range c.Series {
			if _, known := peak(s); known {
				return true
			}
		}
	}
	return false
}

// resolution says how far apart the points of the charts are.
func (m Monitoring) resolution() string {
	switch m.Period {
	case gatehouse.LastDay:
		return "a point every 10 minutes"
	case gatehouse.LastWeek:
		return "a point every hour"
	}
	return "a point every 30 seconds"
}

// latestLabel says of what time the newest values are.
func (m Monitoring) latestLabel() string {
	switch m.Period {
	case gatehouse.LastDay:
		return "Last 10 min"
	case gatehouse.LastWeek:
		return "Last hour"
	}
	return "Now"
}

// summary is what a person who does not see the lines learns of them.
func (m Monitoring) summary(c gatehouse.Chart) string {
	text := c.Title + ", " + strings.ToLower(m.Period.Label()) + ". "
	for _, s := range c.Series {
		text += s.Label + ": " + strings.ToLower(m.latestLabel()) + " " + latest(c.Unit, s) + ", at most " + highest(c.Unit, s) + ". "
	}
	return text + "The numbers stand in the table below."
}

// tableRows are how many of a chart's points its table shows, about.
const tableRows = 12

// rows chooses points for a chart's table, the newest first.
func (m Monitoring) rows() []int {
	n := len(m.Charts.Times)
	var rows []int
	for i := n - 1; i >= 0; i -= max(1, n/tableRows) {
		rows = append(rows, i)
	}
	return rows
}

// isLatest is how many of the newest points count: what is of this moment may not be recorded yet.
const isLatest = 2

// latest is the newest value of a series.
func latest(u gatehouse.ChartUnit, s gatehouse.Series) string {
	for i := len(s.Values) - 1; i >= max(0, len(s.Values)-isLatest); i-- {
		if !math.IsNaN(s.Values[i]) {
			return valueText(u, s.Values[i])
		}
	}
	return "not known"
}

// highest is the highest value of a series.
func highest(u gatehouse.ChartUnit, s gatehouse.Series) string {
	if v, known := peak(s); known {
		return valueText(u, v)
	}
	return "not known"
}

func peak(s gatehouse.Series) (value float64, known bool) {
	for _, v := range s.Values {
		if !math.IsNaN(v) {
			value, known = max(v, value), true
		}
	}
	return value, known
}

// cell is a value in a table.
func cell(u gatehouse.ChartUnit, s gatehouse.Series, i int) string {
	if i >= len(s.Values) || math.IsNaN(s.Values[i]) {
		return "–"
	}
	return valueText(u, s.Values[i])
}

// inSight is the part of its limit that a chart must come to, so that the limit is drawn too. Below, the line would only press the
// others down.
const inSight = 0.1

// limitLine is where the script draws the limit, or empty.
func limitLine(c gatehouse.Chart) string {
	for _, s := range c.Series {
		if top, _ := peak(s); c.Limit > 0 && top >= inSight*c.Limit {
			return strconv.FormatFloat(c.Limit, 'g', -1, 64)
		}
	}
	return ""
}

// hues and dashes are how many colours and kinds of lines the style sheet has.
const hues, dashes = 8, 4

// lineClass tells the lines of a chart apart, by colour and by dashes: the first eight by both, all by one of them.
func lineClass(i int) string {
	return "line hue-" + strconv.Itoa(i%hues) + " dash-" + strconv.Itoa((i+i/hues)%dashes)
}

// valueText writes a value with its unit. The script chart.js writes the same.
func valueText(u gatehouse.ChartUnit, v float64) string {
	switch u {
	case gatehouse.PerSecond:
		return amount(v) + "/s"
	case gatehouse.BytesPerSecond:
		return sizeText(v) + "/s"
	case gatehouse.Bytes:
		return sizeText(v)
	case gatehouse.Seconds:
		if v < 1 {
			return plainDigits(v*1000) + " ms"
		}
		return plainDigits(v) + " s"
	}
	return amount(v)
}

// amount is short for numbers that may also be far below 1, as rates are.
func amount(v float64) string {
	if v < 1000*0.9995 {
		return plainDigits(v)
	}
	return short(v)
}

// plainDigits is digits without an exponent.
func plainDigits(v float64) string {
	rounded, _ := strconv.ParseFloat(digits(v), 64) // what was just written can be read
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// NewMonitoring is what a deployment's charts show over the period, still without them.
func NewMonitoring(d gatehouse.Deployment, p gatehouse.Period) Monitoring {
	return Monitoring{
		Period: p, DataURL: MonitoringDataURL(d.ID, p),
		URL: func(p gatehouse.Period) string { return MonitoringURL(d.ID, p) },
	}
}

// NewTokenMonitoring is NewMonitoring for a token.
func NewTokenMonitoring(t gatehouse.Token, p gatehouse.Period) Monitoring {
	return Monitoring{
		Period: p, DataURL: TokenDataURL(t, p),
		URL: func(p gatehouse.Period) string { return TokenURL(t, p) },
	}
}
