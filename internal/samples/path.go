package samples

import "strings"

var written = map[string]counter{
	"":                                       remoteWrite, // a cluster's /insert/<tenant>/prometheus
	"/":                                      remoteWrite,
	"/api/v1/write":                          remoteWrite,
	"/api/v1/push":                           remoteWrite,
	"/api/v1/import":                         jsonLines,
	"/api/v1/import/csv":                     csvImport,
	"/api/v1/import/native":                  native,
	"/write":                                 influx,
	"/api/v2/write":                          influx,
	"/influx/write":                          influx,
	"/influx/api/v2/write":                   influx,
	"/opentelemetry/v1/metrics":              openTelemetry,
	"/opentelemetry/api/v1/push":             openTelemetry,
	"/datadog/api/v1/series":                 datadogV1,
	"/datadog/api/v2/series":                 datadogV2,
	"/datadog/api/beta/sketches":             datadogSketches,
	"/newrelic/infra/v2/metrics/events/bulk": newRelic,
	"/zabbixconnector/api/v1/history":        zabbix,

	// What agents ask or tell beside their samples.
	"/query":                     none,
	"/ping":                      none,
	"/influx/query":              none,
	"/influx/health":             none,
	"/influx/ping":               none,
	"/newrelic":                  none,
	"/newrelic/inventory/deltas": none,
	"/datadog/api/v1/check_run":  none,
	"/datadog/api/v1/metadata":   none,
	"/datadog/api/v1/validate":   none,
	"/datadog/intake":            none,
}

func writtenFormat(path string) counter {
	path = withoutPrefix(path)
	if strings.HasPrefix(path, "/api/v1/import/prometheus") { // VictoriaMetrics takes whatever follows, as the Pushgateway's paths
		return prometheusText
	}
	if strings.HasPrefix(path, "/datadog/") {
		path = strings.TrimSuffix(path, "/")
	}
	return written[path]
}

var read = map[string]counter{
	"/api/v1/query":         queryAnswer,
	"/api/v1/query_range":   queryAnswer,
	"/api/v1/export":        export,
	"/api/v1/export/csv":    csvExport,
	"/api/v1/export/native": native,
	"/federate":             prometheusText,
	"/render":               graphiteRender,
}

// withoutSamples are the beginnings of paths that answer with anything else: names, states, and metadata.
var withoutSamples = []string{"/api/v1/query_exemplars", "/api/v1/series", "/api/v1/label", "/api/v1/metadata", "/api/v1/status/", "/-/",
	"/api/v1/rules", "/api/v1/alerts", "/api/v1/notifiers", "/rules", "/alerts", "/notifiers", "/vmalert", "/tags", "/functions", "/metrics/"}

func readFormat(path string) counter {
	path = withoutPrefix(path)
	if f, ok := read[path]; ok {
		return f
	}
	for _, begin := range withoutSamples {
		if strings.HasPrefix(path, begin) {
			return none
		}
	}
	return nil
}

// withoutPrefix cuts off what may stand before the part that tells the format.
func withoutPrefix(path string) string {
	for _, side := range []string{"/insert/", "/select/"} {
		if rest, ok := strings.CutPrefix(path, side); ok {
			_, rest, _ = strings.Cut(rest, "/")
			path = "/" + rest
		}
	}
	for _, api := range []string{"/prometheus", "/graphite"} {
		if rest, ok := strings.CutPrefix(path, api); ok && (rest == "" || rest[0] == '/') {
			return rest
		}
	}
	return path
}
