package web

import (
	"net/http"
	"slices"
	"strings"

	"gatehouse/internal/gatehouse"
	"gatehouse/views"
)

const (
	mostLogLines = 2000
	// mostLogLine bounds what is shown of one line, in bytes: a log may quote a whole query.
	mostLogLine = 4000
	// lastLogLines are shown of the log of an engine in trouble: a crash leaves a long trace after its cause.
	lastLogLines = 50
)

func (c *console) logsPage(w http.ResponseWriter, r *http.Request, actor gatehouse.Actor) error {
	d, err := c.deployment(r, actor)
	if err != nil {
		return err
	}
	page := views.LogsPage{
		Deployment: d, Sees: views.SeesOf(actor), Log: d.Logs()[0],
		Search: strings.TrimSpace(r.FormValue("search")), Paused: r.FormValue("pause") == "1",
	}
	if log, err := gatehouse.ParseLogName(r.FormValue("log")); err == nil && d.HasLog(log) {
		page.Log = log
	}
	lines, err := c.Control.Log(r.Context(), actor, d.ID, page.Log, mostLogLines)
	switch gatehouse.ErrorCode(err) {
	case gatehouse.NotFound, gatehouse.Unavailable:
		page.Missing, err = gatehouse.ErrorMessage(err), nil
	}
	if err != nil {
		return err
	}
	page.Total, page.Lines = len(lines), matching(lines, page.Search)
	return c.show(w, r, http.StatusOK, page)
}

// matching keeps the lines that hold the text, in upper or lower case.
func matching(lines []string, text string) []string {
	text = strings.ToLower(text)
	lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(strings.ToLower(line), text) })
	for i, line := range lines {
		if len(line) > mostLogLine {
			line = line[:mostLogLine] + "…"
		}
		lines[i] = strings.ToValidUTF8(line, "\uFFFD")
	}
	return lines
}

// lastLines is the end of the log of an engine that has failed, or takes long to start.
func (c *console) lastLines(r *http.Request, actor gatehouse.Actor, d gatehouse.Deployment) views.LogEnd {
	troubled := d.State.Status == gatehouse.Failed || d.State.Status == gatehouse.Provisioning && d.State.Detail != ""
	if !troubled || !d.Managed || !actor.Can(gatehouse.ViewLogs) {
		return views.LogEnd{}
	}
	end := views.LogEnd{Log: d.TroubledLog()}
	lines, err := c.Control.Log(r.Context(), actor, d.ID, end.Log, lastLogLines)
	if err == nil { // an engine that never started has none, and the state says why it did not
		end.Lines = matching(lines, "")
	}
	return end
}
