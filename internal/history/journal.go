package history

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"maps"
	"time"
)

// journal turns pages of metrics into what is stored: without the names of deployments and tokens, which may change while IDs do not,
// and with a beginning for each counter. A counter that is new has been 0 until the page before. VictoriaMetrics cannot know that, and
// would leave out of a rate what the first sample says, such as all that a token has sent in its first seconds.
type journal struct {
	seed maphash.Seed
	last time.Time         // of the page that is stored; at first, when all counters were 0
	page uint32            // its number
	seen map[uint64]uint32 // the hashes of counters, with the last page that had them
}

// entry is one page.
type entry struct {
	text     []byte
	counters []uint64
}

func newJournal(began time.Time) *journal {
	return &journal{seed: maphash.MakeSeed(), last: began, seen: map[uint64]uint32{}}
}

// entry gives what to store of a page.
func (j *journal) entry(page []byte) entry {
	var e entry
	for line := range bytes.Lines(page) {
		blank := bytes.LastIndexByte(line, ' ') // label values may hold blanks too
		if blank < 0 || line[0] == '#' || bytes.HasPrefix(line, unkept) {
			continue
		}
		start := len(e.text)
		e.text = appendUnnamed(e.text, line[:blank])
		series := e.text[start:]
		if isCounter(series) {
			hash := maphash.Bytes(j.seed, series)
			e.counters = append(e.counters, hash)
			if _, ok := j.seen[hash]; !ok {
				zero := fmt.Appendf(nil, " 0 %d\n%s", j.last.UnixMilli(), series)
				e.text = append(e.text, zero...)
			}
		}
		e.text = append(e.text, line[blank:]...)
	}
	return e
}

// keep notes that an entry is stored, as of a time. Counters that are gone are forgotten once there are many: deployments and tokens are
// deleted, and one that comes back later begins at 0.
func (j *journal) keep(e entry, at time.Time) {
	j.page++
	j.last = at
	for _, hash := range e.counters {
		j.seen[hash] = j.page
	}
	if len(j.seen) <= 2*len(e.counters)+10_000 {
		return
	}
	maps.DeleteFunc(j.seen, func(_ uint64, page uint32) bool { return page != j.page })
}

// unkept is a time for each token. No chart shows it, and what changes all the time takes room.
var unkept = []byte("gatehouse_token_last_used_timestamp_seconds")

// isCounter goes by the name, as there are no TYPE lines.
func isCounter(series []byte) bool {
	name, _, _ := bytes.Cut(series, []byte("{"))
	for _, end := range []string{"_total", "_bucket", "_sum", "_count"} {
		if bytes.HasSuffix(name, []byte(end)) {
			return true
		}
	}
	return false
}

// appendUnnamed appends a series to b without the labels that are names.
func appendUnnamed(b, series []byte) []byte {
	name, labels, ok := bytes.Cut(series, []byte("{"))
	b = append(b, name...)
	if !ok {
		return b
	}
	open := byte('{')
	for len(labels) > 0 && labels[0] != '}' {
		end := labelEnd(labels)
		label := labels[:end]
		labels = bytes.TrimPrefix(labels[end:], []byte(","))
		if bytes.HasPrefix(label, []byte("deployment=")) || bytes.HasPrefix(label, []byte("token=")) {
			continue
		}
		b = append(append(b, open), label...)
		open = ','
	}
	if open == ',' {
		b = append(b, '}')
	}
	return b
}

// labelEnd finds the end of the first of several labels: behind the quote that is not escaped.
func labelEnd(labels []byte) int {
	quoted := false
	for i, c := range labels {
		switch {
		case c != '"' || escaped(labels[:i]):
		case quoted:
			return i + 1
		default:
			quoted = true
		}
	}
	return len(labels)
}

// escaped reports whether what comes after b has a backslash in front that is not escaped itself.
func escaped(b []byte) bool {
	return (len(b)-len(bytes.TrimRight(b, `\`)))%2 == 1
}
