package samples

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// lenient takes what the parsers of VictoriaMetrics take.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// errNoJSON replaces jsontext's errors, which quote what a stranger sent.
var errNoJSON = errors.New("the body is not valid JSON")

// reader reads JSON piece by piece, so that no more of it is held than the longest of its strings.
type reader struct{ *jsontext.Decoder }

func newReader(r io.Reader) reader { return reader{jsontext.NewDecoder(r, lenient)} }

// inJSON counts what f counts in each of the values at a path.
func inJSON(s *source, path []string, f func(reader) (int, error)) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	return countAt(r, path, f)
}

func countAt(r io.Reader, path []string, f func(reader) (int, error)) (int, error) {
	n, err := newReader(r).at(path, f)
	return n, plainError(err)
}

// plainError keeps what tells that a body is cut, and nothing of the body.
func plainError(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &syntax):
		return errNoJSON
	}
	return err
}

// every is the step of a path to each element of an array. Other steps are names in objects.
const every = "*"

// at adds up what f counts in each of the values at a path. f must read the value. What is of another kind than the path says is skipped.
func (r reader) at(path []string, f func(reader) (int, error)) (int, error) {
	if len(path) == 0 {
		return f(r)
	}
	step, open := path[0], jsontext.Kind('{')
	if step == every {
		open = '['
	}
	total := 0
	err := r.inside(open, func(name string) error {
		if step != every && !strings.EqualFold(name, step) { // as encoding/json compares, which VictoriaMetrics uses for some
			return r.SkipValue()
		}
		n, err := r.at(path[1:], f)
		total += n
		return err
	})
	return total, err
}

// inside calls f for each value in the object or array that comes next, with its name in an object. What is of another kind is skipped.
func (r reader) inside(open jsontext.Kind, f func(name string) error) error {
	if r.PeekKind() != open {
		return r.SkipValue()
	}
	if _, err := r.ReadToken(); err != nil {
		return err
	}
	for {
		switch r.PeekKind() {
		case '}', ']', 0: // 0 is an error, which reading gives, too
			_, err := r.ReadToken()
			return err
		}
		name := ""
		if open == '{' {
			token, err := r.ReadToken()
			if err != nil {
				return err
			}
			name = token.String()
		}
		if err := f(name); err != nil {
			return err
		}
	}
}

// one counts the value that comes next.
func (r reader) one() (int, error) {
	if err := r.SkipValue(); err != nil {
		return 0, err
	}
	return 1, nil
}

// jsonLines counts the samples in VictoriaMetrics' own JSON lines: {"metric":{...},"values":[...],"timestamps":[...]}.
func jsonLines(s *source) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	return countJSONLines(r)
}

func countJSONLines(r *bufio.Reader) (int, error) {
	total, bad, line := 0, 0, reader{new(jsontext.Decoder)}
	rest, err := lines(r, func(p []byte) error {
		if len(p) == 0 {
			return nil
		}
		line.Reset(bytes.NewBuffer(p), lenient)
		l, err := line.series()
		if err != nil || l.labels == 0 || l.values != l.times {
			bad++
			return tooMany(bad)
		}
		total += l.values
		return nil
	})
	if len(rest) > 0 {
		line.Reset(bytes.NewBuffer(rest), lenient)
		if l, _ := line.series(); l.labels > 0 {
			total += min(l.values, l.times) // those that have both
		}
	}
	return total, err
}

// mostBad lines are passed over, as VictoriaMetrics does. It takes far longer to find that a line is not JSON than to send one.
const mostBad = 1000

func tooMany(bad int) error {
	if bad > mostBad {
		return errNoJSON
	}
	return nil
}

// jsonLine tells how many of each a line has.
type jsonLine struct{ labels, values, times int }

var errNoNumber = errors.New("a value or time is no number")

func (r reader) series() (l jsonLine, err error) {
	err = r.inside('{', func(name string) error {
		switch name {
		case "metric":
			return r.inside('{', func(string) error { l.labels++; return r.SkipValue() })
		case "values":
			return r.inside('[', func(string) error {
				if k := r.PeekKind(); k != '0' && k != '"' && k != 'n' { // "Infinity" and null are values, too
					return errNoNumber
				}
				l.values++
				return r.SkipValue()
			})
		case "timestamps":
			return r.inside('[', func(string) error {
				if r.PeekKind() != '0' {
					return errNoNumber
				}
				l.times++
				return r.SkipValue()
			})
		}
		return r.SkipValue()
	})
	return l, err
}
