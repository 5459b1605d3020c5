package access

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
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
	label := `deployment="größe \"x\", {y=z} \\",deployment_id="d"`
	for name, want := range map[string]string{
		`gatehouse_access_requests_total{kind="write",status="2xx"}`:                                      "2",
		`gatehouse_access_requests_total{kind="read",status="2xx"}`:                                       "1",
		`gatehouse_access_requests_total{kind="read",status="5xx"}`:                                       "1",
		`gatehouse_access_requests_total{kind="ui",status="2xx"}`:                                         "1",
		`gatehouse_access_requests_total{kind="own",status="2xx"}`:                                        "1",
		`gatehouse_access_refusals_total{reason="forbidden_path"}`:                                        "1",
		`gatehouse_access_refusals_total{reason="unavailable"}`:                                           "1",
		`gatehouse_deployment_requests_total{` + label + `,kind="write",status="2xx"}`:                    "2",
		`gatehouse_deployment_requests_total{deployment="d",deployment_id="d",kind="write",status="2xx"}`: "",
		`gatehouse_deployment_bytes_in_total{` + label + `}`:                                              "2",
		`gatehouse_deployment_refusals_total{` + label + `,reason="forbidden_path"}`:                      "1",
		`gatehouse_deployment_request_duration_seconds_count{` + label + `}`:                              "5",
		`gatehouse_deployment_backend_errors_total{deployment="down",deployment_id="down"}`:               "1",
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

func TestADeploymentShowsWhatRunsAndWaitsOfAllItsTokens(t *testing.T) {
	e := newEndpoint(t, Options{})
	done := make(chan struct{})
	url := backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/query" {
			<-done
		}
		echo(w, r)
	}).URL
	e.table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, URLs: []string{url}, MaxConcurrentRequests: 1}})
	e.single("other", url)
	var clients sync.WaitGroup
	for range 2 {
		s := e.token("d", gatehouse.Read, nil)
		e.get("/api/v1/labels", s)
		for range 2 {
			clients.Go(func() { e.get("/api/v1/query", s) })
		}
	}
	for name, want := range map[string]string{
		`gatehouse_deployment_running_requests{deployment="d",deployment_id="d"}`:         "2",
		`gatehouse_deployment_waiting_requests{deployment="d",deployment_id="d"}`:         "2",
		`gatehouse_deployment_running_requests{deployment="other",deployment_id="other"}`: "0",
	} {
		eventually(t, name+" is "+want, func() bool { return e.metric(name) == want })
	}
	close(done)
	clients.Wait()
}

func TestATokenShowsHowLongItsRequestsTook(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		echo(w, r)
	}).URL)
	e.table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "t", DeploymentID: "d", Name: "n", Hash: secret.Hash("s"), Access: gatehouse.Read}})
	for range 3 {
		e.get("/api/v1/query", "s")
	}
	e.post("/api/v1/write", "s", "").mustRefuse(t, 403, "write access")
	e.get("/health", "s").mustBe(t, 200, "OK")
	labels := `{deployment="d",deployment_id="d",token="n",token_id="t"}`
	eventually(t, "three are counted", func() bool { return e.metric("gatehouse_token_request_duration_seconds_count"+labels) == "3" })
	if took, err := strconv.ParseFloat(e.metric("gatehouse_token_request_duration_seconds_sum"+labels), 64); err != nil || took < 0.06 {
		t.Errorf("three requests that took 20 ms each took %g s, %v", took, err)
	}
}

func TestOfVeryManyTokensTheSameOnesAreShownEachTime(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", closedURL(t))
	for i := range mostTokensShown + 500 {
		c := credential(i, "d")
		e.table.Apply(gatehouse.Change{Token: c})
		g := e.table.lookup(c.Hash)
		e.table.enlist(g, g.live())
	}
	shown := func() string {
		var page strings.Builder
		e.table.WriteMetrics(&page)
		tokens := regexp.MustCompile(`(?m)^gatehouse_token_bytes_in_total.*$`).FindAllString(page.String(), -1)
		if len(tokens) != mostTokensShown || !strings.Contains(page.String(), "gatehouse_token_metrics_omitted 500\n") {
			t.Errorf("%d tokens are shown", len(tokens))
		}
		return strings.Join(tokens, "\n")
	}
	if first := shown(); first != shown() {
		t.Error("twice the same metrics show other tokens")
	}
}
