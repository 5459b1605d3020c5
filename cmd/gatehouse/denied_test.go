package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestARefusalThatIsOnlyCountedOutlivesTheServer(t *testing.T) {
	t.Parallel()
	dir := connected(t)
	p := serve(t, dir)
	reader := apiClient{t, p.console, must(t, dir, "", "apikey", "create", "--name", "reader", "--permissions", "r")}
	for range 3 {
		if a := reader.send("POST", `{"email":"eve@example.com","role":"admin"}`, "users"); a.status != http.StatusForbidden {
			t.Fatalf("a read-only key makes a user: %d %s", a.status, a.body)
		}
	}
	p.stop()
	log := must(t, dir, "", "audit", "list", "--action", "access.denied", "--json")
	if strings.Count(log, `"access.denied"`) != 2 || !strings.Contains(log, `"more": "2"`) {
		t.Errorf("the records are %s", log)
	}
}
