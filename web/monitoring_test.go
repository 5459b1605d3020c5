package web_test

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/web"
)

// recorded are charts as a history gives them, and note what was asked for.
type recorded struct {
	charts gatehouse.Charts
	err    error
	scope  gatehouse.ChartScope
	period gatehouse.Period
}

func (h *recorded) ask(_ context.Context, scope gatehouse.ChartScope, period gatehouse.Period) (gatehouse.Charts, error) {
	h.scope, h.period = scope, period
	return h.charts, h.err
}

func (h *recorded) use(config *web.Config) { config.Charts = h.ask }

// someCharts have three points, of which the first is not known.
func someCharts(label string) gatehouse.Charts {
	nan := math.NaN()
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	return gatehouse.Charts{
		Times: []time.Time{at, at.Add(30 * time.Second), at.Add(time.Minute)},
		Charts: []gatehouse.Chart{
			{ID: "requests", Title: "Requests", Unit: gatehouse.PerSecond, Series: []gatehouse.Series{
				{Label: label, Values: []float64{nan, 1234.56789012, 0.0166667}}, {Label: "Read, 2xx", Values: []float64{nan, 7, nan}},
			}},
			{ID: "bytes", Title: "Traffic", Unit: gatehouse.BytesPerSecond, Series: []gatehouse.Series{{Label: "In", Values: []float64{nan, 3 << 20, 2048}}}},
			{ID: "latency", Title: "Latency", Unit: gatehouse.Seconds, Series: []gatehouse.Series{{Label: "p99", Values: []float64{nan, 1.5, 0.0042}}}},
			{ID: "concurrency", Title: "Concurrent requests", Unit: gatehouse.Count, Limit: 600, Series: []gatehouse.Series{
				{Label: "Running", Values: []float64{nan, 120, 3}}, {Label: "Waiting", Values: []float64{nan, nan, nan}},
			}},
			{ID: "refusals", Title: "Refusals", Unit: gatehouse.PerSecond},
		},
	}
}

func TestMonitoringTellsTheChartsInWords(t *testing.T) {
	h := &recorded{charts: someCharts("Write, 2xx")}
	s, v := newSiteWithAdmin(t, h.use)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/monitoring"
	p := v.get(path).wantStatus(http.StatusOK)
	p.wantText(".tabs [aria-current=page]", "Monitoring")
	p.wantText("#chart-requests .legend", "Line Now Highest Write, 2xx 0.0167/s 1.23k/s Read, 2xx 7/s 7/s")
	p.wantText("#chart-bytes .legend", "In 2 KB/s 3 MB/s")
	p.wantText("#chart-latency .legend", "p99 4.2 ms 1.5 s")
	p.wantText("#chart-concurrency .legend", "Running 3 120 Waiting not known not known Limit 600")
	p.wantText("#chart-refusals", "Nothing in this period")
	p.wantText("#chart-requests details tbody", "24 Nov 2026, 12:01 0.0167/s – 24 Nov 2026, 12:00 1.23k/s 7/s 24 Nov 2026, 12:00 – –")
	if got := p.attr("#chart-requests [role=img]", "aria-label"); !strings.HasPrefix(got, "Requests, last hour. Write, 2xx: now 0.0167/s, at most 1.23k/s. Read, 2xx: ") {
		t.Errorf("a screen reader says %q", got)
	}
	if got := p.attr("#chart-concurrency [data-limit]", "data-limit"); got != "600" {
		t.Errorf("the limit is drawn at %q", got)
	}
	if got := p.attr("[data-charts]", "data-charts"); got != path+"/data" {
		t.Errorf("the data is at %q", got)
	}
	if h.scope != (gatehouse.ChartScope{DeploymentID: d.ID}) || h.period != gatehouse.LastHour {
		t.Errorf("asked for %+v over the %s", h.scope, h.period)
	}
}

func TestPeriodOfChartsIsChosen(t *testing.T) {
	h := &recorded{charts: someCharts("Write, 2xx")}
	s, v := newSiteWithAdmin(t, h.use)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	for _, path := range []string{"/deployments/" + d.ID + "/monitoring", "/deployments/" + d.ID + "/tokens/" + token.ID} {
		p := v.get(path + "?period=week").wantStatus(http.StatusOK)
		p.wantText(".periods [aria-current]", "Last week")
		p.wantText("#chart-requests .legend", "Last hour")
		if h.period != gatehouse.LastWeek {
			t.Errorf("asked for the %s", h.period)
		}
		if got := p.attr("main", "hx-get"); got != path+"?period=week" {
			t.Errorf("the page goes on with %q", got)
		}
		if got := p.attr("[data-charts]", "data-charts"); !strings.HasSuffix(got, "/data?period=week") {
			t.Errorf("the data is at %q", got)
		}
		v.get(path+"?period=<year>").wantStatus(http.StatusUnprocessableEntity).wantText("[role=alert]", `The period "<year>" is unknown; choose hour, day or week`)
	}
	answer := v.get("/deployments/"+d.ID+"/monitoring/data?period=year", headers{"Accept": "application/json"}).wantStatus(http.StatusUnprocessableEntity)
	if !strings.HasPrefix(answer.body, `the period "year" is unknown`) {
		t.Errorf("the script is told %q", answer.body)
	}
}

