package views

import (
	"math"
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestValuesOfChartsHaveTheirUnit(t *testing.T) {
	f := func(u gatehouse.ChartUnit, v float64, want string) {
		t.Helper()
		if got := valueText(u, v); got != want {
			t.Errorf("%g %s is written %q, want %q", v, u, got, want)
		}
	}
	f(gatehouse.Count, 0, "0")
	f(gatehouse.Count, 600, "600")
	f(gatehouse.Count, 999.4, "999")
	f(gatehouse.Count, 999.7, "1k")
	f(gatehouse.Count, 1_234_567, "1.23M")
	f(gatehouse.PerSecond, 1.0/60, "0.0167/s")
	f(gatehouse.PerSecond, 0.0000123, "0.0000123/s")
	f(gatehouse.PerSecond, 52_340, "52.3k/s")
	f(gatehouse.Bytes, 1, "1 byte")
	f(gatehouse.Bytes, 3<<30, "3 GB")
	f(gatehouse.BytesPerSecond, 0.2, "0 bytes/s")
	f(gatehouse.BytesPerSecond, 1536, "1.5 KB/s")
	f(gatehouse.Seconds, 0.00042, "0.42 ms")
	f(gatehouse.Seconds, 0.25, "250 ms")
	f(gatehouse.Seconds, 12.34, "12.3 s")
}

func TestLatestValueIsOfThisMoment(t *testing.T) {
	nan := math.NaN()
	f := func(want string, values ...float64) {
		t.Helper()
		if got := latest(gatehouse.Count, gatehouse.Series{Values: values}); got != want {
			t.Errorf("the latest of %v is %q, want %q", values, got, want)
		}
	}
	f("not known")
	f("3", 1, 2, 3)
	f("2", 1, 2, nan)
	f("not known", 1, nan, nan)
	f("0", nan, nan, 0)
}

func TestLimitIsDrawnOnceItIsInSight(t *testing.T) {
	f := func(want string, limit float64, values ...float64) {
		t.Helper()
		if got := limitLine(gatehouse.Chart{Limit: limit, Series: []gatehouse.Series{{Values: values}}}); got != want {
			t.Errorf("%v below %g: drawn at %q, want %q", values, limit, got, want)
		}
	}
	f("", 0, 5)
	f("", 600, 3, math.NaN())
	f("600", 600, 60)
	f("0.5", 0.5, 2)
}

func TestLinesOfAChartDiffer(t *testing.T) {
	seen := map[string]int{}
	for i := range 32 {
		class := lineClass(i)
		if before, ok := seen[class]; ok {
			t.Errorf("lines %d and %d are both %q", before, i, class)
		}
		seen[class] = i
	}
}
