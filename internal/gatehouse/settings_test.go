package gatehouse

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckSettings(t *testing.T) {
	f := func(typ DeploymentType, badField string, change func(*Settings)) {
		t.Helper()
		s := Settings{Name: "prod", Retention: DefaultRetention}
		change(&s)
		err := s.Check(typ)
		if badField == "" && err != nil {
			t.Errorf("%+v is refused: %v", s, err)
		}
		if badField != "" {
			wantField(t, err, badField)
		}
	}
	f(SingleNode, "", func(*Settings) {})
	f(SingleNode, "", func(s *Settings) {
		*s = Settings{
			Name: "prod", Tier: "small", Retention: Retention{6, "m"}, StorageGB: 10, Deduplication: Deduplication{10, "s"},
			MaintenanceWindow: "Sat-Sun 3-4am", Flags: Flags{Single: []string{"-search.maxQueueDuration=20s"}},
		}
	})
	f(SingleNode, "", func(s *Settings) { s.StorageGB = 16 << 10 })
	f(Cluster, "", func(s *Settings) { s.StorageGB = 16<<10 + 1; s.Tier = "cluster-large" })
	f(Cluster, "", func(s *Settings) {
		s.Flags = Flags{Select: []string{"-search.disableCache"}, Storage: []string{"-inmemoryDataFlushInterval=2s"}, Insert: []string{"--maxLabelNameLen=99"}}
	})
	f(SingleNode, "", func(s *Settings) { s.Deduplication = Deduplication{0, ""} })
	f(SingleNode, "", func(s *Settings) { s.Deduplication = Deduplication{86_400_000, "ms"} })

	f(SingleNode, "name", func(s *Settings) { s.Name = "" })
	f(SingleNode, "tier", func(s *Settings) { s.Tier = "huge" })
	f(SingleNode, "tier", func(s *Settings) { s.Tier = "cluster-large" })
	f(SingleNode, "retention", func(s *Settings) { s.Retention = Retention{0, "d"} })
	f(SingleNode, "storage_size", func(s *Settings) { s.StorageGB = 9 })
	f(SingleNode, "storage_size", func(s *Settings) { s.StorageGB = 16<<10 + 1 })
	f(SingleNode, "storage_size", func(s *Settings) { s.StorageGB = 18446744073709551596 }) // the Terraform provider's -20
	f(SingleNode, "deduplication", func(s *Settings) { s.Deduplication = Deduplication{4294967295, "s"} })
	f(SingleNode, "deduplication", func(s *Settings) { s.Deduplication = Deduplication{86_400_001, "ms"} })
	f(SingleNode, "deduplication", func(s *Settings) { s.Deduplication = Deduplication{1, ""} })
	f(SingleNode, "deduplication_unit", func(s *Settings) { s.Deduplication = Deduplication{1, "m"} })
	f(SingleNode, "maintenance_window", func(s *Settings) { s.MaintenanceWindow = "sat-sun 3-4am" })
	f(SingleNode, "flags", func(s *Settings) { s.Flags.Select = []string{"-a"} })
	f(Cluster, "flags", func(s *Settings) { s.Flags.Single = []string{"-a"} })
	f(Cluster, "storage_flags", func(s *Settings) { s.Flags.Storage = []string{"-search.disableCache"} })
	f(Cluster, "insert_flags", func(s *Settings) { s.Flags.Insert = slices.Repeat([]string{"-a"}, 51) })
	f(SingleNode, "flags", func(s *Settings) { s.Flags.Single = []string{"a"} })
	f(SingleNode, "flags", func(s *Settings) { s.Flags.Single = []string{"-a\n-b"} })
	f(SingleNode, "flags", func(s *Settings) { s.Flags.Single = []string{"-" + strings.Repeat("a", 1000)} })
	f(SingleNode, "flags", func(s *Settings) { s.Flags.Single = slices.Repeat([]string{"-a"}, 51) })
	f(SingleNode, "flags", func(s *Settings) { s.Flags.Single = []string{"-httpListenAddr=:80"} })
	f(SingleNode, "max_concurrent_requests", func(s *Settings) { s.MaxConcurrentRequests = -1 })
	f(Cluster, "max_concurrent_requests", func(s *Settings) { s.MaxConcurrentRequests = MostConcurrentRequests + 1 })
}

