package access

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/internal/gatehouse"
	"gatehouse/internal/secret"
)

func BenchmarkJudge(b *testing.B) {
	for _, tokens := range []int{10, 100_000} {
		for what, path := range map[string]string{"exact": "/api/v1/write", "prefix": "/api/v1/label/job/values"} {
			b.Run(fmt.Sprintf("%s/%d", what, tokens), func(b *testing.B) {
				table := NewTable(slog.New(slog.DiscardHandler))
				for i := range tokens {
					table.Apply(gatehouse.Change{Token: credential(i, "d")})
				}
				table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, URLs: []string{"http://127.0.0.1:1"}}})
				s := secret.New(secret.AccessToken).Reveal()
				table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "t", DeploymentID: "d", Hash: secret.Hash(s), Access: gatehouse.ReadWrite}})
				h := NewHandler(table, Options{Log: slog.New(slog.DiscardHandler)})
				r := httptest.NewRequest("POST", path, nil)
				r.Header.Set("Authorization", "Bearer "+s)
				b.ReportAllocs()
				for b.Loop() {
					if _, refusal := h.judge(r); refusal != nil {
						b.Fatal(refusal.Text)
					}
				}
			})
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, tokens := range []int{10, 100_000} {
		b.Run(fmt.Sprint(tokens), func(b *testing.B) {
			table := NewTable(slog.New(slog.DiscardHandler))
			for i := range tokens {
				table.Apply(gatehouse.Change{Token: credential(i, "d")})
			}
			c := credential(-1, "d")
			b.ReportAllocs()
			for b.Loop() {
				table.Apply(gatehouse.Change{Token: c})
				table.Apply(gatehouse.Change{GoneToken: &c.Hash})
			}
		})
	}
}

// BenchmarkHandler measures whole requests over real connections, client and backend included.
func BenchmarkHandler(b *testing.B) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer backend.Close()
	table := NewTable(slog.New(slog.DiscardHandler))
	table.Apply(gatehouse.Change{Deployment: &gatehouse.Deployment{ID: "d", Name: "d", Type: gatehouse.SingleNode, URLs: []string{backend.URL}}})
	s := secret.New(secret.AccessToken).Reveal()
	table.Apply(gatehouse.Change{Token: &gatehouse.Credential{TokenID: "t", DeploymentID: "d", Hash: secret.Hash(s), Access: gatehouse.ReadWrite}})
	front := httptest.NewUnstartedServer(nil)
	front.Config = NewServer(NewHandler(table, Options{Log: slog.New(slog.DiscardHandler)}))
	front.Start()
	defer front.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	for _, size := range []int{0, 4 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("body=%d", size), func(b *testing.B) {
			body := strings.Repeat("x", size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _ := http.NewRequest("POST", front.URL+"/api/v1/write", strings.NewReader(body))
					r.Header.Set("Authorization", "Bearer "+s)
					res, err := client.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					res.Body.Close()
					if res.StatusCode != http.StatusNoContent {
						b.Errorf("status %d", res.StatusCode)
						return
					}
				}
			})
		})
	}
}
