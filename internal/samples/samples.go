// Package samples counts the samples in what clients write to VictoriaMetrics and read from it, in the formats that VictoriaMetrics
// v1.151 accepts and answers with. It keeps nothing of what it reads, and bounds time and memory: the bodies come from strangers.
package samples

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrUnknown says that nothing is known of a path's format.
var ErrUnknown = errors.New("the format of this path is not known")

// Body is the body of a request or of an answer, or its beginning.
type Body struct {
	// Path is that of the request: with or without /insert/<tenant> or /select/<tenant>, and with or without /prometheus or /graphite.
	Path string
	// Query is the raw query of the request, where NeedsQuery says so.
	Query string
	// Header tells Content-Type and Content-Encoding: of the request for Written, of the answer for Read.
	Header http.Header
	Bytes  []byte
	// Whole says that nothing follows Bytes.
	Whole bool
}

// Written counts the samples in a request that VictoriaMetrics has accepted, as it does in vm_rows_inserted_total: all that arrive, also
// those that relabeling, deduplication or a limit keep from being stored.
//
// Of a body that is not whole it counts those that are complete in Bytes. Of one that is larger than 16 MiB when it is decompressed, the
// beginning stands for the rest. It may be too high where lines are not valid: VictoriaMetrics skips more of
// them. Errors: ErrUnknown, and those of a body that cannot be read, such as a part of a snappy block.
func Written(b Body) (int, error) { return count(b, writtenFormat(b.Path)) }

// Read counts the samples in an answer of VictoriaMetrics: a sample is one value at one time. Answers without, such as labels and
// metadata, count 0. Parts, large bodies and errors: as for Written.
func Read(b Body) (int, error) { return count(b, readFormat(b.Path)) }

// NeedsQuery reports whether the query of a request that writes tells how to read its body, as the columns of CSV.
func NeedsQuery(path string) bool { return strings.HasSuffix(path, "/api/v1/import/csv") }

// counter counts the samples in a body. It returns what it has counted so far with an error.
type counter func(*source) (int, error)

func none(*source) (int, error) { return 0, nil }

func count(b Body, f counter) (int, error) {
	if f == nil {
		return 0, ErrUnknown
	}
	if len(b.Bytes) == 0 {
		return 0, nil
	}
	s := &source{Body: b}
	n, err := f(s)
	if err != nil && !s.goesOn(err) {
		return 0, fmt.Errorf("cannot count samples: %w", err)
	}
	return s.scale(n), nil
}
