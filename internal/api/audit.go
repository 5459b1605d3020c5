package api

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/auditexport"
	"gatehouse/internal/gatehouse"
)

// auditFilter chooses records. What is left out chooses all.
type auditFilter struct {
	From         string `query:"from" doc:"Only records from this time on, RFC 3339." example:"2026-11-24T00:00:00Z"`
	To           string `query:"to" doc:"Only records from before this time, RFC 3339."`
	Actor        string `query:"actor" doc:"Name of who did it, or a part of it."`
	Action       string `query:"action" doc:"What was done, such as token.created."`
	DeploymentID string `query:"deployment_id" doc:"Only records that concern this deployment."`
	Text         string `query:"text" doc:"A part of the object's name or ID, the client's address, or a detail."`
}

func (f auditFilter) parse() (gatehouse.AuditQuery, error) {
	q := gatehouse.AuditQuery{Actor: f.Actor, Action: gatehouse.Action(f.Action), DeploymentID: strings.ToLower(f.DeploymentID), Text: f.Text}
	if f.Action != "" && !slices.Contains(gatehouse.Actions, q.Action) {
		return q, gatehouse.InvalidField("action", "there is no such action; write one like %s", gatehouse.TokenCreated)
	}
	if _, ok := canonicalID(f.DeploymentID); f.DeploymentID != "" && !ok {
		return q, gatehouse.InvalidField("deployment_id", "the deployment_id is no UUID; list the deployments to see what there is")
	}
	var err error
	if q.From, err = parseTime("from", f.From); err != nil {
		return q, err
	}
	q.To, err = parseTime("to", f.To)
	return q, err
}

// parseTime gives the zero time for no text.
func parseTime(name, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.Year() < 1970 || at.Year() > 9999 {
		return time.Time{}, gatehouse.InvalidField(name, "the time %q is not valid; write it like 2026-11-24T12:00:00Z", name)
	}
	return at, nil
}

const defaultAuditLimit, mostAuditLimit = 100, 1000

type auditPage struct {
	auditFilter
	Limit  int `query:"limit" doc:"How many records, 1 to 1000. Left out: 100." example:"100"`
	Offset int `query:"offset" doc:"How many of the newest records are passed over." example:"0"`
}

// listAudit gives records, the newest first.
func (a *api) listAudit(c call[auditPage]) ([]auditexport.Record, error) {
	q, err := c.in.parse()
	if err != nil {
		return nil, err
	}
	q.Limit, q.Offset = cmp.Or(c.in.Limit, defaultAuditLimit), c.in.Offset
	if q.Limit < 1 || q.Limit > mostAuditLimit || q.Offset < 0 {
		return nil, gatehouse.InvalidField("limit", "the limit or offset is out of range; give a limit from 1 to %d, and an offset from 0", mostAuditLimit)
	}
	events, _, err := a.Control.Audit(c.ctx, c.actor, q)
	records := make([]auditexport.Record, 0, len(events))
	for _, e := range events {
		records = append(records, auditexport.RecordOf(e))
	}
	return records, err
}

type auditExport struct {
	auditFilter
	Format string `query:"format" doc:"jsonl: one JSON object a line; csv: for spreadsheets, safe against formulas." required:"true" enum:"jsonl,csv" example:"csv"`
}

const (
	csvMedia   = "text/csv; charset=utf-8; header=present"
	jsonlMedia = "application/jsonl"
	// exportTimeout is how long the client may take for each part of an export, however long the whole is.
	exportTimeout = 30 * time.Second
)

// exportAudit sends all records that the filter chooses, the oldest first.
func (a *api) exportAudit(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	var in auditExport
	if err := decodeQuery(r.URL.RawQuery, &in); err != nil {
		return err
	}
	q, err := in.parse()
	if err != nil {
		return err
	}
	media := map[string]string{"csv": csvMedia, "jsonl": jsonlMedia}[in.Format]
	if media == "" {
		return gatehouse.InvalidField("format", "the format is missing or unknown; choose csv or jsonl")
	}
	w.Header().Set("Content-Type", media)
	each, flush := auditexport.WriteJSONLines(w), func() error { return nil }
	if in.Format == "csv" {
		each, flush = auditexport.WriteCSV(w) // which holds the head back until there is more
	}
	deadlines, begun := http.NewResponseController(w), false
	err = a.Control.ExportAudit(r.Context(), actor, q, func(e gatehouse.AuditEvent) error {
		if !begun || e.Seq%100 == 0 {
			_ = deadlines.SetWriteDeadline(time.Now().Add(exportTimeout)) // where there are none, as in tests, nothing ends either
		}
		begun = true
		return each(e)
	})
	if err != nil && !begun {
		return err
	}
	if flushed := flush(); err == nil {
		err = flushed
	}
	if err != nil {
		if r.Context().Err() == nil {
			a.Log.Error("the export of the audit log broke off", "error", err)
		}
		panic(http.ErrAbortHandler) // the client must not take half a file for a whole one
	}
	return nil
}
