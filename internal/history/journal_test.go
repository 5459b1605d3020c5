package history

import (
	"strings"
	"testing"
	"time"
)

// began is when counters begin in these tests.
var began = time.UnixMilli(1_700_000_000_000)

func TestNamesAreLeftOutWhateverTheyHold(t *testing.T) {
	for line, want := range map[string]string{
		`up 1`:                                  `up 1`,
		`a_gauge{x="1",y="b c"} 2.5`:            `a_gauge{x="1",y="b c"} 2.5`,
		`g{deployment="d"} 1`:                   `g 1`,
		`g{deployment="d",deployment_id="i"} 1`: `g{deployment_id="i"} 1`,
		`g{deployment="a\"} b{c=\"d",deployment_id="i"} 1`:                   `g{deployment_id="i"} 1`,
		`g{deployment="\\",deployment_id="i",token="\\\",x",token_id="t"} 1`: `g{deployment_id="i",token_id="t"} 1`,
		`g{deployment="a,token_id=\"b",deployment_id="i",kind="ui"} 1`:       `g{deployment_id="i",kind="ui"} 1`,
		`g{deployment="one\ntwo} 5",token="=",token_id="t"} 1`:               `g{token_id="t"} 1`,
		`g{deployment="größe, 日本",token="",token_id="t"} 1`:                  `g{token_id="t"} 1`,
		`g{deployment_id="i",deployment="broken`:                             ``,
		`g{deployment_id="i",deployment="broken 1`:                           `g{deployment_id="i"} 1`,
		`gatehouse_token_last_used_timestamp_seconds{token_id="t"} 1`:        ``,
		`# HELP g`: ``,
		``:         ``,
	} {
		if got := string(newJournal(began).entry([]byte(line)).text); got != want {
			t.Errorf("%s is kept as\n%s, want\n%s", line, got, want)
		}
	}
}

func TestANewCounterBeginsAtZeroWhenThePageBeforeWasKept(t *testing.T) {
	const page = "a_total{deployment=\"d\",deployment_id=\"i\"} 5\nb_running 3\nc_bucket{le=\"+Inf\"} 2\n"
	const first = "a_total{deployment_id=\"i\"} 0 1700000000000\na_total{deployment_id=\"i\"} 5\nb_running 3\n" +
		"c_bucket{le=\"+Inf\"} 0 1700000000000\nc_bucket{le=\"+Inf\"} 2\n"
	j := newJournal(began)
	check := func(page, want string) entry {
		t.Helper()
		e := j.entry([]byte(page))
		if string(e.text) != want {
			t.Errorf("kept is\n%s, want\n%s", e.text, want)
		}
		return e
	}
	check(page, first)
	check(page, first) // the one before could not be stored
	j.keep(check(page, first), began.Add(time.Minute))
	check(page, "a_total{deployment_id=\"i\"} 5\nb_running 3\nc_bucket{le=\"+Inf\"} 2\n")
	check("a_total{deployment=\"new name\",deployment_id=\"i\"} 5\n", "a_total{deployment_id=\"i\"} 5\n")
	check("d_total 1\n", "d_total 0 1700000060000\nd_total 1\n")
}

func TestCountersThatAreGoneAreForgotten(t *testing.T) {
	j := newJournal(began)
	for i := range 3 {
		var page strings.Builder
		for n := range 20_000 {
			page.WriteString(strings.Repeat("x", i+1) + "_" + strings.Repeat("y", n%7) + string(rune('a'+n%26)) + time.Duration(n).String() + "_total 1\n")
		}
		j.keep(j.entry([]byte(page.String())), began)
	}
	if n := len(j.seen); n > 50_000 {
		t.Errorf("%d counters are remembered, of which 20,000 are left", n)
	}
}
