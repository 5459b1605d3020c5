package tierfile

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

func load(t *testing.T, text string) ([]gatehouse.Tier, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiers.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func find(tiers []gatehouse.Tier, name string) (found gatehouse.Tier) {
	for _, tier := range tiers {
		if tier.Name == name {
			found = tier
		}
	}
	return found
}

func TestAFileAddsTiersAndChangesBuiltInOnes(t *testing.T) {
	tiers, err := load(t, `# our own
tiers:
  - id: 1000
    name: team
    ingestion_rate: 10000
    active_time_series: 200000
    new_series_over_24h: 400000
    datapoints_read_rate: 1000000
    series_read_per_query: 30000
    max_concurrent_requests: 50
    memory: 256MiB
  - {id: 21, name: s.starter.a, active_time_series: 7, retired: true}
  - {id: 1001, name: wide, type: cluster}
`)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(gatehouse.BuiltinTiers) + 2; len(tiers) != n {
		t.Errorf("there are %d tiers, want %d", len(tiers), n)
	}
	for _, want := range []gatehouse.Tier{
		{
			ID: 1000, Type: gatehouse.SingleNode, Name: "team", IngestionRate: 10_000, ActiveTimeSeries: 200_000, NewSeriesOver24h: 400_000,
			DatapointsReadRate: 1_000_000, SeriesReadPerQuery: 30_000, MaxConcurrentRequests: 50, MemoryBytes: 256 << 20,
		},
		{ID: 21, Type: gatehouse.SingleNode, Name: "s.starter.a", ActiveTimeSeries: 7, MaxConcurrentRequests: 600, Retired: true},
		{ID: 1001, Type: gatehouse.Cluster, Name: "wide", MaxConcurrentRequests: 600},
		find(gatehouse.BuiltinTiers, "s.large.a"),
	} {
		if got := find(tiers, want.Name); !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
	if find(gatehouse.BuiltinTiers, "s.starter.a").ActiveTimeSeries != 1_000_000 {
		t.Error("the built-in table was changed")
	}
}

func TestABadFileIsRefusedWithItsLine(t *testing.T) {
	f := func(text string, words ...string) {
		t.Helper()
		_, err := load(t, text)
		if gatehouse.ErrorCode(err) != gatehouse.Invalid {
			t.Errorf("%q: got %v, want an Invalid error", text, err)
			return
		}
		for _, word := range append(words, "tiers.yml") {
			if !strings.Contains(gatehouse.ErrorMessage(err), word) {
				t.Errorf("%q is refused with %q; want it to say %q", text, gatehouse.ErrorMessage(err), word)
			}
		}
	}
	f("", "line 1", "empty")
	f("tiers:\n\t- id: 1000\n", "line 2")
	f("tires: []\n", "line 1", "tires")
	f("tiers:\n  - id: 1000\n    name: a\n    active_series: 5\n", "line 4", "active_series")
	f("tiers:\n  - id: 1000\n    name: a\n    ingestion_rate: many\n", "line 4", "many")
	f("tiers:\n  - id: 1000\n    name: a\n    ingestion_rate: -1\n", "line 4", "ingestion_rate")
	f("tiers:\n  - id: 1000\n    name: a\n    series_read_per_query: 1073741824\n", "line 4", "out of range")
	f("tiers:\n  - id: 1000\n    name: a\n    max_concurrent_requests: 100001\n", "line 4")
	f("tiers:\n  - id: 1000\n    name: a\n    memory: 1MiB\n", "line 4", "64MiB")
	f("tiers:\n  - id: 1000\n    name: a\n    memory: lots\n", "line 4", "lots")
	f("tiers:\n  - id: 1000\n    name: a\n    type: huge\n", "line 4", "huge")
	f("tiers:\n  - id: 1000\n    name: a\n    active_time_series: 10\n    new_series_over_24h: 9\n", "line 5", "at least 10")
	f("tiers:\n  - name: a\n", "line 2", "no id")
	f("tiers:\n  - id: 1000\n", "line 2", "name")
	f("tiers:\n  - id: 999\n    name: a\n", "line 2", "choose 1000 or more")
	f("tiers:\n  - id: 22\n    name: s.starter.a\n", "line 2", "has the id 21")
	f("tiers:\n  - id: 21\n    name: s.starter.a\n    type: cluster\n", "cannot change")
	f("tiers:\n  - {id: 1000, name: a}\n  - {id: 1000, name: b}\n", "line 3", `"a"`)
	f("tiers:\n  - {id: 1000, name: a}\n  - {id: 1001, name: a}\n", "line 3", "line 2")
	f("tiers:\n  - small\n", "line 2", "not a tier")
	f("tiers: []\n---\ntiers: []\n", "more than one")
	_, err := Load(filepath.Join(t.TempDir(), "gone.yml"))
	if gatehouse.ErrorCode(err) != gatehouse.Invalid || !strings.Contains(err.Error(), "gone.yml") {
		t.Errorf("a missing file is refused with %v", err)
	}
}

func TestTheDocumentedFileIsValid(t *testing.T) {
	page, err := os.ReadFile("../../docs/tiers.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	example, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("the page has no example")
	}
	if _, err := load(t, example); err != nil {
		t.Error(err)
	}
}
