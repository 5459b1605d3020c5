package gatehouse

import (
	"strconv"
	"strings"
)

// Retention is how long data is kept. The units are those of VictoriaMetrics Cloud's API: "d" is days and "m" is months (not
// minutes, as VictoriaMetrics itself would read it).
type Retention struct {
	Value uint32
	Unit  string // "d" or "m"
}

// DefaultRetention is what a managed deployment gets when nobody says otherwise.
var DefaultRetention = Retention{Value: 30, Unit: "d"}

const mostRetentionMonths = 1200 // 100 years: VictoriaMetrics' own limit

// ParseRetention reads "30d" or "6m". Empty is the zero Retention, which stands for the default.
func ParseRetention(s string) (Retention, error) {
	if s == "" {
		return Retention{}, nil
	}
	unit := s[len(s)-1:]
	n, ok := parseUint32(strings.TrimSuffix(s, unit))
	if !ok || (unit != "d" && unit != "m") {
		return Retention{}, InvalidField("retention", "the retention %q is not valid; write days like 30d or months like 6m", shorten(s))
	}
	r := Retention{Value: n, Unit: unit}
	return r, r.check()
}

// orDefault gives the retention that the zero one stands for.
func (r Retention) orDefault() Retention {
	if r == (Retention{}) {
		return DefaultRetention
	}
	return r
}

// EngineValue is the retention as -retentionPeriod takes it. VictoriaMetrics reads a bare number as months, and "m" as minutes.
func (r Retention) EngineValue() string {
	r = r.orDefault()
	n := strconv.FormatUint(uint64(r.Value), 10)
	if r.Unit == "m" {
		return n
	}
	return n + "d"
}

func (r Retention) check() error {
	if r == (Retention{}) {
		return nil
	}
	most := uint32(0)
	switch r.Unit {
	case "d":
		most = mostRetentionMonths * 30
	case "m":
		most = mostRetentionMonths
	}
	if r.Value == 0 || r.Value > most {
		return InvalidField("retention", "the retention is out of range; write 1d to %dd, or 1m to %dm", mostRetentionMonths*30, mostRetentionMonths)
	}
	return nil
}

// String is the form that ParseRetention reads.
func (r Retention) String() string {
	if r == (Retention{}) {
		return ""
	}
	return strconv.FormatUint(uint64(r.Value), 10) + r.Unit
}

// Label is the retention as the screen shows it.
func (r Retention) Label() string {
	if r == (Retention{}) {
		return ""
	}
	word := "day"
	if r.Unit == "m" {
		word = "month"
	}
	if r.Value != 1 {
		word += "s"
	}
	return strconv.FormatUint(uint64(r.Value), 10) + " " + word
}
