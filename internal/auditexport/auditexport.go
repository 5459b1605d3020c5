// Package auditexport writes records of the audit log as files: CSV for spreadsheets, JSON lines for programs.
package auditexport

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gatehouse/internal/gatehouse"
)

// Record is an audit record as JSON.
type Record struct {
	Seq          int64             `json:"seq" doc:"Number of the record, consecutive." example:"1204"`
	At           time.Time         `json:"at" doc:"When it was done." example:"2026-11-24T12:00:00Z"`
	ActorKind    string            `json:"actor_kind" doc:"What kind of party did it." enum:"person,api_key,command_line,system" example:"person"`
	ActorID      string            `json:"actor_id,omitempty" doc:"UUID of the user or API key."`
	Actor        string            `json:"actor" doc:"Who did it: email address, name of the API key, or name of the operating system's user." example:"ops@example.com"`
	Address      string            `json:"address,omitempty" doc:"From where: the client's address." example:"10.0.0.7"`
	Action       string            `json:"action" doc:"What was done." example:"token.revealed"`
	ObjectID     string            `json:"object_id,omitempty" doc:"UUID of what it was done to." example:"7c0ad8c9-2f0f-4e5e-8e6b-0a53d5a0a2cf"`
	Object       string            `json:"object,omitempty" doc:"Name of what it was done to." example:"grafana"`
	DeploymentID string            `json:"deployment_id,omitempty" doc:"UUID of the deployment concerned."`
	Details      map[string]string `json:"details,omitempty" doc:"Further facts."`
	Before       map[string]string `json:"before,omitempty" doc:"Of a change: the fields that differ, as they were."`
	After        map[string]string `json:"after,omitempty" doc:"Of a change: the fields that differ, as they are now."`
}

// RecordOf gives e as JSON has it.
func RecordOf(e gatehouse.AuditEvent) Record {
	return Record{
		Seq: e.Seq, At: e.At.UTC(), ActorKind: string(e.Actor.Kind), ActorID: e.Actor.ID, Actor: e.Actor.Name, Address: e.Actor.Addr,
		Action: string(e.Action), ObjectID: e.ObjectID, Object: e.ObjectName, DeploymentID: e.DeploymentID,
		Details: e.Details, Before: e.Before, After: e.After,
	}
}

// WriteJSONLines gives a function that writes one record a line.
func WriteJSONLines(w io.Writer) (each func(gatehouse.AuditEvent) error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(e gatehouse.AuditEvent) error { return enc.Encode(RecordOf(e)) }
}

var header = []string{
	"seq", "at", "actor_kind", "actor_id", "actor", "address", "action", "object_id", "object", "deployment_id", "details", "before", "after",
}

// WriteCSV writes the head of a CSV file (RFC 4180), and gives a function that writes one record a row, and one to call at the end.
func WriteCSV(w io.Writer) (each func(gatehouse.AuditEvent) error, flush func() error) {
	out := csv.NewWriter(w)
	_ = out.Write(header) // an error comes again from flush
	each = func(e gatehouse.AuditEvent) error {
		r := RecordOf(e)
		row := []string{
			strconv.FormatInt(r.Seq, 10), r.At.Format(time.RFC3339Nano), r.ActorKind, r.ActorID, r.Actor, r.Address, r.Action,
			r.ObjectID, r.Object, r.DeploymentID, object(r.Details), object(r.Before), object(r.After),
		}
		for i := range row {
			row[i] = harmless(row[i])
		}
		return out.Write(row)
	}
	flush = func() error {
		out.Flush()
		return out.Error()
	}
	return each, flush
}

// object is a JSON object, or nothing.
func object(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	text, _ := json.Marshal(m) // a map of strings can always be written
	return string(text)
}

// harmless keeps spreadsheets from running a name as a formula, https://owasp.org/www-community/attacks/CSV_Injection. Where lists are
// separated by semicolons or tabs, a cell begins after one of those, too; white space before a formula is passed over.
func harmless(cell string) string {
	var out strings.Builder
	begins := true
	for i, r := range cell {
		switch {
		case strings.ContainsRune("=+-@＝＋－＠", r):
			if begins {
				out.WriteByte('\'')
			}
			begins = false
		case strings.ContainsRune("\t\r\n", r):
			if i == 0 {
				out.WriteByte('\'')
			}
			begins = true
		case r == ';' || r == ',':
			begins = true
		case !unicode.IsSpace(r):
			begins = false
		}
		out.WriteRune(r)
	}
	return out.String()
}
