package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/auditexport"
	"gatehouse/internal/control"
	"gatehouse/internal/gatehouse"
)

type auditCommand struct {
	List   auditList   `cmd:"" help:"List records of the audit log, the newest first."`
	Export auditExport `cmd:"" help:"Print records of the audit log as CSV or JSON lines, the oldest first."`
	Verify auditVerify `cmd:"" help:"Look whether the audit log was tampered with, and print its head."`
}

// auditFilter chooses records.
type auditFilter struct {
	From       string `help:"Only from this time on, included: a date like 2026-11-24 or a time like 2026-11-24T15:04:05Z." placeholder:"TIME"`
	To         string `help:"Only before this time; of a date, all that day." placeholder:"TIME"`
	Actor      string `help:"Only by those whose name holds this text." placeholder:"TEXT"`
	Action     string `help:"Only this action, like token.created." placeholder:"ACTION"`
	Deployment string `help:"Only what concerns this deployment; of a deleted one, give the ID." placeholder:"NAME|ID"`
	Text       string `help:"Only those with this text in object, address or details." placeholder:"TEXT"`
}

func (f auditFilter) query(ctx context.Context, ctl *control.Control, actor gatehouse.Actor) (gatehouse.AuditQuery, error) {
	q := gatehouse.AuditQuery{Actor: f.Actor, Action: gatehouse.Action(f.Action), Text: f.Text}
	if f.Action != "" && !slices.Contains(gatehouse.Actions, q.Action) {
		return q, gatehouse.InvalidField("action", "there is no action with this name; they look like token.created, and the column ACTION of the list shows them")
	}
	var err error
	if q.From, err = parseTime("from", f.From, false); err != nil {
		return q, err
	}
	if q.To, err = parseTime("to", f.To, true); err != nil {
		return q, err
	}
	if f.Deployment != "" {
		q.DeploymentID = f.Deployment // a deleted deployment still has its records
		if d, err := ctl.Deployment(ctx, actor, f.Deployment); err == nil {
			q.DeploymentID = d.ID
		} else if gatehouse.ErrorCode(err) != gatehouse.NotFound {
			return q, err
		}
	}
	return q, nil
}

// parseTime reads a date or a time. The end of a date is that of the day.
func parseTime(field, text string, end bool) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, gatehouse.InvalidField(field, "the time in --%s is not valid; write a date like 2026-11-24 or a time like 2026-11-24T15:04:05Z", field)
	}
	return at, nil
}

type auditList struct {
	auditFilter
	Limit int  `help:"At most so many records; 0: all." default:"100"`
	JSON  bool `help:"Print JSON." name:"json"`
}

func (k *auditList) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		q, err := k.query(ctx, ctl, actor)
		if err != nil {
			return err
		}
		if q.Limit = k.Limit; k.Limit < 0 {
			return gatehouse.InvalidField("limit", "the limit is below zero; write 0 for all")
		}
		events, total, err := ctl.Audit(ctx, actor, q)
		if err != nil {
			return err
		}
		if k.JSON {
			out := make([]auditexport.Record, len(events))
			for i, e := range events {
				out[i] = auditexport.RecordOf(e)
			}
			return printJSON(s.out, out)
		}
		names, err := deploymentNames(ctx, ctl, actor)
		if err != nil {
			return err
		}
		rows := [][]string{{"SEQ", "TIME", "ACTOR", "FROM", "ACTION", "OBJECT", "DEPLOYMENT", "DETAILS"}}
		for _, e := range events {
			rows = append(rows, []string{strconv.FormatInt(e.Seq, 10), timeText(e.At), printable(e.Actor.Name), orDash(e.Actor.Addr), string(e.Action),
				orDash(printable(e.ObjectName)), orDash(printable(cmp.Or(names[e.DeploymentID], e.DeploymentID))), orDash(printable(factsText(e)))})
		}
		if err := printTable(s.out, rows); err != nil || len(events) == total {
			return err
		}
		_, err = fmt.Fprintf(s.err, "%d of %d records; --limit shows more\n", len(events), total)
		return err
	})
}

// deploymentNames are the names that there are for IDs, which records keep alone. Of what was freed, only the ID is left.
func deploymentNames(ctx context.Context, ctl *control.Control, actor gatehouse.Actor) (map[string]string, error) {
	deleted, err := ctl.Trash(ctx, actor)
	if err != nil {
		return nil, err
	}
	all, err := ctl.Deployments(ctx, actor)
	names := map[string]string{}
	for _, d := range deleted {
		names[d.Deployment.ID] = d.Deployment.Name
	}
	for _, d := range all {
		names[d.ID] = d.Name
	}
	return names, err
}

// factsText is what a record tells besides, in one line.
func factsText(e gatehouse.AuditEvent) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		all = append(all, name+"="+e.Details[name])
	}
	for _, name := range slices.Sorted(maps.Keys(e.After)) {
		all = append(all, fmt.Sprintf("%s: %s → %s", name, e.Before[name], e.After[name]))
	}
	return strings.Join(all, ", ")
}

// printable keeps what others have typed from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, text)
}

type auditExport struct {
	auditFilter
	Format string `help:"Format: csv or jsonl." enum:"csv,jsonl" default:"csv"`
}

func (k *auditExport) Run(ctx context.Context, c *commands, s *streams) error {
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		q, err := k.query(ctx, ctl, actor)
		if err != nil {
			return err
		}
		each, flush := auditWriter(s.out, k.Format)
		return errors.Join(ctl.ExportAudit(ctx, actor, q, each), flush())
	})
}

func auditWriter(w io.Writer, format string) (each func(gatehouse.AuditEvent) error, flush func() error) {
	if format == "csv" {
		return auditexport.WriteCSV(w)
	}
	return auditexport.WriteJSONLines(w), func() error { return nil }
}

type auditVerify struct {
	Anchor string `help:"A head that was printed before and kept elsewhere; it must be in the log." placeholder:"SEQ:HASH"`
	JSON   bool   `help:"Print JSON." name:"json"`
}

func (k *auditVerify) Run(ctx context.Context, c *commands, s *streams) error {
	anchor, err := parseHead(k.Anchor)
	if err != nil {
		return err
	}
	return c.withData(ctx, func(ctl *control.Control, actor gatehouse.Actor) error {
		head, records, err := ctl.VerifyAudit(ctx, actor, anchor)
		if err != nil {
			return err
		}
		if k.JSON {
			return printJSON(s.out, map[string]any{"records": records, "head": headText(head)})
		}
		_, err = fmt.Fprintf(s.out, "The audit log is whole: %d records. Its head, to be kept elsewhere for the next time:\n%s\n", records, headText(head))
		return err
	})
}

func headText(h gatehouse.AuditHead) string { return strconv.FormatInt(h.Seq, 10) + ":" + h.Hash }

func parseHead(text string) (gatehouse.AuditHead, error) {
	if text == "" {
		return gatehouse.AuditHead{}, nil
	}
	number, hash, ok := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || seq < 0 || len(hash) != 64 || strings.Trim(hash, "0123456789abcdef") != "" {
		return gatehouse.AuditHead{}, gatehouse.InvalidField("anchor", "the anchor is not a head of the audit log; give what gatehouse audit verify printed, a number, a colon and 64 characters")
	}
	return gatehouse.AuditHead{Seq: seq, Hash: hash}, nil
}
