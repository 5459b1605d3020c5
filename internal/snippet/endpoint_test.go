package snippet

import (
	"testing"

	"gatehouse/internal/access"
	"gatehouse/internal/gatehouse"
)

// TestTheEndpointLetsEveryExampleIn asks the access endpoint's own decision about the requests that the clients make of the URLs.
func TestTheEndpointLetsEveryExampleIn(t *testing.T) {
	for kind, in := range inputs() {
		target := newTarget(in)
		target.EndpointURL = ""
		f := func(a gatehouse.Access, part access.Part, path string) {
			t.Helper()
			route, refusal := access.Decide(in.Type, access.Scope{Access: a, Tenant: in.Tenant}, path)
			if refusal != nil {
				t.Errorf("%s: %s is refused: %+v", kind, path, refusal)
			} else if in.Type == gatehouse.Cluster && route.Part != part {
				t.Errorf("%s: %s goes to part %d, want %d", kind, path, route.Part, part)
			}
		}
		// The paths are those of the access endpoint's contract, "What real clients do".
		f(gatehouse.Write, access.Insert, target.RemoteWriteURL())                      // vmagent, Prometheus, Vector
		f(gatehouse.Write, access.Insert, target.PrometheusWriteBase()+"/api/v1/write") // vmalert
		f(gatehouse.Write, access.Insert, target.PrometheusWriteBase()+"/api/v1/import/prometheus")
		f(gatehouse.Write, access.Insert, target.WriteBase()+"/opentelemetry/v1/metrics")
		f(gatehouse.Write, access.Insert, target.WriteBase()+"/influx/api/v2/write") // Telegraf
		f(gatehouse.Write, access.Insert, target.WriteBase()+"/influx/write")
		for _, path := range []string{"/api/v1/validate", "/api/v2/series", "/api/beta/sketches", "/intake/"} {
			f(gatehouse.Write, access.Insert, target.WriteBase()+"/datadog"+path)
		}
		for _, path := range []string{"/api/v1/query", "/api/v1/query_range", "/api/v1/status/buildinfo", "/api/v1/label/job/values"} {
			f(gatehouse.Read, access.Select, target.PrometheusReadBase()+path) // Grafana, Perses, vmalert
		}
	}
}
