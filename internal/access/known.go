package access

import "gatehouse/internal/gatehouse"

// KnownPaths gives paths that VictoriaMetrics serves, open or shut, at least one of each row of the table, in the form that the endpoint
// gives them upstream without the tenant. By them the rights of another program can be compared with those of a token.
func KnownPaths(t gatehouse.DeploymentType) []string {
	var known []string
	for i := range table {
		r := &table[i]
		if r.on != "" && r.on != t || r.kind == Own {
			continue
		}
		for _, begin := range r.under.prefixes(t) {
			for _, path := range r.exact {
				known = append(known, begin+path)
			}
			for _, prefix := range r.prefixes {
				for _, below := range belowPrefix(prefix) {
					known = append(known, begin+prefix+below)
				}
			}
		}
	}
	return known
}

// belowPrefix gives what clients send below a prefix of the table.
func belowPrefix(prefix string) []string {
	switch prefix {
	case labelPrefix:
		return []string{"__name__" + labelSuffix, "job" + labelSuffix}
	case "/influx/":
		return []string{"write", "api/v2/write", "query"}
	case "/opentelemetry/":
		return []string{"v1/metrics", "api/v1/push"}
	case "/datadog/":
		return []string{"api/v1/series", "api/v2/series", "api/v1/validate", "api/beta/sketches", "intake/"}
	case "/newrelic/":
		return []string{"infra/v2/metrics/events/bulk", "inventory/deltas"}
	case "/zabbixconnector/":
		return []string{"api/v1/history"}
	case "/api/v1/admin/":
		return []string{"tsdb/delete_series", "status/metric_names_stats/reset"}
	case "/snapshot/":
		return []string{"create", "list", "delete", "delete_all"}
	case "/delete/", "/insert/", "/select/", "/admin/", "/internal/", "/debug/": // those of other programs, or too many to name
		return nil
	}
	return []string{"x"}
}
