package gatehouse

import "testing"

func TestEachTypeOffersTiers(t *testing.T) {
	for _, typ := range []DeploymentType{SingleNode, Cluster} {
		offered := OfferedTiers(typ)
		if len(offered) == 0 {
			t.Errorf("no tier is offered for a %s", typ)
		}
		for _, tier := range offered {
			if tier.Retired || tier.Type != typ {
				t.Errorf("%s is offered for a %s", tier.Name, typ)
			}
		}
	}
}

func TestTiersGrowInStepAndLeaveRoomForTheirSeries(t *testing.T) {
	for _, tier := range BuiltinTiers {
		if tier.NewSeriesOver24h < tier.ActiveTimeSeries {
			t.Errorf("%s takes fewer series in a day than in an hour", tier.Name)
		}
	}
	offered := OfferedTiers(SingleNode)
	for i, tier := range offered[1 : len(offered)-1] {
		if before := offered[i]; tier.ActiveTimeSeries <= before.ActiveTimeSeries || tier.IngestionRate <= before.IngestionRate || tier.SeriesReadPerQuery <= before.SeriesReadPerQuery {
			t.Errorf("%s is not larger than %s", tier.Name, before.Name)
		}
	}
}

func TestRecommendedStorage(t *testing.T) {
	f := func(name string, r Retention, want uint64) {
		t.Helper()
		tier, _ := TierByName(name)
		if got := tier.RecommendedStorageGB(r); got != want {
			t.Errorf("%s for %s: %d GB, want %d", name, r, got, want)
		}
	}
	f("s.starter.a", Retention{1, "m"}, 120) // as the console of VictoriaMetrics Cloud says
	f("s.starter.a", Retention{30, "d"}, 120)
	f("s.large.a", Retention{24, "m"}, 16<<10)
	f("small", Retention{1, "d"}, 10)
	f("unlimited", Retention{1, "m"}, 0)
}
