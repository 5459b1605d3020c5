package web

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the viewer's zone is known also where the machine has no list of zones, as in a container

	"gatehouse/internal/auditexport"
	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

// auditPage shows the audit log of the organization.
func (c *console) auditPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	return c.showAudit(w, r, actor, nil)
}

// deploymentAuditPage shows a deployment's part of the audit log.
func (c *console) deploymentAuditPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	return c.showAudit(w, r, actor, &d)
}

func (c *console) showAudit(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, d *gatehouse.Deployment) error {
	filter, q := auditFilter(r, d)
	page := views.AuditPage{Deployment: d, Sees: views.SeesOf(actor), Filter: filter, Page: pageNumber(r)}
	q.Limit, q.Offset = views.AuditPageSize, (page.Page-1)*views.AuditPageSize
	var err error
	if page.Events, page.Total, err = c.Control.Audit(r.Context(), actor, q); err != nil {
		return err
	}
	if last := max(1, (page.Total+q.Limit-1)/q.Limit); page.Page > last {
		page.Page, q.Offset = last, (last-1)*q.Limit
		if page.Events, page.Total, err = c.Control.Audit(r.Context(), actor, q); err != nil {
			return err
		}
	}
	if page.Names, err = c.deploymentNames(r, actor); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, page)
}

// auditFilter reads what the viewer chose to see. What is not understood is left out, also from the form.
func auditFilter(r *http.Request, d *gatehouse.Deployment) (views.AuditFilter, gatehouse.AuditQuery) {
	f := views.AuditFilter{Actor: strings.TrimSpace(r.FormValue("actor")), Text: strings.TrimSpace(r.FormValue("text"))}
	if a := gatehouse.Action(r.FormValue("action")); slices.Contains(gatehouse.Actions, a) {
		f.Action = string(a)
	}
	q := gatehouse.AuditQuery{Actor: f.Actor, Action: gatehouse.Action(f.Action), Text: f.Text}
	if d != nil {
		q.DeploymentID = d.ID
	}
	zone := time.UTC
	if z, err := time.LoadLocation(r.FormValue("zone")); err == nil {
		zone, f.Zone = z, r.FormValue("zone")
	}
	for _, limit := range []struct {
		name  string
		typed *string
		at    *time.Time
	}{{"from", &f.From, &q.From}, {"to", &f.To, &q.To}} {
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
			if at, err := time.ParseInLocation(layout, r.FormValue(limit.name), zone); err == nil {
				*limit.typed, *limit.at = r.FormValue(limit.name), at
			}
		}
	}
	return f, q
}

func (c *console) exportAudit(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	return c.sendAudit(w, r, actor, nil)
}

func (c *console) exportDeploymentAudit(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	return c.sendAudit(w, r, actor, &d)
}

// exportTimeout is how long the client may take for each part of an export, however long the whole is.
const exportTimeout = 30 * time.Second

// sendAudit sends all records that the filter chooses, as a file.
func (c *console) sendAudit(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor, d *gatehouse.Deployment) error {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		// An export is recorded under the name of who is signed in. Another site must not make them seem to have asked for it.
		return gatehouse.Errorf(gatehouse.Forbidden, "another site asked for this, so nothing was exported; use the console itself")
	}
	_, q := auditFilter(r, d)
	format, contentType := r.FormValue("format"), ""
	switch format {
	case "csv":
		contentType = "text/csv; charset=utf-8; header=present"
	case "jsonl":
		contentType = "application/jsonl; charset=utf-8"
	default:
		return noSuchPage()
	}
	control, begun := http.NewResponseController(w), false
	var each func(gatehouse.AuditEvent) error
	flush := func() error { return nil }
	begin := func() {
		begun = true
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="gatehouse-audit-%s.%s"`, time.Now().UTC().Format("2006-01-02-150405"), format))
		if format == "csv" {
			each, flush = auditexport.WriteCSV(w)
		} else {
			each = auditexport.WriteJSONLines(w)
		}
	}
	err := c.Control.ExportAudit(r.Context(), actor, q, func(e gatehouse.AuditEvent) error {
		if !begun {
			begin() // only now, so that a refusal is an error page
		}
		if e.Seq%100 == 0 {
			_ = control.SetWriteDeadline(time.Now().Add(exportTimeout)) // a test recorder has no deadlines
		}
		return each(e)
	})
	if err != nil && !begun {
		return err
	}
	if !begun {
		begin()
	}
	if flushed := flush(); err == nil {
		err = flushed
	}
	if err != nil {
		if r.Context().Err() == nil {
			c.Log.Error("the export of the audit log broke off", "error", err)
		}
		panic(http.ErrAbortHandler) // the client must not take half a file for a whole one
	}
	return nil
}
