package history

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/engine"
)

const (
	queryTimeout   = 8 * time.Second
	mostAnswerRead = 8 << 20
	mostQueries    = 4 // at a time, as many as VictoriaMetrics works on
)

// span is what charts look at: points at regular times, each of which stands for the step before it.
type span struct {
	first  time.Time
	step   time.Duration
	points int
}

// spanUntil ends at a multiple of half a minute, so that a page that is loaded again shows the same points and not others in between.
func spanUntil(now time.Time, length, step time.Duration) span {
	points := int(length / step)
	last := now.UTC().Truncate(30 * time.Second)
	return span{last.Add(-time.Duration(points-1) * step), step, points}
}

func (s span) at(i int) time.Time { return s.first.Add(time.Duration(i) * s.step) }

func (s span) times() []time.Time {
	times := make([]time.Time, s.points)
	for i := range times {
		times[i] = s.at(i)
	}
	return times
}

// place gives the number of the point at a time in Unix seconds.
func (s span) place(seconds float64) (int, bool) {
	i := int(math.Round((seconds - float64(s.first.Unix())) / s.step.Seconds()))
	return i, i >= 0 && i < s.points
}

// unknown gives a value for each point that says nothing.
func (s span) unknown() []float64 {
	values := make([]float64, s.points)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// result is one series of an answer.
type result struct {
	labels map[string]string
	values []float64 // one for each point; NaN where there is none
}

// query asks for the expression at all points of the span.
func (h *History) query(ctx context.Context, from engine.Endpoint, expr string, s span) ([]result, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	form := url.Values{
		"query": {expr}, "step": {seconds(s.step)},
		"start": {strconv.FormatInt(s.first.Unix(), 10)}, "end": {strconv.FormatInt(s.at(s.points-1).Unix(), 10)},
		// What is kept for later answers would move the points, and hide a sample that came late.
		"nocache": {"1"},
		// What counters have counted in a longer gap would all stand at its end.
		"max_lookback": {seconds(2 * s.step)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, from.URL+"/api/v1/query_range", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(from.Username, from.Password)
	resp, err := h.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostAnswerRead))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("HTTP status %d: %.200s", resp.StatusCode, body)
	}
	if err != nil {
		return nil, err
	}
	return parse(body, s)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) + "s" }

// parse reads an answer, https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries.
func parse(body []byte, s span) ([]result, error) {
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any // Unix seconds, and the value as text
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	var all []result
	for _, series := range answer.Data.Result {
		r := result{series.Metric, s.unknown()}
		for _, point := range series.Values {
			at, _ := point[0].(float64)
			text, _ := point[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if i, ok := s.place(at); ok && err == nil && !math.IsInf(value, 0) {
				r.values[i] = value
			}
		}
		all = append(all, r)
	}
	return all, nil
}
