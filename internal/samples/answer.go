package samples

import (
	"bufio"
	"io"
	"mime"

	"github.com/go-json-experiment/json/jsontext"
)

// queryAnswer counts the values in the results of a query.
func queryAnswer(s *source) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	return queryResults(r)
}

func queryResults(r *bufio.Reader) (int, error) {
	return countAt(r, []string{"data", "result", every}, func(r reader) (int, error) {
		n := 0
		err := r.inside('{', func(name string) error {
			more, err := 0, error(nil)
			switch name {
			case "value":
				more, err = r.one()
			case "values":
				more, err = r.at([]string{every}, reader.one)
			default:
				err = r.SkipValue()
			}
			n += more
			return err
		})
		return n, err
	})
}

// export counts the samples in what /api/v1/export gives: text, lines of JSON, or the answer of a query. The request told which, perhaps in
// its body, and the answer's Content-Type does not tell the last two apart.
func export(s *source) (int, error) {
	if kind, _, _ := mime.ParseMediaType(s.Header.Get("Content-Type")); kind == "text/plain" {
		return prometheusText(s)
	}
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	if start, _ := r.Peek(len(answerStart)); string(start) == answerStart {
		return queryResults(r)
	}
	return countJSONLines(r)
}

const answerStart = `{"status":`

// graphiteRender counts the points of Graphite's JSON that are not null, which stands for none at that time.
func graphiteRender(s *source) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	if err := skipFunction(r); err == io.EOF { // an error, which VictoriaMetrics tells with status 200
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return countAt(r, []string{every, "datapoints", every}, point)
}

// skipFunction skips what stands before the JSON when the jsonp argument names a function for it.
func skipFunction(r *bufio.Reader) error {
	for {
		c, err := r.ReadByte()
		switch {
		case err != nil:
			return err
		case c == '[':
			return r.UnreadByte()
		}
	}
}

// point counts [value, time].
func point(r reader) (int, error) {
	n, first := 0, true
	err := r.inside('[', func(string) error {
		if first && r.PeekKind() != jsontext.Kind('n') {
			n = 1
		}
		first = false
		return r.SkipValue()
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
