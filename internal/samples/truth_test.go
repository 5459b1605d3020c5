package samples

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// writes are bodies as clients send them, and the samples in each.
var writes = []struct {
	name, path, contentType, body string
	want                          int
}{
	{name: "Prometheus text", path: "/api/v1/import/prometheus", want: 11, body: stamp(`# HELP http_requests_total The requests.
# TYPE http_requests_total counter
http_requests_total{code="200",path="/a b"} 1027 $M
http_requests_total{code="500"} 3
  indented_total	7
# a comment

escaped{path="C:\\dir\\",error="a \"}\" brace # no comment"} 1.5e3
{"quoted.name",job="utf8"} 2
nan_value NaN
inf_value{le="+Inf"} +Inf $S
exemplar_bucket{le="1"} 8 # {trace_id="abc"} 0.6
spaced {a="b" , c="d" }  4  $M
no_value
no_number abc
{job="nameless"} 3
open{a="b 5
bad_time 1 never
crlf 1` + "\r\nlast 9")},
	{name: "Pushgateway", path: "/api/v1/import/prometheus/metrics/job/batch/instance/a", want: 2, body: "pushed_total 1\npushed_seconds{q=\"0.5\"} 2\n"},
	{name: "JSON lines", path: "/api/v1/import", want: 6, body: stamp(`{"metric":{"__name__":"lines","job":"a"},"values":[1,2.5,null,"Infinity"],"timestamps":[$M,$M,$M,$M]}
{"timestamps":[$M],"values":[7],"metric":{"__name__":"turned"}}

{"metric":{"__name__":"uneven"},"values":[1,2],"timestamps":[$M]}
{"metric":{},"values":[1],"timestamps":[$M]}
not JSON
{"metric":{"__name__":"no_number"},"values":[true],"timestamps":[$M]}
{"metric":{"__name__":"more"},"values":[1],"timestamps":[$M],"other":{"values":[1,2,3]}}`)},
	{name: "CSV", path: "/api/v1/import/csv?format=2:metric:ask,3:metric:bid,1:label:ticker,4:time:unix_s", want: 7,
		body: stamp("ticker,ask,bid,time\nGOOG,1.23,4.56,$S\n\"A,\"\"B\"\"\",2,3,$S\r\n'C',4,,$S,more\nD,x,1,$S\nE,5\nF,6,7,$S")},
	{name: "InfluxDB lines", path: "/influx/write?db=telegraf", want: 13, body: stamp(`# a comment
cpu,host=a,region=us\ west usage_idle=90.1,usage_user=5i,busy=t $N
weather,location=a\,b temperature=82u,note="wet, \"cold\" and dark",x=1

disk\ io,path=/ reads=1i,writes=2i,label="a b"   $N
,host=a nameless=1
quoted text="1=2,3 4",more=5
single v=1
`)},
	{name: "InfluxDB v2", path: "/api/v2/write?org=o&bucket=b", want: 3, body: "mem,host=a used=6,free=7\r\nmem,host=b used=6"},
	{name: "InfluxDB on the bare path", path: "/write", want: 1, body: "mem,host=a used=6"},
	{name: "OpenTelemetry", path: "/opentelemetry/v1/metrics", contentType: "application/x-protobuf", body: string(otlp()), want: 2 * (3 + 5 + 3 + 6 + 4)},
	{name: "OpenTelemetry by its old path", path: "/opentelemetry/api/v1/push", body: string(otlp()), want: 42},
	{name: "Amazon Data Firehose", path: "/opentelemetry/v1/metrics", contentType: "application/json", body: firehose(otlp()), want: 84},
	{name: "Datadog v1", path: "/datadog/api/v1/series", contentType: "application/json", want: 3,
		body: stamp(`{"series":[{"metric":"dd.one","points":[[$S,1],[$S,2]],"host":"a","tags":["env:test"]},{"Metric":"dd.two","Points":[[$S,3]],"type":"gauge"}]}`)},
	{name: "Datadog v2", path: "/datadog/api/v2/series/", contentType: "application/json", want: 2,
		body: stamp(`{"series":[{"metric":"dd.load","type":3,"points":[{"timestamp":$S,"value":7},{"value":8}],"resources":[{"name":"a","type":"host"}]}]}`)},
	{name: "Datadog v2 in protobuf", path: "/datadog/api/v2/series", contentType: "application/x-protobuf", body: string(datadogProto()), want: 3},
	{name: "Datadog sketches", path: "/datadog/api/beta/sketches", contentType: "application/x-protobuf", body: string(sketches()), want: 18},
	{name: "New Relic", path: "/newrelic/infra/v2/metrics/events/bulk", contentType: "application/json", want: 3,
		body: stamp(`[{"EntityID":28257883748326179,"IsAgent":true,"Events":[{"eventType":"SystemSample","timestamp":$S,"entityKey":"a","cpuPercent":25.05,"swapUsed":0,"flag":true},{"timestamp":$S,"load":1}],"ReportingAgentID":1}]`)},
	{name: "Zabbix", path: "/zabbixconnector/api/v1/history", want: 2, body: stamp(`{"host":{"host":"a","name":"A"},"groups":["g"],"item_tags":[{"tag":"t","value":"v"}],"itemid":1,"name":"load","clock":$S,"ns":5,"value":1.5,"type":0}
{"host":{"host":"a","name":"A"},"groups":[],"item_tags":[],"itemid":2,"name":"up","clock":$S,"ns":5,"value":4,"type":3}
{"host":{"host":"a","name":"A"},"groups":[],"item_tags":[],"itemid":3,"name":"text","clock":$S,"ns":5,"value":"hello","type":1}
{"host":{"host":"a"},"groups":[],"item_tags":[],"itemid":4,"name":"hostless","clock":$S,"ns":5,"value":4,"type":3}
not JSON
`)},
}

