package web

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) monitoringPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	period, err := gatehouse.ParsePeriod(r.FormValue("period"))
	if err != nil {
		return err
	}
	page := views.MonitoringPage{
		Deployment: d, Sees: views.SeesOf(actor), MayChange: actor.Can(gatehouse.ChangeDeployments), Monitoring: views.NewMonitoring(d, period),
	}
	if err := c.addCharts(r, gatehouse.ChartScope{DeploymentID: d.ID}, &page.Monitoring); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, page)
}

// addCharts adds the charts, or why there are none.
func (c *console) addCharts(r *http.Request, scope gatehouse.ChartScope, m *views.Monitoring) (err error) {
	m.Charts, err = c.charts(r, scope, m.Period)
	if gatehouse.ErrorCode(err) == gatehouse.Unavailable {
		m.Missing, err = gatehouse.ErrorMessage(err), nil
	}
	return err
}

func (c *console) charts(r *http.Request, scope gatehouse.ChartScope, period gatehouse.Period) (gatehouse.Charts, error) {
	if c.Charts == nil {
		return gatehouse.Charts{}, gatehouse.Errorf(gatehouse.Unavailable, "this Gatehouse keeps no history, so there are no charts")
	}
	return c.Charts(r.Context(), scope, period)
}

func (c *console) monitoringData(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	return c.sendCharts(w, r, gatehouse.ChartScope{DeploymentID: d.ID})
}

func (c *console) tokenData(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	return c.sendCharts(w, r, gatehouse.ChartScope{DeploymentID: d.ID, TokenID: t.ID})
}

// sendCharts gives the charts as JSON, for the script that draws them.
func (c *console) sendCharts(w http.ResponseWriter, r *http.Request, scope gatehouse.ChartScope) error {
	period, err := gatehouse.ParsePeriod(r.FormValue("period"))
	if err != nil {
		return err
	}
	charts, err := c.charts(r, scope, period)
	if err != nil {
		return err
	}
	body, err := json.Marshal(newChartData(charts))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // the client has gone: nobody is left to tell
	return nil
}

type chartData struct {
	Times  []int64    `json:"times"` // Unix seconds
	Charts []oneChart `json:"charts"`
}

type oneChart struct {
	ID     string              `json:"id"`
	Title  string              `json:"title"`
	Unit   gatehouse.ChartUnit `json:"unit"`
	Limit  float64             `json:"limit,omitempty"`
	Series []oneSeries         `json:"series"`
}

type oneSeries struct {
	Label  string  `json:"label"`
	Values []point `json:"values"`
}

func newChartData(charts gatehouse.Charts) chartData {
	data := chartData{Times: []int64{}, Charts: []oneChart{}}
	for _, t := range charts.Times {
		data.Times = append(data.Times, t.Unix())
	}
	for _, c := range charts.Charts {
		one := oneChart{ID: c.ID, Title: c.Title, Unit: c.Unit, Limit: c.Limit, Series: []oneSeries{}}
		for _, s := range c.Series {
			values := make([]point, len(s.Values))
			for i, v := range s.Values {
				values[i] = point(v)
			}
			one.Series = append(one.Series, oneSeries{s.Label, values})
		}
		data.Charts = append(data.Charts, one)
	}
	return data
}

// point is a value that is null in JSON where it is not known.
type point float64

// pointDigits are more than a screen can show.
const pointDigits = 9

func (p point) MarshalJSON() ([]byte, error) {
	v := float64(p)
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, v, 'g', pointDigits, 64), nil
}
