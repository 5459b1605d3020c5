package web

import (
	"net/http"
	"net/url"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

func (c *console) tokenPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, t, err := c.token(r, actor)
	if err != nil {
		return err
	}
	period, err := gatehouse.ParsePeriod(r.FormValue("period"))
	if err != nil {
		return err
	}
	page := views.NewTokenPage(d, t)
	page.Sees, page.Monitoring = views.SeesOf(actor), views.NewTokenMonitoring(t, period)
	page.Activity = c.activities([]gatehouse.Token{t})[t.ID]
	if !t.Broken {
		page.Examples = c.examples(d, t).Examples
	}
	if err := c.addCharts(r, gatehouse.ChartScope{DeploymentID: d.ID, TokenID: t.ID}, &page.Monitoring); err != nil {
		return err
	}
	if page.Sees.Audit {
		q := gatehouse.AuditQuery{DeploymentID: d.ID, ObjectID: t.ID, Limit: views.TokenEventsShown}
		if page.Events, page.Recorded, err = c.Control.Audit(r.Context(), actor, q); err != nil {
			return err
		}
	}
	return c.show(w, r, http.StatusOK, page)
}

// isOpen reports whether the browser has a page open at the path, over which it shows the dialog that asks.
func isOpen(r *http.Request, path string) bool {
	page, err := url.Parse(r.Header.Get("HX-Current-URL"))
	return err == nil && page.Path == path
}
