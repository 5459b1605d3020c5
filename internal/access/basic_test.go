package access

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// TestOtherSitesCannotWriteThroughABrowser plays a page of another site, whose form a browser sends with the Basic credential that
// it keeps for vmui.
func TestOtherSitesCannotWriteThroughABrowser(t *testing.T) {
	e := newEndpoint(t, Options{})
	e.single("d", backendServer(t, echo).URL)
	s := e.token("d", gatehouse.ReadWrite, nil)
	send := func(method, path string, header map[string]string) int {
		t.Helper()
		req, err := http.NewRequest(method, e.url+path, strings.NewReader(`m{a="="} 1`))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("x", s)
		for name, value := range header {
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const write, read = "/api/v1/import/prometheus", "/api/v1/query"
	other := map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
	for what, got := range map[string]int{
		"a form of another site":                     send("POST", write, other),
		"a link of another site":                     send("GET", write, other),
		"an old browser's form of another site":      send("POST", write, map[string]string{"Origin": "https://evil.example"}),
		"a form of another port of this machine":     send("POST", write, map[string]string{"Sec-Fetch-Site": "same-site"}),
		"a form of another site, credential in caps": send("POST", write, map[string]string{"Sec-Fetch-Site": "cross-site", "Authorization": "BASIC " + basicText(s)}),
	} {
		if got != http.StatusForbidden {
			t.Errorf("%s writes: status %d", what, got)
		}
	}
	for what, got := range map[string]int{
		"Telegraf":                send("POST", write, nil),
		"the endpoint's own page": send("POST", write, map[string]string{"Origin": e.url, "Sec-Fetch-Site": "same-origin"}),
		"reading, of which other sites see nothing": send("POST", read, other),
		"a client with a Bearer token":              send("POST", write, map[string]string{"Origin": "https://grafana.example", "Authorization": "Bearer " + s}),
	} {
		if got != http.StatusOK {
			t.Errorf("%s is refused: status %d", what, got)
		}
	}
}

func basicText(s string) string { return strings.TrimPrefix(basic("x", s), "Basic ") }

func TestRequestsThatWaitAreBounded(t *testing.T) {
	var l live
	for range 3 {
		if err := l.begin(new(exchange), 3); err != nil {
			t.Fatal(err)
		}
	}
	x := new(exchange)
	if err := l.begin(x, 3); err != errTooMany {
		t.Errorf("the fourth of three: %v", err)
	}
	l.end(l.running)
	if err := l.begin(x, 3); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
}
