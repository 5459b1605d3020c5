package engine

import (
	"fmt"
	"path/filepath"
	"strconv"

	"gatehouse/internal/gatehouse"
)

// engineUser is the user name that engines demand with their password.
const engineUser = "gatehouse"

// minFreeDiskBytes is the free disk space below which VictoriaMetrics takes no new samples. It is VictoriaMetrics' own default,
// said aloud because the state of a deployment names it.
const minFreeDiskBytes = 100_000_000

// managedSpec is everything of a managed deployment that its engine was started with.
func managedSpec(d gatehouse.Deployment) string {
	return fmt.Sprintf("managed retention=%s tier=%s", retentionFlag(d.Retention), d.Tier)
}

// engineFlags are the command line of a deployment's engine. All listeners but -httpListenAddr are off unless asked for, so none
// has to be switched off. Nothing here is secret: every user of the machine can read it.
func engineFlags(d gatehouse.Deployment, dir string, port int) ([]string, error) {
	flags := []string{
		dataFlag(dir),
		"-httpListenAddr=127.0.0.1:" + strconv.Itoa(port),
		"-retentionPeriod=" + retentionFlag(d.Retention),
		// Loopback is open to all users of the machine, so the engine asks for a password, which it reads from a file.
		"-httpAuth.username=" + engineUser,
		"-httpAuth.password=file://" + passwordPath(dir),
		"-storage.minFreeDiskSpaceBytes=" + strconv.Itoa(minFreeDiskBytes),
		// By default queries see nothing of the last 30 s, and someone who tries a token would take it for broken. New samples
		// become visible 2 to 4 s after they arrive, so 1 s hides nothing that is there. The price: the newest point of a
		// graph may be drawn before all series have reported.
		"-search.latencyOffset=1s",
	}
	if d.Tier == "" {
		return flags, nil
	}
	t, ok := gatehouse.TierByName(d.Tier)
	if !ok {
		return nil, gatehouse.Errorf(gatehouse.Invalid, "this Gatehouse does not know the tier %q; use the version that made the deployment, or a newer one", d.Tier)
	}
	return append(flags,
		"-storage.maxHourlySeries="+strconv.Itoa(t.ActiveTimeSeries),
		"-storage.maxDailySeries="+strconv.Itoa(t.NewSeriesOver24h),
		"-search.maxUniqueTimeseries="+strconv.Itoa(t.SeriesReadPerQuery),
	), nil
}

// retentionFlag is the value of -retentionPeriod. VictoriaMetrics reads a bare number as months, and "m" as minutes.
func retentionFlag(r gatehouse.Retention) string {
	if r == (gatehouse.Retention{}) {
		r = gatehouse.DefaultRetention
	}
	n := strconv.FormatUint(uint64(r.Value), 10)
	if r.Unit == "m" {
		return n
	}
	return n + "d"
}

// dataFlag is also how a process is recognised as the engine of a deployment.
func dataFlag(dir string) string { return "-storageDataPath=" + filepath.Join(dir, "data") }

func passwordPath(dir string) string { return filepath.Join(dir, "engine.password") }
