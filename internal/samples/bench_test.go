package samples

import (
	"fmt"
	"strings"
	"testing"
)

func BenchmarkCount(b *testing.B) {
	const bytesOfSeries = 60
	small, large := writeRequest(2<<10/bytesOfSeries), writeRequest(512<<10/bytesOfSeries)
	lines := strings.Repeat("http_requests_total{instance=\"10.0.0.1:9100\",job=\"node\",code=\"200\"} 1027 1700000000000\n", 6000)
	answer := `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},"values":[` +
		strings.Repeat(`[1700000000,"12345.6"],`, 22_000) + `[1,"2"]]}]}}`
	for _, c := range []struct {
		name  string
		count func(Body) (int, error)
		body  Body
		plain int
	}{
		{"remote write snappy", Written, body("/api/v1/write", "", "snappy", snappyBlock(small)), len(small)},
		{"remote write snappy", Written, body("/api/v1/write", "", "snappy", snappyBlock(large)), len(large)},
		{"remote write zstd", Written, body("/api/v1/write", "", "zstd", zstdFrame(b, small)), len(small)},
		{"remote write zstd", Written, body("/api/v1/write", "", "zstd", zstdFrame(b, large)), len(large)},
		{"text", Written, body("/api/v1/import/prometheus", "", "", lines), len(lines)},
		{"answer", Read, body("/api/v1/query_range", "", "", answer), len(answer)},
		{"answer gzip", Read, body("/api/v1/query_range", "", "gzip", encodings["gzip"](b, []byte(answer))), len(answer)},
	} {
		b.Run(fmt.Sprintf("%s/%d KB", c.name, c.plain>>10), func(b *testing.B) {
			b.SetBytes(int64(c.plain))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := c.count(c.body); err != nil || n == 0 {
					b.Fatal(n, err)
				}
			}
		})
	}
}
