package samples

import (
	"encoding/base64"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"
)

// now is when the samples of all bodies are from: within the retention, and the same for all.
var now = time.Now().Add(-time.Minute).Truncate(time.Second)

// msg builds a protobuf message.
type msg []byte

func (m msg) text(n protowire.Number, s string) msg {
	return protowire.AppendString(protowire.AppendTag(m, n, protowire.BytesType), s)
}

func (m msg) in(n protowire.Number, inner msg) msg { return m.text(n, string(inner)) }

func (m msg) uint(n protowire.Number, v uint64) msg {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

func (m msg) fixed(n protowire.Number, v uint64) msg {
	return protowire.AppendFixed64(protowire.AppendTag(m, n, protowire.Fixed64Type), v)
}

func (m msg) double(n protowire.Number, v float64) msg { return m.fixed(n, math.Float64bits(v)) }

// uints packs numbers.
func (m msg) uints(n protowire.Number, vs ...uint64) msg {
	var p msg
	for _, v := range vs {
		p = protowire.AppendVarint(p, v)
	}
	return m.in(n, p)
}

// sints packs numbers with their sign in the lowest bit.
func (m msg) sints(n protowire.Number, vs ...int64) msg {
	var p msg
	for _, v := range vs {
		p = protowire.AppendVarint(p, protowire.EncodeZigZag(v))
	}
	return m.in(n, p)
}

// doubles packs fractions.
func (m msg) doubles(n protowire.Number, vs ...float64) msg {
	var p msg
	for _, v := range vs {
		p = protowire.AppendFixed64(p, math.Float64bits(v))
	}
	return m.in(n, p)
}

func label(name, value string) msg { return msg{}.text(1, name).text(2, value) }

// seriesOf builds a prometheus.TimeSeries with the given samples.
func seriesOf(name string, values ...float64) msg {
	m := msg{}.in(1, label("__name__", name)).in(1, label("job", "test"))
	for i, v := range values {
		m = m.in(2, msg{}.double(1, v).uint(2, uint64(now.UnixMilli()+int64(i)*1000)))
	}
	return m
}

// writeRequest builds a remote write of that many series of two samples, with metadata.
func writeRequest(series int) msg {
	var m msg
	for i := range series {
		m = m.in(1, seriesOf(fmt.Sprintf("remote_%d", i), 1, math.NaN()))
	}
	return m.in(3, msg{}.uint(1, 2).text(2, "remote_0").text(4, "help"))
}

// histograms builds a remote write of native ones: integers, fractions, and one that VictoriaMetrics drops, as it has no name.
func histograms() msg {
	span := func(offset int64, length uint64) msg {
		return msg{}.uint(1, protowire.EncodeZigZag(offset)).uint(2, length)
	}
	integers := msg{}.uint(1, 12).double(3, 18.4).uint(4, protowire.EncodeZigZag(1)).double(5, 0.001).uint(6, 2).
		in(11, span(0, 2)).in(11, span(1, 2)).sints(12, 1, 1, -2, 0).in(8, span(0, 1)).sints(9, 3).uint(15, uint64(now.UnixMilli()))
	fractions := msg{}.double(2, 12).double(3, 18.4).double(5, 0.001).double(7, 0).
		in(11, span(0, 3)).doubles(13, 0.5, 0, 1.5, 7).uint(15, uint64(now.UnixMilli()))
	named := msg{}.in(1, label("__name__", "native_histogram"))
	return msg{}.in(1, named.in(4, integers).in(4, fractions)).in(1, msg{}.in(1, label("job", "nameless")).in(4, integers))
}

// otlp builds metrics of each kind.
func otlp() msg {
	nano := uint64(now.UnixNano())
	attribute := msg{}.text(1, "host").in(2, msg{}.text(1, "a"))
	number := msg{}.in(7, attribute).fixed(3, nano).double(4, 1.5)
	integer := msg{}.fixed(3, nano).fixed(6, 7)
	histogram := msg{}.fixed(3, nano).fixed(4, 6).double(5, 12).doubles(7, 1, 5).fixeds(6, 1, 2, 3)
	withoutSum := msg{}.fixed(3, nano).fixed(4, 6).double(7, 1).fixed(6, 1).fixed(6, 2) // not packed
	withoutBounds := msg{}.fixed(3, nano).fixed(4, 6).fixeds(6, 1, 2, 3)
	exponential := msg{}.fixed(3, nano).fixed(4, 9).double(5, 3).uint(6, 2).fixed(7, 1).
		in(8, msg{}.uint(1, 2).uints(2, 1, 0, 300)).in(9, msg{}.uint(1, 2).uint(2, 4).uint(2, 0))
	summary := msg{}.fixed(3, nano).fixed(4, 2).double(5, 3).in(6, msg{}.double(1, 0.5).double(2, 1)).in(6, msg{}.double(1, 0.9).double(2, 2))
	metric := func(name string, kind protowire.Number, points ...msg) msg {
		var data msg
		for _, p := range points {
			data = data.in(1, p)
		}
		return msg{}.text(1, name).text(3, "s").in(kind, data)
	}
	scope := msg{}.in(1, msg{}.text(1, "lib")).
		in(2, metric("gauge", 5, number, integer)).
		in(2, metric("sum", 7, number)).
		in(2, metric("histogram", 9, histogram, withoutSum, withoutBounds)).
		in(2, metric("exponential", 10, exponential)).
		in(2, metric("summary", 11, summary))
	resource := msg{}.in(1, msg{}.in(1, attribute)).in(2, scope)
	return msg{}.in(1, resource).in(1, resource)
}

// fixeds packs numbers of eight bytes.
func (m msg) fixeds(n protowire.Number, vs ...uint64) msg {
	var p msg
	for _, v := range vs {
		p = protowire.AppendFixed64(p, v)
	}
	return m.in(n, p)
}

// firehose puts OTLP into what Amazon Data Firehose sends, twice.
func firehose(m msg) string {
	record := `{"data":"` + base64.StdEncoding.EncodeToString(protowire.AppendBytes(nil, m)) + `"}`
	return `{"requestId":"r","timestamp":1,"records":[` + record + "," + record + `]}`
}

// sketches builds what the Datadog agent sends of distributions.
func sketches() msg {
	sketch := msg{}.uint(1, uint64(now.Unix())).uint(2, 3).double(3, 1).double(4, 3).double(5, 2).double(6, 6).sints(7, 1338, 1383).uints(8, 1, 2)
	return msg{}.in(1, msg{}.text(1, "dist").text(2, "a").text(4, "env:test").in(7, sketch).in(7, sketch))
}

// datadogProto builds the series of the Datadog agent.
func datadogProto() msg {
	point := msg{}.double(1, 2).uint(2, uint64(now.Unix()))
	return msg{}.in(1, msg{}.in(1, msg{}.text(1, "host").text(2, "a")).text(2, "dd.proto").text(3, "env:test").in(4, point).in(4, point).in(4, point))
}

func snappyBlock(p []byte) string { return string(snappy.Encode(nil, p)) }

func zstdFrame(t testing.TB, p []byte) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(w.EncodeAll(p, nil))
}

// stamp puts the time of all bodies into text: S in seconds, M in milliseconds, N in nanoseconds.
func stamp(s string) string {
	return strings.NewReplacer("$S", fmt.Sprint(now.Unix()), "$M", fmt.Sprint(now.UnixMilli()), "$N", fmt.Sprint(now.UnixNano())).Replace(s)
}
