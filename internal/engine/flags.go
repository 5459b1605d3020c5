package engine

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"gatehouse/internal/gatehouse"
)

// engineUser is the user name that engines demand with their password.
const engineUser = "gatehouse"

// minFreeDiskBytes is the free disk space below which VictoriaMetrics takes no new samples. It is VictoriaMetrics' own default,
// said aloud because the state of a deployment names it.
const minFreeDiskBytes = 100_000_000

// managedSpec is everything of a managed deployment that its engine was started with. It changes exactly when
// gatehouse.Settings.EngineChanges names something, or the tier itself has changed.
func managedSpec(d gatehouse.Deployment) string {
	settings, err := settingFlags(d)
	if err != nil {
		return fmt.Sprintf("managed %q %q %v", d.Tier, d.Flags.Single, err)
	}
	tier, _ := gatehouse.TierByName(d.Tier)
	return fmt.Sprintf("managed tier %q memory %d %q", d.Tier, tier.MemoryBytes, settings)
}

// engineFlags are the command line of a deployment's engine. All listeners but -httpListenAddr are off unless asked for, so none
// has to be switched off. Nothing here is secret: every user of the machine can read it.
func engineFlags(d gatehouse.Deployment, dir string, port int, memory memoryShare) ([]string, error) {
	flags := []string{
		dataFlag(dir),
		"-httpListenAddr=127.0.0.1:" + strconv.Itoa(port),
		// Loopback is open to all users of the machine, so the engine asks for a password, which it reads from a file.
		"-httpAuth.username=" + engineUser,
		"-httpAuth.password=file://" + passwordPath(dir),
		"-storage.minFreeDiskSpaceBytes=" + strconv.Itoa(minFreeDiskBytes),
	}
	settings, err := settingFlags(d)
	if err != nil {
		return nil, err
	}
	tier, _ := gatehouse.TierByName(d.Tier)
	return slices.Concat(flags, memory.flags(tier), settings), nil
}

// settingFlags are those that come from the tier and the other settings of a deployment.
func settingFlags(d gatehouse.Deployment) ([]string, error) {
	flags := []string{
		"-retentionPeriod=" + d.Retention.EngineValue(),
		// By default queries see nothing of the last 30 s, and someone who tries a token would take it for broken. New samples
		// become visible 2 to 4 s after they arrive, so 1 s hides nothing that is there. The price: the newest point of a
		// graph may be drawn before all series have reported.
		"-search.latencyOffset=1s",
	}
	if interval := d.Deduplication.Duration(); interval > 0 {
		flags = append(flags, "-dedup.minScrapeInterval="+interval.String())
	}
	if d.Tier != "" {
		t, ok := gatehouse.TierByName(d.Tier)
		if !ok {
			return nil, gatehouse.Errorf(gatehouse.Invalid, "this Gatehouse does not know the tier %q; give the deployment another one, or start Gatehouse with the --tiers file that has it", d.Tier)
		}
		flags = append(flags, tierFlags(t)...)
	}
	// Checked again: what is passed on here runs with Gatehouse's rights, and the database may have been tampered with. They come
	// last, since the last of two flags of the same name counts.
	own, err := gatehouse.CheckEngineFlags(d.Flags.Single)
	return append(flags, own...), err
}

func tierFlags(t gatehouse.Tier) []string {
	var flags []string
	for _, limit := range []struct {
		flag string
		n    int
	}{
		{"-maxIngestionRate=", t.MaxIngestionRate()},
		{"-storage.maxHourlySeries=", t.ActiveTimeSeries},
		{"-storage.maxDailySeries=", t.NewSeriesOver24h},
		{"-search.maxUniqueTimeseries=", t.SeriesReadPerQuery},
		// A single node of v1.149 to v1.152 passes over the flag above (GetSearch in app/vmstorage/vmstorage.go). What a query
		// returns, all versions limit.
		{"-search.maxResponseSeries=", t.SeriesReadPerQuery},
	} {
		if limit.n > 0 {
			flags = append(flags, limit.flag+strconv.Itoa(limit.n))
		}
	}
	return flags
}

// dataFlag is also how a process is recognised as the engine of a deployment.
func dataFlag(dir string) string { return "-storageDataPath=" + filepath.Join(dir, "data") }
