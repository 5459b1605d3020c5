package history

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"gatehouse/internal/engine"
	"gatehouse/internal/gatehouse"
)

// Charts gives those of a deployment or a token. Where Gatehouse did not run, all is NaN; where it ran and a counter did not move, it is
// 0. A chart of which nothing is known at all is left out. The error is a *gatehouse.Error: Unavailable when the history cannot be asked.
func (h *History) Charts(ctx context.Context, scope gatehouse.ChartScope, period gatehouse.Period) (gatehouse.Charts, error) {
	if scope.DeploymentID == "" {
		return gatehouse.Charts{}, gatehouse.Errorf(gatehouse.Invalid, "charts are about a deployment; name one")
	}
	from, err := h.Endpoint()
	if err != nil {
		return gatehouse.Charts{}, err
	}
	s := spanUntil(time.Now(), period.Length(), period.Step())
	deployment, chosen := selectionOf(gatehouse.ChartScope{DeploymentID: scope.DeploymentID}, s.step), selectionOf(scope, s.step)
	plots := append(chosen.plots(scope.TokenID != ""), plot{lines: []line{{expr: chosen.watched(deployment)}}})
	answers, err := h.ask(ctx, from, plots, s)
	if err != nil {
		if ctx.Err() == nil { // else the page is not wanted any more
			h.Log.Warn("charts cannot be drawn", "error", err)
		}
		return gatehouse.Charts{}, gatehouse.Errorf(gatehouse.Unavailable, "the VictoriaMetrics that keeps the history does not answer; look again in a moment").WithCause(err)
	}
	last := len(plots) - 1
	watched := s.unknown()
	for _, r := range answers[last][0] {
		watched = r.values
	}
	charts := gatehouse.Charts{Times: s.times()}
	for i, p := range plots[:last] {
		chart := gatehouse.Chart{ID: p.id, Title: p.title, Unit: p.unit, Series: p.series(answers[i], watched)}
		if p.limited {
			chart.Limit = float64(h.Limit(ctx, scope.DeploymentID))
		}
		if len(chart.Series) > 0 {
			charts.Charts = append(charts.Charts, chart)
		}
	}
	return charts, nil
}

// ask asks for everything at once. The answers are by plot and line.
func (h *History) ask(ctx context.Context, from engine.Endpoint, plots []plot, s span) ([][][]result, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(mostQueries)
	answers := make([][][]result, len(plots))
	for i, p := range plots {
		answers[i] = make([][]result, len(p.lines))
		for j, l := range p.lines {
			group.Go(func() (err error) {
				answers[i][j], err = h.query(ctx, from, l.expr, s)
				return err
			})
		}
	}
	return answers, group.Wait()
}

// series makes the lines of a chart from the answers.
func (p plot) series(answers [][]result, watched []float64) []gatehouse.Series {
	var all []gatehouse.Series
	for i, l := range p.lines {
		found := map[string][]float64{}
		for _, label := range l.always {
			found[label] = nil
		}
		for _, r := range answers[i] {
			found[l.name(r.labels)] = r.values
		}
		for _, label := range slices.Sorted(maps.Keys(found)) {
			all = append(all, gatehouse.Series{Label: label, Values: l.fill(found[label], watched)})
		}
	}
	return all
}

// fill tells what did not happen from what is not known.
func (l line) fill(values, watched []float64) []float64 {
	filled := slices.Clone(watched)
	for i := range filled {
		switch {
		case math.IsNaN(watched[i]):
		case values != nil && !math.IsNaN(values[i]):
			filled[i] = values[i]
		case l.zero:
			filled[i] = 0
		default:
			filled[i] = math.NaN()
		}
	}
	return filled
}
