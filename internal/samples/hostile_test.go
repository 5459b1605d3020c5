package samples

import (
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

func TestOfABodyThatGrowsLargeTheBeginningStandsForTheRest(t *testing.T) {
	const size, points = 1 << 12, 5000
	long := strings.Repeat("a", size)
	text := []byte(strings.Repeat(long+" 1\n", points))
	series := strings.Repeat(string(msg{}.in(1, msg{}.text(9, long).in(2, msg{}.double(1, 1)))), points)
	for name, b := range map[string]Body{
		"gzip":   body("/api/v1/import/prometheus", "", "gzip", encodings["gzip"](t, text)),
		"snappy": body("/api/v1/import/prometheus", "", "snappy", snappyBlock(text)),
		"zstd":   body("/api/v1/write", "", "zstd", zstdFrame(t, []byte(series))),
	} {
		if n, err := Written(b); err != nil || n < points*9/10 || n > points*11/10 {
			t.Errorf("%s: counted %d (%v), want about %d", name, n, err, points)
		}
	}
}

func TestASnappyBlockThatGrowsTooLargeIsRefused(t *testing.T) {
	b := body("/api/v1/write", "", "snappy", snappyBlock(make([]byte, largestBlock+1)))
	if n, err := Written(b); !errors.Is(err, errLarge) || n != 0 {
		t.Errorf("counted %d (%v)", n, err)
	}
}

func TestASmallBodyCannotClaimMuchMemory(t *testing.T) {
	for name, b := range map[string]Body{
		"a snappy block":        body("/api/v1/write", "", "snappy", string(protowire.AppendVarint(nil, largestBlock))+"abc"),
		"a zstd window":         body("/api/v1/write", "", "zstd", "\x28\xb5\x2f\xfd\x00\x80\x01\x00\x00"), // 64 MiB
		"a zstd frame's length": body("/api/v1/write", "", "zstd", "\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\x0f\x01\x00\x00"),
		"a native name":         body("/api/v1/import/native", "", "", strings.Repeat("\x00", 16)+"\xff\xff\xff\xff"),
		"a protobuf field":      body("/opentelemetry/v1/metrics", "", "", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		n, err := Written(b)
		runtime.ReadMemStats(&after)
		if size := after.TotalAlloc - before.TotalAlloc; err == nil || n != 0 || size > 16<<20 {
			t.Errorf("%s: counted %d (%v) with %d bytes of memory", name, n, err, size)
		}
	}
}

// hard are bodies that make a careless parser slow, deep, or large.
var hard = map[string]string{
	"deep arrays":       strings.Repeat("[", 1<<18),
	"deep objects":      strings.Repeat(`{"data":`, 1<<16),
	"deep labels":       strings.Repeat("a{", 1<<17),
	"one long line":     strings.Repeat("a", 1<<18),
	"quotes":            strings.Repeat(`"`, 1<<17),
	"backslashes":       "a{b=\"" + strings.Repeat(`\`, 1<<17),
	"commas":            "a " + strings.Repeat(",", 1<<17),
	"fields":            "a " + strings.Repeat("a=1,", 1<<17),
	"newlines":          strings.Repeat("\n", 1<<18),
	"empty series":      strings.Repeat("\x0a\x00", 1<<17),
	"bad lines":         strings.Repeat("{\n", 1<<17),
	"nested messages":   nested(),
	"many small values": `{"values":[` + strings.Repeat("1,", 1<<17),
}

func nested() string {
	var m msg
	for len(m) < 1<<16 {
		m = msg{}.in(1, m).in(2, nil)
	}
	return string(m)
}

func TestHardBodiesAreReadToTheirEnd(t *testing.T) {
	for name, s := range hard {
		t.Run(name, func(t *testing.T) {
			eachFormat(func(b Body, count func(Body) (int, error)) {
				b.Bytes = []byte(s)
				_, _ = count(b)
			})
		})
	}
}

// repeated are pieces that fill a body: each costs as little to send, and as much to keep, as can be.
var repeated = map[string]string{
	"Zabbix tags": `{"item_tags":[` + "\x00" + `{"":0},`, "Zabbix arrays": `{"item_tags":[` + "\x00" + `[],`, "Zabbix lines": "\x00{}\n",
	"events": `[{"Events":[` + "\x00" + `{"":0},`, "values": `{"metric":{"a":"b"},"values":[` + "\x00" + `1,`, "points": `{"series":[{"points":[` + "\x00" + `[1],`,
	"results": `{"data":{"result":[` + "\x00" + `{"value":[]},`, "lines": "\x00a b\n", "columns": "\x00,", "series": "\x00\x0a\x00",
}

func TestALargeBodyTakesLittleMemory(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	const size = 1 << 20
	for name, pattern := range repeated {
		before, piece, _ := strings.Cut(pattern, "\x00")
		frame := zstdFrame(t, []byte(before+strings.Repeat(piece, size/len(piece))))
		eachFormat(func(b Body, count func(Body) (int, error)) {
			b.Header.Set("Content-Encoding", "zstd")
			b.Bytes = []byte(frame)
			if most := highestHeap(func() { _, _ = count(b) }); most > 16*size {
				t.Errorf("%s to %s, %d bytes: %d MB", name, b.Path, len(frame), most>>20)
			}
		})
	}
}

// highestHeap gives about how much the heap grows while f runs.
func highestHeap(f func()) uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most, done := m.HeapAlloc, uint64(0), make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	for {
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc-min(before, m.HeapAlloc))
		select {
		case <-done:
			return most
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// eachFormat gives a body without bytes for each format.
func eachFormat(f func(Body, func(Body) (int, error))) {
	for _, path := range []string{"/api/v1/import/prometheus", "/api/v1/import", "/api/v1/import/csv?format=1:metric:a,2:label:b", "/api/v1/import/native",
		"/write", "/opentelemetry/v1/metrics", "/datadog/api/v1/series", "/datadog/api/beta/sketches", "/newrelic/infra/v2/metrics/events/bulk",
		"/zabbixconnector/api/v1/history"} {
		f(body(path, "", "", ""), Written)
	}
	f(body("/opentelemetry/v1/metrics", "application/json", "", ""), Written)
	f(body("/datadog/api/v2/series", "application/x-protobuf", "", ""), Written)
	for _, path := range []string{"/api/v1/query", "/api/v1/export", "/api/v1/export/csv", "/render"} {
		f(body(path, "", "", ""), Read)
	}
}