func TestChartDataIsJSON(t *testing.T) {
	const hostile = "</script><img src=x onerror=alert(1)>\u2028\"\\"
	h := &recorded{charts: someCharts(hostile)}
	s, v := newSiteWithAdmin(t, h.use)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	for path, scope := range map[string]gatehouse.ChartScope{
		"/deployments/" + d.ID + "/monitoring/data":              {DeploymentID: d.ID},
		"/deployments/" + d.ID + "/tokens/" + token.ID + "/data": {DeploymentID: d.ID, TokenID: token.ID},
	} {
		p := v.get(path).wantStatus(http.StatusOK)
		if h.scope != scope {
			t.Errorf("asked for %+v", h.scope)
		}
		if p.header.Get("Content-Type") != "application/json" || p.header.Get("Cache-Control") != "no-store" || strings.Contains(p.body, "<") {
			t.Errorf("the answer is %v %s", p.header, p.body)
		}
		var data struct {
			Times  []int64
			Charts []struct {
				ID, Title, Unit string
				Limit           float64
				Series          []struct {
					Label  string
					Values []*float64
				}
			}
		}
		if err := json.Unmarshal([]byte(p.body), &data); err != nil {
			t.Fatal(err)
		}
		requests, concurrency, refusals := data.Charts[0], data.Charts[3], data.Charts[4]
		values := requests.Series[0].Values
		if len(data.Times) != 3 || data.Times[0] != 1795521600 || requests.Unit != "per second" || requests.Series[0].Label != hostile ||
			values[0] != nil || *values[1] != 1234.56789 || *values[2] != 0.0166667 || concurrency.Limit != 600 || refusals.Series == nil {
			t.Errorf("the data is %s", p.body)
		}
	}
	h.charts = gatehouse.Charts{}
	if p := v.get("/deployments/" + d.ID + "/monitoring/data"); p.body != `{"times":[],"charts":[]}` {
		t.Errorf("nothing is %s", p.body)
	}
}

func TestMonitoringWithoutHistorySaysWhy(t *testing.T) {
	h := &recorded{}
	s, v := newSiteWithAdmin(t, h.use)
	d := s.addDeployment("prod")
	path := "/deployments/" + d.ID + "/monitoring"
	v.get(path).wantText(".charts", "Nothing recorded yet The charts begin with the first minute")

	h.charts = someCharts("Write, 2xx")
	for _, c := range h.charts.Charts {
		for _, series := range c.Series {
			for i := range series.Values {
				series.Values[i] = math.NaN()
			}
		}
	}
	v.get(path).wantText(".charts", "Nothing recorded yet")

	h.err = gatehouse.Errorf(gatehouse.Unavailable, "the history cannot be asked; put victoria-metrics into the engine directory")
	v.get(path).wantStatus(http.StatusOK).wantText(".charts [role=alert]", "The history cannot be asked; put victoria-metrics into the engine directory.")
	answer := v.get(path+"/data", headers{"Accept": "application/json"}).wantStatus(http.StatusServiceUnavailable)
	if !strings.Contains(answer.body, "put victoria-metrics into") {
		t.Errorf("the script is told %q", answer.body)
	}

	s, v = newSiteWithAdmin(t)
	d = s.addDeployment("prod")
	v.get("/deployments/"+d.ID+"/monitoring").wantStatus(http.StatusOK).wantText(".charts", "This Gatehouse keeps no history")
}

func TestViewersSeeTheChartsOfADeploymentAndOfNoToken(t *testing.T) {
	h := &recorded{charts: someCharts("Write, 2xx")}
	s, _ := newSiteWithAdmin(t, h.use)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	if err := s.control.StopDeployment(t.Context(), system, d.ID); err != nil {
		t.Fatal(err)
	}
	s.addUser(viewerEmail, gatehouse.Viewer)
	v := s.signedIn(viewerEmail)
	p := v.get("/deployments/" + d.ID + "/monitoring").wantStatus(http.StatusOK)
	p.wantText("#chart-requests", "1.23k/s")
	p.wantText(".stopped", "Stopped by Gatehouse")
	if p.has("main form") {
		t.Error("a viewer is offered to change something")
	}
	v.get("/deployments/" + d.ID + "/monitoring/data").wantStatus(http.StatusOK)
	h.scope = gatehouse.ChartScope{}
	for _, path := range []string{"/deployments/" + d.ID + "/tokens/" + token.ID, "/deployments/" + d.ID + "/tokens/" + token.ID + "/data"} {
		v.get(path).wantStatus(http.StatusForbidden).wantText("[role=alert]", `Your role "viewer" may not list access tokens`)
	}
	if h.scope.DeploymentID != "" {
		t.Errorf("the history was asked for %+v", h.scope)
	}
	s.signedIn(adminEmail).get("/deployments/"+d.ID+"/monitoring").wantText(".stopped form", "Start")
}

func TestOnlyPagesWithChartsLoadTheLibraryThatDrawsThem(t *testing.T) {
	s, v := newSiteWithAdmin(t)
	d := s.addDeployment("prod")
	token, _ := s.addToken(d, "vmagent", gatehouse.Write)
	base := "/deployments/" + d.ID
	for path, want := range map[string]int{base: 0, base + "/tokens": 0, "/deployments": 0, base + "/monitoring": 1, base + "/tokens/" + token.ID: 1} {
		p := v.get(path).wantStatus(http.StatusOK)
		got := 0
		for _, n := range find(p.doc, "head script") {
			if src, _ := attribute(n, "src"); strings.HasPrefix(src, "/static/uplot.") {
				got++
				v.get(src).wantStatus(http.StatusOK)
			}
		}
		if got != want {
			t.Errorf("%s loads it %d times", path, got)
		}
	}
}
