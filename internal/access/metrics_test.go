package access

import (
	"testing"

	"gatehouse/internal/gatehouse"
)

func TestMetricsCountByKindAndDeployment(t *testing.T) {
	e := newEndpoint(t, Options{})
	url := backendServer(t, echo).URL
	const odd = `größe "x", {y=z} \`
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: odd, Type: gatehouse.SingleNode, URLs: []string{url}}})
	s := e.token("d", gatehouse.ReadWrite, nil)
	e.post("/api/v1/write", s, "x")
	e.post("/api/v1/write", s, "x")
	e.get("/api/v1/query", s)
	e.get("/vmui/", s)
	e.get("/health", s)
	e.get("/metrics", s)
	e.single("down", closedURL(t))
	e.get("/api/v1/query", e.token("down", gatehouse.Read, nil))
	label := `deployment="größe \"x\", {y=z} \\"`
	for name, want := range map[string]string{
		`gatehouse_access_requests_total{kind="write",status="2xx"}`:                    "2",
		`gatehouse_access_requests_total{kind="read",status="2xx"}`:                     "1",
		`gatehouse_access_requests_total{kind="read",status="5xx"}`:                     "1",
		`gatehouse_access_requests_total{kind="ui",status="2xx"}`:                       "1",
		`gatehouse_access_requests_total{kind="own",status="2xx"}`:                      "1",
		`gatehouse_access_refusals_total{reason="forbidden_path"}`:                      "1",
		`gatehouse_access_refusals_total{reason="unavailable"}`:                         "1",
		`gatehouse_deployment_requests_total{` + label + `,kind="write",status="2xx"}`:  "2",
		`gatehouse_deployment_requests_total{deployment="d",kind="write",status="2xx"}`: "",
		`gatehouse_deployment_bytes_in_total{` + label + `}`:                            "2",
		`gatehouse_deployment_refusals_total{` + label + `,reason="forbidden_path"}`:    "1",
		`gatehouse_deployment_request_duration_seconds_count{` + label + `}`:            "5",
		`gatehouse_deployment_backend_errors_total{deployment="down"}`:                  "1",
		`gatehouse_access_tokens`:           "2",
		`gatehouse_access_running_requests`: "0",
	} {
		eventually(t, name+" is "+want, func() bool { return e.metric(name) == want })
	}
	e.table.Apply(gatehouse.Change{GoneDeployment: "d"})
	if got := e.metric(`gatehouse_deployment_requests_total{` + label + `,kind="write",status="2xx"}`); got != "" {
		t.Errorf("a deployment that is gone is still counted: %s", got)
	}
}
