package snippet

import (
	"strings"
	"unicode"

	"gatehouse/internal/gatehouse"
)

// target is an Input, made safe to paste, with the URLs that the access endpoint understands
// (docs/architecture.md, "URLs that clients use").
type target struct{ Input }

func newTarget(in Input) target {
	in.EndpointURL = strings.TrimRight(printable(in.EndpointURL), "/")
	in.DeploymentName = printable(in.DeploymentName)
	in.TokenName = printable(in.TokenName)
	in.Secret = printable(in.Secret)
	return target{in}
}

// printable replaces everything that is not a visible character. A terminal takes control characters of a pasted text as key
// strokes: a newline in a name would run what follows as a command. No valid name or HTTP header holds any.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func (t target) anyTenant() bool { return t.Type == gatehouse.Cluster && t.Tenant == nil }

// WriteBase is the URL below which formats other than Prometheus' are written.
func (t target) WriteBase() string {
	if t.anyTenant() {
		return t.EndpointURL + "/insert/0"
	}
	return t.EndpointURL
}

// PrometheusWriteBase is the URL to which clients add /api/v1/write.
func (t target) PrometheusWriteBase() string { return t.WriteBase() + t.prometheusPrefix() }

// RemoteWriteURL is where Prometheus' remote write goes.
func (t target) RemoteWriteURL() string { return t.PrometheusWriteBase() + "/api/v1/write" }

// PrometheusReadBase is the URL to which clients add /api/v1/query.
func (t target) PrometheusReadBase() string {
	if t.anyTenant() {
		return t.EndpointURL + "/select/0" + t.prometheusPrefix()
	}
	return t.EndpointURL + t.prometheusPrefix()
}

// UIURL is vmui.
func (t target) UIURL() string {
	if t.anyTenant() {
		return t.EndpointURL + "/select/0/vmui/"
	}
	return t.EndpointURL + "/vmui/"
}

// URLs are where a client that follows the examples writes and queries.
type URLs struct {
	Import string // takes samples in the Prometheus text format by POST; empty when the token may not write
	Query  string // takes instant queries; empty when the token may not read
}

// URLsOf gives the URLs for in. With a cluster's token for any tenant they are those of tenant 0, as in the examples.
func URLsOf(in Input) URLs {
	t := newTarget(in)
	var u URLs
	if in.Access.CanWrite() {
		u.Import = t.PrometheusWriteBase() + "/api/v1/import/prometheus"
	}
	if in.Access.CanRead() {
		u.Query = t.PrometheusReadBase() + "/api/v1/query"
	}
	return u
}

// prometheusPrefix is optional on a single node and required in a cluster.
func (t target) prometheusPrefix() string {
	if t.Type == gatehouse.Cluster {
		return "/prometheus"
	}
	return ""
}

// Slug names files and objects of this token, so that a second example on the same machine does not overwrite the token of a
// client that runs: vmagent reads its token file again every second.
func (t target) Slug() string {
	parts := strings.FieldsFunc(t.DeploymentName+" "+t.TokenName, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9')
	})
	slug := strings.ToLower(strings.Join(parts, "-"))
	const most = 50 // Perses takes 75 in a name
	if len(slug) > most {
		slug = strings.TrimRight(slug[:most], "-")
	}
	if slug == "" {
		return "token"
	}
	return slug
}
