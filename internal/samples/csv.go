package samples

import (
	"bytes"
	"errors"
	"net/url"
	"strconv"
	"strings"
)

var errColumns = errors.New("the columns of the csv are not told in the query")

// csvImport counts the values of the columns that hold metrics. A line with anything but a number there is a header, or skipped.
func csvImport(s *source) (int, error) {
	columns, err := metricColumns(s.Query)
	if err != nil {
		return 0, err
	}
	return countLines(s, columns.values)
}

// csvColumns tells of each column, up to the last that is named, whether it holds a metric.
type csvColumns []bool

// metricColumns reads the format argument, such as 1:label:host,2:metric:load,3:time:unix_s.
func metricColumns(query string) (csvColumns, error) {
	args, _ := url.ParseQuery(query) // VictoriaMetrics takes what can be read, too
	var columns csvColumns
	for part := range strings.SplitSeq(args.Get("format"), ",") {
		position, rest, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(position)
		if err != nil || n < 1 || n > 1<<16 {
			return nil, errColumns
		}
		for len(columns) < n {
			columns = append(columns, false)
		}
		columns[n-1] = strings.HasPrefix(rest, "metric:")
	}
	return columns, nil
}

// values counts those of a line.
func (c csvColumns) values(line []byte) int {
	if len(line) == 0 {
		return 0
	}
	n := 0
	for i, isMetric := range c {
		column, rest, more := csvColumn(line)
		if isMetric && len(column) > 0 {
			if !isNumber(column) {
				return 0
			}
			n++
		}
		if !more && i < len(c)-1 { // VictoriaMetrics skips a line with too few
			return 0
		}
		line = rest
	}
	return n
}

// csvColumn cuts off the first column. Quotes that are doubled within quotes are left so: there are none in numbers.
func csvColumn(line []byte) (column, rest []byte, more bool) {
	if len(line) == 0 || line[0] != '"' && line[0] != '\'' {
		return bytes.Cut(line, []byte(","))
	}
	quote := line[:1]
	for end := 1; ; end += 2 {
		n := bytes.Index(line[end:], quote)
		if n < 0 {
			return line, nil, false
		}
		if end += n; !bytes.HasPrefix(line[end+1:], quote) {
			_, rest, more = bytes.Cut(line[end+1:], []byte(","))
			return line[1:end], rest, more
		}
	}
}

// csvExport counts lines, each of which is a sample, but for the header that VictoriaMetrics writes since v1.140.
func csvExport(s *source) (int, error) {
	first := true
	return countLines(s, func(line []byte) int {
		header := first && bytes.Contains(line, []byte("__value__"))
		if first = false; header {
			return 0
		}
		return min(len(line), 1)
	})
}
