package access

import "strings"

// mostCompared bounds the work that a long wrong path makes.
const mostCompared = 80

// nearest gives the path of the table that path was most likely meant to be, by edit distance. A missing or needless /prometheus or
// /graphite, the usual mistake, counts as one edit.
func (p *paths) nearest(path string) string {
	if len(path) > mostCompared {
		path = path[:mostCompared]
	}
	best, least := "", 1<<30
	for _, known := range p.known {
		d := min(distance(path, known), 1+distance(withoutPrefix(path), withoutPrefix(known)))
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

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	var row [mostCompared + 1]int
	a, b = a[:min(len(a), mostCompared)], b[:min(len(b), mostCompared)]
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substituted := diagonal
			if a[i] != b[j] {
				substituted++
			}
			diagonal = row[j+1]
			row[j+1] = min(substituted, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
