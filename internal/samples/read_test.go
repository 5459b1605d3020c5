package samples

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestWhatIsReadCountsAsItIsStored(t *testing.T) {
	vm := startEngine(t)
	vm.write(t, body("/api/v1/import/prometheus", "", "", manySamples(20_000)))
	var few strings.Builder
	for i := range 7 {
		fmt.Fprintf(&few, "few{n=\"%d\"} %d %d\n", i, i, now.UnixMilli())
	}
	vm.write(t, body("/api/v1/import/prometheus", "", "", few.String()))
	vm.write(t, body("/api/v1/import/prometheus", "", "", "strange_value{a=\"[{\"} +Inf "+fmt.Sprint(now.UnixMilli())))
	vm.flush(t)

	at := fmt.Sprint("time=", now.Unix())
	window := fmt.Sprintf("start=%d&end=%d&step=1s", now.Unix()-99, now.Unix())
	for name, c := range map[string]struct {
		target, form string
		want         int
	}{
		"an instant query":           {"/api/v1/query?query=few&" + at, "", 7},
		"a query of raw samples":     {"/api/v1/query?query=many[1000s]&" + at, "", 1000},
		"a query of a number":        {"/prometheus/api/v1/query?query=1&" + at, "", 1},
		"a query without result":     {"/api/v1/query?query=nothing&" + at, "", 0},
		"a query of a range":         {"/api/v1/query_range?query={__name__=~\"many|few\"}&" + window, "", 100 + 7},
		"a query with its trace":     {"/api/v1/query_range?query=many&trace=1&" + window, "", 100},
		"an export":                  {"/api/v1/export?match[]={__name__!=\"\"}", "", 20_008},
		"an export in short lines":   {"/api/v1/export?match[]=many&max_rows_per_line=10", "", 20_000},
		"an export block by block":   {"/api/v1/export?match[]=many&reduce_mem_usage=1", "", 20_000},
		"an export as text":          {"/api/v1/export?match[]=many&format=prometheus", "", 20_000},
		"an export as in Prometheus": {"/api/v1/export", "match[]=many&format=promapi", 20_000},
		"an export of CSV":           {"/api/v1/export/csv?match[]=many&format=__name__,job,__value__,__timestamp__:unix_s", "", 20_000},
		"a native export":            {"/api/v1/export/native?match[]=many", "", 20_000},
		"a native export of nothing": {"/api/v1/export/native?match[]=nothing", "", 0},
		"a federation":               {"/federate?match[]=few", "", 7},
		"labels":                     {"/api/v1/labels", "", 0},
		"values of a label":          {"/api/v1/label/n/values", "", 0},
		"series":                     {"/api/v1/series?match[]=few", "", 0},
		"metadata":                   {"/api/v1/metadata", "", 0},
		"a state":                    {"/api/v1/status/tsdb", "", 0},
		"Graphite's names":           {"/metrics/find?query=*", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			path, _, _ := strings.Cut(c.target, "?")
			method := "GET"
			if c.form != "" {
				method = "POST"
			}
			answer, h := vm.read(t, method, c.target, c.form)
			b := Body{Path: path, Header: h, Bytes: answer, Whole: true}
			if n, err := Read(b); err != nil || n != c.want {
				t.Errorf("counted %d (%v) in %d bytes of %v, want %d", n, err, len(answer), h, c.want)
			}
			if b.Path = "/select/multitenant" + path; strings.HasPrefix(path, "/api") {
				b.Path = "/select/7:3/prometheus" + path
			}
			if n, err := Read(b); err != nil || n != c.want {
				t.Errorf("of a cluster: counted %d (%v), want %d", n, err, c.want)
			}
		})
	}
}

func TestOfANativeExportOnlyItsTimeRangeCounts(t *testing.T) {
	vm := startEngine(t)
	vm.write(t, body("/api/v1/import/prometheus", "", "", manySamples(5000)))
	vm.flush(t)
	exported, h := vm.read(t, "GET", fmt.Sprintf("/api/v1/export/native?match[]=many&start=%d&end=%d", now.Unix()-999, now.Unix()), "")
	b := Body{Path: "/api/v1/export/native", Header: h, Bytes: exported, Whole: true}
	if n, err := Read(b); err != nil || n < 900 || n > 1100 {
		t.Errorf("counted %d (%v), want about 1000", n, err)
	}
}

func TestAnOldExportOfCSVHasNoHeader(t *testing.T) {
	b := body("/api/v1/export/csv", "text/csv; charset=utf-8", "", "many,1,2\nmany,2,3\n")
	if n, err := Read(b); err != nil || n != 2 {
		t.Errorf("counted %d (%v), want 2", n, err)
	}
}

func TestPointsOfGraphiteAreCountedWhereThereAreAny(t *testing.T) {
	vm := startEngine(t)
	vm.write(t, body("/api/v1/import/prometheus", "", "", manySamples(300)))
	vm.flush(t)
	for _, jsonp := range []string{"", "show"} {
		p, h := vm.read(t, "GET", fmt.Sprintf("/render?target=many&format=json&jsonp=%s&from=%d&until=%d", jsonp, now.Unix()-600, now.Unix()+60), "")
		b := Body{Path: "/graphite/render", Header: h, Bytes: p, Whole: true}
		r, err := (&source{Body: b}).plain()
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		var series []struct{ Datapoints [][2]*float64 }
		if err := json.Unmarshal([]byte(strings.Trim(string(plain), "show()")), &series); err != nil {
			t.Fatal(err)
		}
		points, nulls := 0, 0
		for _, point := range series[0].Datapoints {
			if point[0] == nil {
				nulls++
			} else {
				points++
			}
		}
		if n, err := Read(b); err != nil || n != points || points < 25 || nulls == 0 {
			t.Errorf("counted %d (%v) of %d points and %d nulls", n, err, points, nulls)
		}
	}
}

func TestAnErrorOfGraphiteHoldsNoSamples(t *testing.T) {
	b := Body{Path: "/render", Header: http.Header{}, Bytes: []byte(`{"error": "too many"}`), Whole: true}
	if n, err := Read(b); err != nil || n != 0 {
		t.Errorf("counted %d (%v), want 0", n, err)
	}
}
