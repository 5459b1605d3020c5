package engine

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFlush(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.URL.Path != "/internal/force_flush" || user != "gatehouse" || password != "pass" {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		asked++
	}))
	defer server.Close()

	if err := (Endpoint{URL: server.URL, Username: "gatehouse", Password: "pass"}).Flush(t.Context()); err != nil || asked != 1 {
		t.Errorf("Flush: %v, asked %d times", err, asked)
	}
	err := (Endpoint{URL: server.URL, Username: "gatehouse", Password: "wrong"}).Flush(t.Context())
	if err == nil || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("Flush with a wrong password: %v", err)
	}
}
