package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

func medianOf(samples []sample, of func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	return median(values)
}

// ratio is the median over the rounds of ours divided by theirs: rounds that follow each other met the same machine.
func ratio(ours, theirs []sample, of func(sample) float64) string {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = of(ours[i]) / of(theirs[i])
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

func median[T cmp.Ordered](values []T) T {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}

func megabytes(n int64) string { return fmt.Sprintf("%.0f", float64(n)/(1<<20)) }

// table prints a Markdown table whose columns stand below each other.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, title string, columns ...string) *table {
	fmt.Fprintf(out, "\n## %s\n\n", title)
	t := &table{tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)}
	t.row(columns...)
	rule := make([]string, len(columns))
	for i := range rule {
		rule[i] = "---"
	}
	t.row(rule...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintf(t.w, "| %s\t|\n", strings.Join(cells, "\t| ")) }

func (t *table) flush() error { return t.w.Flush() }

func seconds(d time.Duration) string      { return fmt.Sprintf("%.2f", d.Seconds()) }
func milliseconds(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1e3) }
