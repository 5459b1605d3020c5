package engine

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/gatehouse"
)

// mostAge is how old figures may be that are still shown: three readings may fail.
const mostAge = 3*readEvery + askTimeout

// WriteMetrics writes how the deployments are doing in the Prometheus text format. What is not known is left out, and gatehouse_deployment_up
// also where somebody has stopped the deployment.
func (s *Supervisor) WriteMetrics(to io.Writer) {
	w := bufio.NewWriter(to)
	defer w.Flush() // a client that has gone needs no error
	for _, d := range s.exposed() {
		d.write(w)
	}
}

// exposed is a deployment as WriteMetrics shows it.
type exposed struct {
	id, name string
	states   *reporter
	meter    *meter
	rules    *evaluation
}

func (s *Supervisor) exposed() []exposed {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []exposed
	for id, w := range s.workers {
		if w.spec != specGone && w.name != "" {
			all = append(all, exposed{id, w.name, w.states, w.meter, w.rules})
		}
	}
	slices.SortFunc(all, func(a, b exposed) int { return cmp.Compare(a.id, b.id) })
	return all
}

func (d exposed) write(w io.Writer) {
	labels := fmt.Sprintf(`{deployment="%s",deployment_id="%s"}`, labelEscaper.Replace(d.name), labelEscaper.Replace(d.id))
	show := func(metric string, f gatehouse.Figure) {
		if f.Known {
			fmt.Fprintf(w, "gatehouse_deployment_%s%s %g\n", metric, labels, f.Value)
		}
	}
	switch d.states.status.Load() {
	case gatehouse.Running:
		show("up", gatehouse.Figure{Value: 1, Known: true})
	case gatehouse.Failed, gatehouse.Provisioning:
		show("up", gatehouse.Figure{Known: true})
	}
	switch state, _ := d.rules.now(); {
	case state.Detail != "":
		show("rules_up", gatehouse.Figure{Known: true})
	case state.Status == gatehouse.Running:
		show("rules_up", gatehouse.Figure{Value: 1, Known: true})
	}
	ingested, read := d.meter.counters()
	show("samples_ingested_total", ingested)
	show("samples_read_total", read)
	if f := d.meter.figures(); time.Since(f.At) <= mostAge {
		show("active_series", f.ActiveSeries)
		show("disk_bytes", f.DiskBytes)
	}
}

var labelEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
