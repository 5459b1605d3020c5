package engine

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
)

// metric gives the value of a metric of the deployment, or "".
func (w *watched) metric(name string) string {
	var page strings.Builder
	w.WriteMetrics(&page)
	for line := range strings.Lines(page.String()) {
		if strings.HasPrefix(line, "gatehouse_deployment_"+name+"{") {
			return strings.TrimSpace(line[strings.LastIndexByte(line, ' '):])
		}
	}
	return ""
}

func (w *watched) awaitMetric(t *testing.T, name, want string) {
	t.Helper()
	got := ""
	defer func() {
		if t.Failed() {
			t.Logf("%s is %s", name, got)
		}
	}()
	eventually(t, name+" is "+want, func() bool { got = w.metric(name); return got == want })
}

func TestMetricsOfADeploymentGoOnWhereTheyWereAfterARestart(t *testing.T) {
	t.Parallel()
	d := managedDeployment()
	d.Name = "with \"quotes\"\nand {braces} \\"
	w, e := with(t, d)
	importSeries(t, e, 15)
	w.awaitMetric(t, "samples_ingested_total", "15")
	w.awaitMetric(t, "active_series", "15")
	w.awaitMetric(t, "up", "1")
	var page strings.Builder
	w.WriteMetrics(&page)
	if want := `gatehouse_deployment_up{deployment="with \"quotes\"\nand {braces} \\",deployment_id="` + testID + "\"} 1\n"; !strings.Contains(page.String(), want) {
		t.Errorf("the metrics are\n%s, want %s", page.String(), want)
	}
	if err := syscall.Kill(w.enginePID(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.awaitMetric(t, "up", "0")
	var again *Endpoint
	eventually(t, "another one serves", func() bool {
		last := w.last()
		again = last.Endpoint
		return last.State.Status == gatehouse.Running && *again != *e
	})
	importSeries(t, again, 5)
	w.awaitMetric(t, "samples_ingested_total", "20")
	d.Name, d.StoppedBy = "renamed", "somebody"
	w.Apply(created(d))
	w.awaitMetric(t, "up", "")
	if got := w.metric("samples_ingested_total"); got != "20" {
		t.Errorf("of a deployment that is stopped, %s samples are counted, want 20", got)
	}
	w.Apply(gatehouse.Change{GoneDeployment: testID})
	w.awaitMetric(t, "samples_ingested_total", "")
}

func TestCountersBeginAtZeroWithGatehouse(t *testing.T) {
	m := newMeter()
	read := func(started time.Time, inserted int) {
		m.add("", parseMetrics(page(int(started.Unix()), inserted, 0, ""), time.Now()))
	}
	check := func(want float64) {
		t.Helper()
		if got, _ := m.counters(); got != (gatehouse.Figure{Value: want, Known: true}) {
			t.Errorf("the counter is %+v, want %g", got, want)
		}
	}
	if got, _ := m.counters(); got.Known {
		t.Errorf("before the first reading, the counter is %g", got.Value)
	}
	read(m.began.Add(-time.Hour), 1000) // it runs elsewhere, since before
	check(0)
	read(m.began.Add(-time.Hour), 1007)
	check(7)
	read(m.began.Add(time.Minute), 3) // restarted
	check(10)
	read(m.began.Add(time.Minute), 5)
	check(12)
	m = newMeter()
	read(m.began, 4) // started by Gatehouse
	check(4)
}
