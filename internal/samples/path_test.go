package samples

import (
	"errors"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestEachPathThatIsWrittenOrReadIsKnown(t *testing.T) {
	table, err := os.ReadFile("../access/testdata/access-paths.tsv")
	if err != nil {
		t.Fatal(err)
	}
	known := 0
	for line := range strings.Lines(string(table)) {
		fields := strings.Split(line, "\t")
		path, kind := fields[1], fields[3]
		if kind != "write" && kind != "read" || strings.HasPrefix(path, "(") || strings.Contains(path, "any ") || strings.Contains(path, "{api/v1/*") {
			continue // pages, other ports, and rows that stand for all paths
		}
		path = regexp.MustCompile(`[*<>]|\{([^,}]*).*\}`).ReplaceAllString(path, "$1")
		count := Written
		if kind == "read" {
			count = Read
		}
		known++
		if _, err := count(Body{Path: path, Header: http.Header{}, Whole: true}); err != nil {
			t.Errorf("%s %s: %v", kind, path, err)
		}
	}
	if known < 100 {
		t.Errorf("only %d paths in the table", known)
	}
}

func TestAPathThatIsNotKnownIsSaidToBe(t *testing.T) {
	for _, path := range []string{"/api/v9/write", "/prometheusx", "/insert/7/other", "/vmui/", "/metrics"} {
		if _, err := Written(body(path, "", "", "a 1\n")); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s is written: %v", path, err)
		}
		if _, err := Read(body(path, "", "", "a 1\n")); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s is read: %v", path, err)
		}
	}
}

func TestTheFormatIsToldByWhatFollowsTenantAndPrefix(t *testing.T) {
	for path, want := range map[string]int{
		"/insert/7/prometheus/api/v1/import/prometheus":                 1,
		"/insert/7:3/prometheus/api/v1/import/prometheus/metrics/job/a": 1,
		"/insert/multitenant/prometheus/api/v1/import/prometheus":       1,
		"/prometheus/api/v1/import/prometheus":                          1,
		"/insert/7/influx/api/v2/write":                                 0,
		"/insert/7/datadog/api/v1/check_run/":                           0,
	} {
		if n, err := Written(body(path, "", "", "a 1\n")); err != nil || n != want {
			t.Errorf("%s: counted %d (%v), want %d", path, n, err, want)
		}
	}
	for _, path := range []string{"/insert/7/prometheus", "/insert/7/prometheus/", "/insert/0:0/prometheus/api/v1/write"} {
		if n, err := Written(body(path, "", "", snappyBlock(writeRequest(3)))); err != nil || n != 6 {
			t.Errorf("%s: counted %d (%v), want 6", path, n, err)
		}
	}
}
