package samples

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
)

// countLines adds up what f counts in each line.
func countLines(s *source, f func(line []byte) int) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	total := 0
	_, err = lines(r, func(line []byte) error {
		total += f(line)
		return nil
	})
	return total, err
}

// prometheusText counts the samples in the text format. Lines that VictoriaMetrics skips, as it cannot read them, do not count.
func prometheusText(s *source) (int, error) {
	return countLines(s, func(line []byte) int {
		line = bytes.Trim(line, " \t")
		if len(line) == 0 || line[0] == '#' {
			return 0
		}
		if isSample(line) {
			return 1
		}
		return 0
	})
}

// isSample reports whether a line is: a name, labels, a value, and perhaps a time.
func isSample(line []byte) bool {
	if brace := bytes.IndexByte(line, '{'); brace >= 0 {
		labels := bytes.TrimLeft(line[brace+1:], " \t")
		if brace == 0 && !bytes.HasPrefix(labels, []byte(`"`)) { // the name may be the first of the labels
			return false
		}
		n := endOfLabels(labels)
		if n < 0 {
			return false
		}
		line = labels[n+1:]
	} else {
		_, line = word(line)
	}
	line, _, _ = bytes.Cut(line, []byte("#"))
	value, line := word(line)
	time := bytes.Trim(line, " \t")
	return isNumber(value) && (len(time) == 0 || isNumber(time))
}

// word cuts off the first word of a line.
func word(line []byte) (first, rest []byte) {
	line = bytes.TrimLeft(line, " \t")
	if n := bytes.IndexAny(line, " \t"); n >= 0 {
		return line[:n], line[n:]
	}
	return line, nil
}

// endOfLabels finds the brace that closes them, or gives -1.
func endOfLabels(p []byte) int {
	quoted := false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == '}' && !quoted:
			return i
		}
	}
	return -1
}

// isNumber takes those that are too large or small, which VictoriaMetrics makes infinite or 0, but not Go's other ways to write numbers.
func isNumber(p []byte) bool {
	_, err := strconv.ParseFloat(string(p), 64)
	return (err == nil || errors.Is(err, strconv.ErrRange)) && !bytes.ContainsAny(p, "xX_")
}

// influx counts the samples in InfluxDB's line protocol: each field is one, and text, too, which VictoriaMetrics stores as 0.
func influx(s *source) (int, error) { return countLines(s, influxFields) }

// influxFields counts those of a line, and none when a part is missing: VictoriaMetrics then stores nothing of it.
func influxFields(line []byte) int {
	if len(line) == 0 || line[0] == '#' {
		return 0
	}
	n := unescaped(line, " ")
	if n == len(line) {
		return 0
	}
	rest, count := bytes.TrimLeft(line[n:], " "), 0
	for {
		equals := unescaped(rest, "=, ")
		if equals == 0 || equals == len(rest) || rest[equals] != '=' {
			return 0
		}
		value := rest[equals+1:]
		end := endOfValue(value)
		if end == 0 {
			return 0
		}
		count++
		if end == len(value) || value[end] == ' ' {
			return count
		}
		rest = value[end+1:]
	}
}

// endOfValue finds the comma or space that ends the value of a field, or the end of p.
func endOfValue(p []byte) int {
	quoted := false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ' '):
			return i
		}
	}
	return len(p)
}

// unescaped finds the first of some bytes that has no backslash before it, or gives the length of p.
func unescaped(p []byte, of string) int {
	for i := 0; i < len(p); i++ {
		if p[i] == '\\' {
			i++
		} else if strings.IndexByte(of, p[i]) >= 0 {
			return i
		}
	}
	return len(p)
}
