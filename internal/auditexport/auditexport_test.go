package auditexport

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

func event() gatehouse.AuditEvent {
	return gatehouse.AuditEvent{
		Seq: 7, At: time.Date(2026, 11, 24, 13, 0, 0, 5000, time.FixedZone("", 3600)),
		Actor:  gatehouse.Actor{Kind: gatehouse.Person, ID: "u1", Name: "ops@example.com", Addr: "10.0.0.7", Role: gatehouse.Admin},
		Action: gatehouse.DeploymentChanged, ObjectID: "d1", ObjectName: `pro"d, <b>` + "\nline", DeploymentID: "d1",
		Before: map[string]string{"retention": "30d"}, After: map[string]string{"retention": "90d"},
	}
}

func writeCSV(t *testing.T, events ...gatehouse.AuditEvent) [][]string {
	t.Helper()
	var b bytes.Buffer
	each, flush := WriteCSV(&b)
	for _, e := range events {
		if err := each(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := flush(); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestCSVHoldsTheWholeRecord(t *testing.T) {
	rows := writeCSV(t, event())
	want := []string{
		"7", "2026-11-24T12:00:00.000005Z", "person", "u1", "ops@example.com", "10.0.0.7", "deployment.changed", "d1", `pro"d, <b>` + "\nline", "d1",
		"", `{"retention":"30d"}`, `{"retention":"90d"}`,
	}
	if len(rows) != 2 || !reflect.DeepEqual(rows[0], header) || !reflect.DeepEqual(rows[1], want) {
		t.Errorf("rows %q, want %q", rows, want)
	}
}

func TestCSVWithoutRecordsHasItsHead(t *testing.T) {
	if rows := writeCSV(t); len(rows) != 1 {
		t.Errorf("rows %q", rows)
	}
}

func TestSpreadsheetsRunNoName(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		e := event()
		e.ObjectName, e.Actor.Name = name, name
		row := writeCSV(t, e)[1]
		if row[4] != want || row[8] != want {
			t.Errorf("%q became %q and %q, want %q", name, row[4], row[8], want)
		}
	}
	f("=HYPERLINK(\"http://evil\")", "'=HYPERLINK(\"http://evil\")")
	f("+1", "'+1")
	f("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0")
	f("@SUM(1)", "'@SUM(1)")
	f("\t=1", "'\t'=1")
	f("\n=1", "'\n'=1")
	f("x;=1+1", "x;'=1+1")
	f("x; =1", "x; '=1")
	f("x\t@SUM(1)", "x\t'@SUM(1)")
	f("\u00a0=1", "\u00a0'=1")
	f("a-b;c", "a-b;c")
	f("＝1", "'＝1")
	f("vmagent = prod", "vmagent = prod")
	f("", "")
}

func TestJSONLinesAreOneRecordEach(t *testing.T) {
	var b bytes.Buffer
	each := WriteJSONLines(&b)
	for range 2 {
		if err := each(event()); err != nil {
			t.Fatal(err)
		}
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("lines %q", lines)
	}
	var got Record
	if err := json.Unmarshal([]byte(lines[1]), &got); err != nil {
		t.Fatal(err)
	}
	if want := RecordOf(event()); !reflect.DeepEqual(got, want) {
		t.Errorf("record %+v, want %+v", got, want)
	}
	if strings.Contains(lines[0], "before\":null") || !strings.Contains(lines[0], "<b>") {
		t.Errorf("line %s", lines[0])
	}
}
