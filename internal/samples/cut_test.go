package samples

import (
	"regexp"
	"strings"
	"testing"
)

// beginning is the first n bytes of a body.
func beginning(b Body, n int) Body {
	b.Bytes, b.Whole = b.Bytes[:n], false
	return b
}

// everyBeginning counts in each beginning of a body, which never holds fewer samples than a shorter one, nor more than the whole.
func everyBeginning(t *testing.T, count func(Body) (int, error), b Body, want int) {
	t.Helper()
	last := 0
	for size := range len(b.Bytes) {
		n, err := count(beginning(b, size))
		if err != nil || n < last || n > want {
			t.Fatalf("%d of %d bytes: counted %d (%v) after %d of %d", size, len(b.Bytes), n, err, last, want)
		}
		last = n
	}
	if want > 1 && last == 0 {
		t.Errorf("nothing counted in all but the last byte, and %d in all", want)
	}
}

// answers are those of each kind, with two samples, or none where they hold names.
var answers = map[string]string{
	"/api/v1/query":          `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"[1"},"value":[1,"2"],"group":1},{"metric":{},"value":[1,"3"]}]}}`,
	"/api/v1/query_range":    `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"]"},"values":[[1,"2"],[2,"3"]]}]},"stats":{"values":[1]}}`,
	"/api/v1/export":         "{\"metric\":{\"a\":\"b\"},\"values\":[1],\"timestamps\":[1]}\n{\"metric\":{\"a\":\"c\"},\"values\":[2],\"timestamps\":[2]}\n",
	"/api/v1/export/csv":     "a,__value__\nx,1\ny,2\n",
	"/federate":              "a 1 2\nb{c=\"d\"} 3 4\n",
	"/render":                `[{"target":"a","datapoints":[[1,2],[null,3],[4,5]]}]`,
	"/graphite/render":       `f([{"target":"a","datapoints":[[1,2]]},{"target":"b","datapoints":[[1.5,2]]}])`,
	"/api/v1/labels":         `{"data":["a","b"]}`,
	"/api/v1/label/a/values": `{"data":["a","b"]}`,
}

func TestABeginningCountsItsCompleteSamples(t *testing.T) {
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) {
			valid := regexp.MustCompile(".*uneven.*\n").ReplaceAllString(w.body, "") // which shows only at its end
			everyBeginning(t, Written, body(w.path, w.contentType, "", valid), w.want)
		})
	}
	for name, m := range map[string]msg{"remote write": writeRequest(20), "native histograms": histograms()} {
		t.Run(name, func(t *testing.T) {
			whole, err := message{m, false}.sum(1, timeSeries)
			if err != nil {
				t.Fatal(err)
			}
			everyBeginning(t, func(b Body) (int, error) { return message{b.Bytes, true}.sum(1, timeSeries) }, Body{Bytes: m}, whole)
		})
	}
	for path, answer := range answers {
		t.Run(path, func(t *testing.T) {
			want := 2
			if strings.Contains(path, "label") {
				want = 0
			}
			everyBeginning(t, Read, body(path, "", "", answer), want)
		})
	}
}

func TestHalfOfALongBodyCountsAboutHalf(t *testing.T) {
	text, points := []byte(manySamples(50_000)), []byte(`{"data":{"result":[{"values":[`+strings.Repeat(`[1700000000,"12345"],`, 49_999)+`[1,"2"]]}]}}`)
	request := writeRequest(25_000)
	half := func(t *testing.T, count func(Body) (int, error), b Body) {
		t.Helper()
		if n, err := count(b); err != nil || n != 50_000 {
			t.Fatalf("the whole has %d (%v)", n, err)
		}
		if n, err := count(beginning(b, len(b.Bytes)/2)); err != nil || n < 5_000 || n > 45_000 {
			t.Errorf("counted %d (%v) of 50,000 in half", n, err)
		}
	}
	for _, encoding := range []string{"", "gzip", "deflate", "zstd"} {
		encode := encodings[encoding]
		t.Run("text "+encoding, func(t *testing.T) {
			half(t, Written, body("/api/v1/import/prometheus", "", encoding, encode(t, text)))
		})
		t.Run("an answer "+encoding, func(t *testing.T) {
			half(t, Read, body("/api/v1/query_range", "", encoding, encode(t, points)))
		})
	}
	t.Run("remote write", func(t *testing.T) { half(t, Written, body("/api/v1/write", "", "zstd", zstdFrame(t, request))) })
	t.Run("a long line", func(t *testing.T) {
		ones := strings.Repeat("1,", 49_999) + "1"
		b := body("/api/v1/import", "", "", `{"metric":{"a":"b"},"values":[`+ones+`],"timestamps":[`+ones+`]}`)
		if n, err := Written(beginning(b, len(b.Bytes)*3/4)); err != nil || n < 20_000 || n > 30_000 {
			t.Errorf("counted %d (%v)", n, err)
		}
	})
}

func TestAPartOfASnappyBlockCannotBeRead(t *testing.T) {
	b := body("/api/v1/write", "", "snappy", snappyBlock(writeRequest(10)))
	if n, err := Written(beginning(b, len(b.Bytes)-1)); err == nil || n != 0 {
		t.Errorf("counted %d (%v)", n, err)
	}
}
