// Package tierfile reads the file with which an operator changes the tiers or adds some. docs/tiers.md describes it.
package tierfile

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"slices"

	"gopkg.in/yaml.v3"

	"gatehouse/internal/gatehouse"
)

// file is the whole file.
type file struct {
	Tiers []yaml.Node `yaml:"tiers"`
}

// entry is one tier. Limits that are left out, or 0, are none.
type entry struct {
	ID                    uint32 `yaml:"id"`
	Name                  string `yaml:"name"`
	Type                  string `yaml:"type"`
	IngestionRate         int    `yaml:"ingestion_rate"`
	ActiveTimeSeries      int    `yaml:"active_time_series"`
	NewSeriesOver24h      int    `yaml:"new_series_over_24h"`
	DatapointsReadRate    int    `yaml:"datapoints_read_rate"`
	SeriesReadPerQuery    int    `yaml:"series_read_per_query"`
	MaxConcurrentRequests int    `yaml:"max_concurrent_requests"`
	Memory                string `yaml:"memory"`
	Retired               bool   `yaml:"retired"`
}

// mostLimit keeps twice an ingestion rate, and the 32 bits in which VictoriaMetrics counts series, from overflowing.
const mostLimit = 1<<30 - 1

// leastMemory is what an engine needs for its caches to work at all.
const leastMemory = 64 << 20

// Load reads the file and gives the table that results: the built-in tiers, with those of the file in place of the ones that have the
// same name, and after them. Errors name the line.
func Load(path string) ([]gatehouse.Tier, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "the file of the tiers %s cannot be read; check its name and who may read it", path).WithCause(err)
	}
	tiers, err := parse(text)
	if err != nil {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "the file of the tiers %s: %v", path, err)
	}
	return tiers, nil
}

func parse(text []byte) ([]gatehouse.Tier, error) {
	var f file
	if err := decode(text, &f); err != nil {
		return nil, err
	}
	table := slices.Clone(gatehouse.BuiltinTiers)
	seen := map[string]int{} // name to line
	for i := range f.Tiers {
		node := &f.Tiers[i]
		var e entry
		if err := decodeNode(node, &e); err != nil {
			return nil, err
		}
		tier, err := e.tier(node)
		if err != nil {
			return nil, err
		}
		if line, twice := seen[tier.Name]; twice {
			return nil, at(node, "name", "the tier %q is also on line %d; give each name once", tier.Name, line)
		}
		seen[tier.Name] = node.Line
		if table, err = put(table, tier, node); err != nil {
			return nil, err
		}
	}
	return table, nil
}

// put replaces the tier of the same name, or adds one. Numbers stay with their names: Terraform states and scripts hold them.
func put(table []gatehouse.Tier, tier gatehouse.Tier, node *yaml.Node) ([]gatehouse.Tier, error) {
	same := slices.IndexFunc(table, func(t gatehouse.Tier) bool { return t.Name == tier.Name })
	builtin := slices.ContainsFunc(gatehouse.BuiltinTiers, func(t gatehouse.Tier) bool { return t.Name == tier.Name })
	taken := slices.IndexFunc(table, func(t gatehouse.Tier) bool { return t.ID == tier.ID })
	switch {
	case builtin && (tier.ID != table[same].ID || tier.Type != table[same].Type):
		return nil, at(node, "id", "the built-in tier %q has the id %d and the type %s, which cannot change; give these, or choose another name", tier.Name, table[same].ID, table[same].Type)
	case builtin:
		table[same] = tier
		return table, nil
	case tier.ID < gatehouse.FirstFreeTierID:
		return nil, at(node, "id", "the id %d is reserved for built-in tiers; choose %d or more", tier.ID, gatehouse.FirstFreeTierID)
	case taken >= 0:
		return nil, at(node, "id", "the id %d is that of the tier %q; choose another one, and never one that was in use before", tier.ID, table[taken].Name)
	}
	return append(table, tier), nil
}

// tier checks e.
func (e entry) tier(node *yaml.Node) (gatehouse.Tier, error) {
	fail := func(field, format string, args ...any) (gatehouse.Tier, error) {
		return gatehouse.Tier{}, at(node, field, format, args...)
	}
	if err := gatehouse.CheckName(e.Name); err != nil {
		return fail("name", "%s", gatehouse.ErrorMessage(err))
	}
	if e.ID == 0 {
		return fail("id", "the tier %q has no id; choose a number from %d on, and keep it", e.Name, gatehouse.FirstFreeTierID)
	}
	typ, err := gatehouse.ParseDeploymentType(cmp.Or(e.Type, string(gatehouse.SingleNode)))
	if err != nil {
		return fail("type", "%s", gatehouse.ErrorMessage(err))
	}
	for _, limit := range []struct {
		field string
		n     int
	}{
		{"ingestion_rate", e.IngestionRate}, {"active_time_series", e.ActiveTimeSeries}, {"new_series_over_24h", e.NewSeriesOver24h},
		{"datapoints_read_rate", e.DatapointsReadRate}, {"series_read_per_query", e.SeriesReadPerQuery},
	} {
		if limit.n < 0 || limit.n > mostLimit {
			return fail(limit.field, "%s is out of range; write 1 to %d, or leave it out for no limit", limit.field, mostLimit)
		}
	}
	if e.NewSeriesOver24h != 0 && e.NewSeriesOver24h < e.ActiveTimeSeries {
		return fail("new_series_over_24h", "new_series_over_24h is below active_time_series, which it includes; make it at least %d", e.ActiveTimeSeries)
	}
	e.MaxConcurrentRequests = cmp.Or(e.MaxConcurrentRequests, gatehouse.DefaultMaxConcurrentRequests)
	if e.MaxConcurrentRequests < 1 || e.MaxConcurrentRequests > gatehouse.MostConcurrentRequests {
		return fail("max_concurrent_requests", "max_concurrent_requests is out of range; write 1 to %d", gatehouse.MostConcurrentRequests)
	}
	var memory int64
	if e.Memory != "" {
		if memory, err = gatehouse.ParseSize(e.Memory); err != nil {
			return fail("memory", "%v", err)
		}
		if memory < leastMemory {
			return fail("memory", "the memory is too little to work with; write at least %s", gatehouse.FormatSize(leastMemory))
		}
	}
	return gatehouse.Tier{
		ID: e.ID, Type: typ, Name: e.Name, IngestionRate: e.IngestionRate, ActiveTimeSeries: e.ActiveTimeSeries,
		NewSeriesOver24h: e.NewSeriesOver24h, DatapointsReadRate: e.DatapointsReadRate, SeriesReadPerQuery: e.SeriesReadPerQuery,
		MaxConcurrentRequests: e.MaxConcurrentRequests, MemoryBytes: memory, Retired: e.Retired,
	}, nil
}

// decode reads exactly one YAML document without unknown fields: a misspelt limit would be none.
func decode(text []byte, target any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(target); errors.Is(err, io.EOF) {
		return errors.New("line 1: it is empty; give it a list called tiers")
	} else if err != nil {
		return plain(err)
	}
	if err := d.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return errors.New("it holds more than one YAML document; keep the first one only")
	}
	return nil
}
