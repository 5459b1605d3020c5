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

// managedSpec is everything of a managed deployment that its programs were started with. It changes exactly when
// gatehouse.Settings.EngineChanges names something, or the tier itself has changed.
func managedSpec(d gatehouse.Deployment) string {
	tier, _ := gatehouse.TierByName(d.Tier)
	spec := fmt.Sprintf("managed tier %q memory %d", d.Tier, tier.MemoryBytes)
	for _, p := range d.Type.Programs() {
		settings, err := settingFlags(d, p)
		if err != nil {
			return fmt.Sprintf("managed %q %q %v", d.Tier, d.Flags, err)
		}
		spec += fmt.Sprintf(" %s %q", p, settings)
	}
	return spec
}

// programFlags are the command line of one of a deployment's programs.
func programFlags(d gatehouse.Deployment, dir string, p gatehouse.Program, at ports, memory memoryShare) ([]string, error) {
	settings, err := settingFlags(d, p)
	if err != nil {
		return nil, err
	}
	tier, _ := gatehouse.TierByName(d.Tier)
	return slices.Concat(baseFlags(dir, p, at), memory.flags(tier, p), settings), nil
}

// baseFlags are those that a program always has. All listeners but these are off unless asked for, so none has to be switched off.
// Nothing here is secret: every user of the machine can read it.
func baseFlags(dir string, p gatehouse.Program, at ports) []string {
	flags := []string{
		"-httpListenAddr=" + loopback(at.http),
		// Loopback is open to all users of the machine, so a program asks for a password, which it reads from a file.
		"-httpAuth.username=" + engineUser,
		programFiles(dir, p).passwordFlag(),
	}
	switch p {
	case gatehouse.InsertProgram:
		return append(flags, "-storageNode="+loopback(at.insert))
	case gatehouse.SelectProgram:
		return append(flags, "-storageNode="+loopback(at.query), "-cacheDataPath="+filepath.Join(dir, "cache"))
	case gatehouse.StorageProgram:
		flags = append(flags, "-vminsertAddr="+loopback(at.insert), "-vmselectAddr="+loopback(at.query))
	}
	return append(flags, dataFlag(dir), "-storage.minFreeDiskSpaceBytes="+strconv.Itoa(minFreeDiskBytes))
}

// settingFlags are those that come from the tier and the other settings of a deployment.
func settingFlags(d gatehouse.Deployment, p gatehouse.Program) ([]string, error) {
	single := p == gatehouse.SingleProgram
	var flags []string
	if single || p == gatehouse.StorageProgram {
		flags = append(flags, "-retentionPeriod="+d.Retention.EngineValue())
	}
	if single || p == gatehouse.SelectProgram {
		// By default queries see nothing of the last 30 s, and someone who tries a token would take it for broken. New samples
		// become visible 2 to 4 s after they arrive, so 1 s hides nothing that is there. The price: the newest point of a
		// graph may be drawn before all series have reported.
		flags = append(flags, "-search.latencyOffset=1s")
	}
	if interval := d.Deduplication.Duration(); interval > 0 && p != gatehouse.InsertProgram {
		flags = append(flags, "-dedup.minScrapeInterval="+interval.String())
	}
	if d.Tier != "" {
		t, ok := gatehouse.TierByName(d.Tier)
		if !ok {
			return nil, gatehouse.Errorf(gatehouse.Invalid, "this Gatehouse does not know the tier %q; give the deployment another one, or start Gatehouse with the --tiers file that has it", d.Tier)
		}
		flags = append(flags, tierFlags(t, p)...)
	}
	// Checked again: what is passed on here runs with Gatehouse's rights, and the database may have been tampered with. They come
	// last, since the last of two flags of the same name counts.
	own, err := gatehouse.CheckEngineFlags(p, d.Flags.Of(p))
	return append(flags, own...), err
}

func tierFlags(t gatehouse.Tier, p gatehouse.Program) []string {
	const single, storage, query = gatehouse.SingleProgram, gatehouse.StorageProgram, gatehouse.SelectProgram
	var flags []string
	for _, limit := range []struct {
		flag     string
		n        int
		programs []gatehouse.Program
	}{
		{"-maxIngestionRate=", t.MaxIngestionRate(), []gatehouse.Program{single}}, // a cluster knows no such limit
		{"-storage.maxHourlySeries=", t.ActiveTimeSeries, []gatehouse.Program{single, storage}},
		{"-storage.maxDailySeries=", t.NewSeriesOver24h, []gatehouse.Program{single, storage}},
		// Without it, vmstorage has a limit of its own, which may be lower.
		{"-search.maxUniqueTimeseries=", t.SeriesReadPerQuery, []gatehouse.Program{single, storage, query}},
		// A single node of v1.149 to v1.152 passes over the flag above (GetSearch in app/vmstorage/vmstorage.go). What a query
		// returns, all versions limit.
		{"-search.maxResponseSeries=", t.SeriesReadPerQuery, []gatehouse.Program{single, query}},
	} {
		if limit.n > 0 && slices.Contains(limit.programs, p) {
			flags = append(flags, limit.flag+strconv.Itoa(limit.n))
		}
	}
	return flags
}

func dataFlag(dir string) string { return "-storageDataPath=" + filepath.Join(dir, "data") }