// encodings are those that VictoriaMetrics takes of most formats.
var encodings = map[string]func(testing.TB, []byte) string{
	"":         func(_ testing.TB, p []byte) string { return string(p) },
	"identity": func(_ testing.TB, p []byte) string { return string(p) },
	"gzip": func(t testing.TB, p []byte) string {
		return packed(t, p, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
	},
	"deflate": func(t testing.TB, p []byte) string {
		return packed(t, p, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
	},
	"zstd":   zstdFrame,
	"snappy": func(_ testing.TB, p []byte) string { return snappyBlock(p) },
}

func packed(t testing.TB, p []byte, open func(io.Writer) io.WriteCloser) string {
	t.Helper()
	var b bytes.Buffer
	w := open(&b)
	_, err := w.Write(p)
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

func header(contentType, encoding string) http.Header {
	h := http.Header{}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	return h
}

func body(target, contentType, encoding, bytes string) Body {
	path, query, _ := strings.Cut(target, "?")
	return Body{Path: path, Query: query, Header: header(contentType, encoding), Bytes: []byte(bytes), Whole: true}
}

func TestWhatIsWrittenCountsAsInVictoriaMetrics(t *testing.T) {
	vm := startEngine(t)
	before := vm.inserted(t)
	// same writes bodies with that many samples each. VictoriaMetrics' page of metrics is a second old at times, so they are compared together.
	same := func(t *testing.T, want int, bodies ...Body) {
		t.Helper()
		for _, b := range bodies {
			vm.write(t, b)
			if n, err := Written(b); err != nil || n != want {
				t.Errorf("%s %v: counted %d (%v), want %d", b.Path, b.Header, n, err, want)
			}
		}
		after := vm.inserted(t)
		if stored := after - before; stored != want*len(bodies) {
			t.Errorf("VictoriaMetrics counts %d in %d bodies, want %d in each", stored, len(bodies), want)
		}
		before = after
	}
	for _, w := range writes {
		t.Run(w.name, func(t *testing.T) { same(t, w.want, inEachEncoding(t, w.path, w.contentType, []byte(w.body))...) })
	}
	remoteWrite := func(m msg) []Body {
		var bodies []Body
		for _, path := range []string{"/api/v1/write", "/prometheus/api/v1/push"} {
			for _, said := range []string{"snappy", "zstd", ""} { // it is found out when it is not so
				bodies = append(bodies, body(path, "application/x-protobuf", said, snappyBlock(m)), body(path, "", said, zstdFrame(t, m)))
			}
		}
		return bodies
	}
	t.Run("remote write", func(t *testing.T) { same(t, 2000, remoteWrite(writeRequest(1000))...) })
	t.Run("native histograms", func(t *testing.T) { same(t, 6+4, remoteWrite(histograms())...) })
	t.Run("native", func(t *testing.T) {
		same(t, 20_000, body("/api/v1/import/prometheus", "", "", manySamples(20_000)))
		vm.flush(t)
		exported, _ := vm.read(t, "GET", "/api/v1/export/native?match[]=many", "")
		same(t, 20_000, inEachEncoding(t, "/api/v1/import/native", "", exported)...)
	})
}

func inEachEncoding(t *testing.T, path, contentType string, plain []byte) []Body {
	var bodies []Body
	for encoding, encode := range encodings {
		bodies = append(bodies, body(path, contentType, encoding, encode(t, plain)))
	}
	return bodies
}

// manySamples are those of one series, a second apart and up to now, as text.
func manySamples(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "many{job=\"a\"} %d %d\n", i, now.Add(time.Duration(i-n+1)*time.Second).UnixMilli())
	}
	return b.String()
}

// engine is a real VictoriaMetrics.
type engine struct{ url string }

func startEngine(t *testing.T) *engine {
	t.Helper()
	addr := start(t, "victoria-metrics", "-storageDataPath="+t.TempDir(), "-loggerLevel=PANIC", "-search.latencyOffset=0s")
	return &engine{"http://" + addr}
}

// start runs a program of VictoriaMetrics until the test ends, and gives its address once it answers.
func start(t *testing.T, name string, args ...string) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = ln.Addr().String()
	ln.Close()
	cmd := exec.Command(filepath.Join("..", "..", "bin", name), append(args, "-httpListenAddr="+addr)...)
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; build it with: go tool task engine", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	eventually(t, name+" is up", func() bool {
		res, err := http.Get("http://" + addr + "/health")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return addr
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not so after a minute: %s", what)
		}
	}
}

