package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
)

// promptVictoriaMetrics starts a VictoriaMetrics and gives a handler before it, through which a query finds what was written a
// moment ago. By itself it shows new series after up to ten seconds.
func promptVictoriaMetrics(t *testing.T) http.Handler {
	t.Helper()
	node := startNode(t, engineProgram(t, "victoria-metrics"), "", "-storageDataPath=data")
	at, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/query") || strings.HasPrefix(r.URL.Path, "/api/v1/export") {
			if _, err := fetch(node + "/internal/force_flush"); err != nil {
				t.Error(err)
			}
		}
		proxy.ServeHTTP(w, r)
	})
}

// startFleet stands for a cluster where there is none: one URL that is vminsert and vmselect for the tenants 7 and 8, each on a real
// VictoriaMetrics of its own.
func startFleet(t *testing.T) *cluster {
	t.Helper()
	nodes := map[string]http.Handler{"7": promptVictoriaMetrics(t), "8": promptVictoriaMetrics(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := strings.SplitN(r.URL.Path, "/", 4) // "", insert or select, tenant, suffix
		if len(part) == 4 {
			tenant, err := gatehouse.ParseTenant(part[2])
			if node := nodes[tenant.String()]; err == nil && node != nil {
				r.URL.Path, r.URL.RawPath = "/"+strings.TrimPrefix(part[3], "prometheus/"), ""
				node.ServeHTTP(w, r)
				return
			}
		}
		switch r.URL.Path {
		case "/health": // Gatehouse looks whether it runs, and for the version
			io.WriteString(w, "OK")
		case "/metrics":
		default:
			t.Errorf("the cluster was asked for %s", r.RequestURI)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	t.Cleanup(server.Close)
	return &cluster{insertURL: server.URL, selectURL: server.URL}
}
