package access

import "strings"

// Wrong paths must not cost more than right ones, or they were a way to keep us busy.
const (
	mostCompared = 80 // bytes of a path
	mostEdits    = 40 // beyond which a known path is no hint
)

// nearest gives the path of the table that path was most likely meant to be, by edit distance. A missing or needless /prometheus or
// /graphite, the usual mistake, counts as one edit.
func (p *paths) nearest(path string) string {
	if len(path) > mostCompared {
		path = path[:mostCompared]
	}
	bare := withoutPrefix(path)
	best, least := "/", mostEdits
	for _, known := range p.known {
		d := distance(path, known, least)
		if bareKnown := withoutPrefix(known); len(bare) < len(path) || len(bareKnown) < len(known) {
			d = min(d, 1+distance(bare, bareKnown, least))
		}
		if d < least {
			best, least = known, d
		}
	}
	return best
}

func withoutPrefix(path string) string {
	for _, prefix := range []string{"/prometheus", "/graphite"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && strings.HasPrefix(rest, "/") {
			return rest
		}
	}
	return path
}

// distance is the Levenshtein distance in bytes, or most if it is not smaller.
func distance(a, b string, most int) int {
	var row [mostCompared + 1]int
	a, b = a[:min(len(a), mostCompared)], b[:min(len(b), mostCompared)]
	if max(len(a)-len(b), len(b)-len(a)) >= most {
		return most
	}
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		least := row[0]
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least >= most {
			return most
		}
	}
	return min(row[len(b)], most)
}