func (e *engine) do(t *testing.T, method, target, body string, h http.Header) (int, []byte, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, e.url+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, p, res.Header
}

// write sends a body that must be stored.
func (e *engine) write(t *testing.T, b Body) {
	t.Helper()
	h := b.Header.Clone()
	if h.Get("Content-Type") == "application/json" {
		h.Set("X-Amz-Firehose-Protocol-Version", "1.0")
	}
	if status, p, _ := e.do(t, "POST", b.Path+"?"+b.Query, string(b.Bytes), h); status/100 != 2 {
		t.Fatalf("VictoriaMetrics answered %d %s", status, p)
	}
}

func (e *engine) read(t *testing.T, method, target, form string) ([]byte, http.Header) {
	t.Helper()
	h := http.Header{"Accept-Encoding": {"gzip"}}
	if form != "" {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	status, p, answer := e.do(t, method, strings.ReplaceAll(target, " ", "%20"), form, h)
	if status != http.StatusOK {
		t.Fatalf("VictoriaMetrics answered %d %s", status, p)
	}
	return p, answer
}

// flush makes what was written readable.
func (e *engine) flush(t *testing.T) { e.read(t, "GET", "/internal/force_flush", "") }

// inserted sums up vm_rows_inserted_total, of what was written before.
func (e *engine) inserted(t *testing.T) int {
	t.Helper()
	old := e.metric(t, "vm_app_uptime_seconds")
	eventually(t, "the metrics are new", func() bool { return e.metric(t, "vm_app_uptime_seconds") != old })
	return e.metric(t, "vm_rows_inserted_total{")
}

// metric sums up the values of what begins so on the page of metrics.
func (e *engine) metric(t *testing.T, begin string) int {
	t.Helper()
	_, p, _ := e.do(t, "GET", "/metrics", "", http.Header{})
	total := 0
	for line := range strings.Lines(string(p)) {
		if strings.HasPrefix(line, begin) {
			n := 0
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' '):], &n); err != nil {
				t.Fatal(err)
			}
			total += n
		}
	}
	return total
}