func TestStorageAndDeduplicationAreReadAsTheyAreWritten(t *testing.T) {
	for text, want := range map[string]uint64{"20GB": 20, "1TB": 1024, "0GB": 0, "4294967295TB": 4294967295 << 10} {
		if gb, err := ParseStorage(text); err != nil || gb != want {
			t.Errorf("%s is %d GB, %v; want %d", text, gb, err, want)
		}
	}
	for _, text := range []string{"", "20", "GB", "20gb", "20 GB", "-20GB", "1.5TB", "4294967296GB", "20GBGB"} {
		_, err := ParseStorage(text)
		wantField(t, err, "storage_size")
	}
	for text, want := range map[string]Deduplication{"30s": {30, "s"}, "500ms": {500, "ms"}, "0s": {0, "s"}} {
		if d, err := ParseDeduplication(text); err != nil || d != want || d.String() != strings.TrimPrefix(text, "0s") {
			t.Errorf("%s is %+v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "30", "s", "30m", "1h", "-1s", "1.5s", "86401s", "4294967295s"} {
		_, err := ParseDeduplication(text)
		wantField(t, err, "deduplication")
	}
}

func TestStorageOnlyGrows(t *testing.T) {
	if err := (Settings{StorageGB: 20}).GrowsFrom(Settings{StorageGB: 20}); err != nil {
		t.Error(err)
	}
	wantField(t, Settings{StorageGB: 19}.GrowsFrom(Settings{StorageGB: 20}), "storage_size")
}

func TestOnlySomeSettingsRestartAnEngine(t *testing.T) {
	old := Settings{Name: "prod", Flags: Flags{Single: []string{"--search.disableCache", "-search.maxSeries=5"}}}
	same := Settings{
		Name: "renamed", Retention: DefaultRetention, StorageGB: 20, Deduplication: Deduplication{0, "s"}, MaintenanceWindow: MaintenanceWindows[0],
		Flags: Flags{Single: []string{"-search.maxSeries=5", "-search.disableCache=true"}},
	}
	if names := same.EngineChanges(old); len(names) > 0 {
		t.Errorf("it restarts for %v", names)
	}
	changed := Settings{Tier: "s.starter.a", Retention: Retention{1, "m"}, Deduplication: Deduplication{1, "ms"}}
	if names := changed.EngineChanges(old); !slices.Equal(names, []string{"tier", "retention", "deduplication", "flags"}) {
		t.Errorf("it restarts for %v only", names)
	}
}

func TestTierNumbersAreStable(t *testing.T) {
	// What Terraform configurations and states hold.
	want := map[uint32]string{
		1: "small", 2: "medium", 3: "large", 9: "unlimited", 11: "cluster-medium", 12: "cluster-large", 19: "cluster-unlimited",
		21: "s.starter.a", 22: "s.micro.a", 23: "s.small.a", 24: "s.medium.a", 25: "s.large.a",
	}
	if len(Tiers) != len(want) {
		t.Errorf("there are %d tiers", len(Tiers))
	}
	for id, name := range want {
		if tier, ok := TierByID(id); !ok || tier.Name != name {
			t.Errorf("the tier %d is %q, want %q", id, tier.Name, name)
		}
	}
	if _, ok := TierByID(0); ok {
		t.Error("there is a tier 0")
	}
}

func TestCheckRuleFileName(t *testing.T) {
	for _, name := range []string{"alerts", "alerts.yml", "Älerts-1_2.yaml", strings.Repeat("a", 100), "..."} {
		if err := CheckRuleFileName(name); err != nil {
			t.Errorf("%q is refused: %v", name, err)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a?b", "a#b", "%41", "a b", "a\x00", "a\n", "\xff", strings.Repeat("a", 101)} {
		wantField(t, CheckRuleFileName(name), "name")
	}
}
