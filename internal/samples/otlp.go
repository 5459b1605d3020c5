package samples

import (
	"encoding/base64"
	"encoding/binary"
	"mime"

	"google.golang.org/protobuf/encoding/protowire"
)

// openTelemetry counts the samples that VictoriaMetrics makes of OTLP metrics. JSON is only accepted from Amazon Data Firehose.
func openTelemetry(s *source) (int, error) {
	if kind, _, _ := mime.ParseMediaType(s.Header.Get("Content-Type")); kind == "application/json" {
		return inJSON(s, []string{"records", every, "data"}, firehoseRecord)
	}
	m, err := s.message(s.encoding())
	if err != nil {
		return 0, err
	}
	return metricsData(m)
}

// firehoseRecord counts the samples in a record: messages in base64, each after its length.
func firehoseRecord(r reader) (int, error) {
	if r.PeekKind() != '"' {
		return 0, r.SkipValue()
	}
	token, err := r.ReadToken()
	if err != nil {
		return 0, err
	}
	p, err := base64.StdEncoding.DecodeString(token.String())
	if err != nil {
		return 0, errNoJSON
	}
	total := 0
	for len(p) > 0 {
		size, n := binary.Uvarint(p)
		if n <= 0 || size > uint64(len(p)-n) {
			return total, errProtobuf
		}
		end := n + int(size)
		more, err := metricsData(message{bytes: p[n:end]})
		if total += more; err != nil {
			return total, err
		}
		p = p[end:]
	}
	return total, nil
}

// metricsData counts the samples of an opentelemetry.proto.metrics.v1.MetricsData: resources, within them scopes, within them metrics.
func metricsData(m message) (int, error) {
	return m.sum(1, func(resource message) (int, error) {
		return resource.sum(2, func(scope message) (int, error) {
			return scope.sum(2, metric)
		})
	})
}

// metric counts the samples of a metric by the kind of its points.
func metric(m message) (int, error) {
	total := 0
	err := m.fields(func(v field) error {
		point := pointOf(v.number)
		if point == nil || v.wire != protowire.BytesType {
			return nil
		}
		n, err := v.sum(1, func(p message) (int, error) {
			if p.cut {
				return 0, nil
			}
			return point(p)
		})
		total += n
		return err
	})
	return total, err
}

// pointOf gives what counts the samples of a point in a field of a metric.
func pointOf(n protowire.Number) func(message) (int, error) {
	switch n {
	case 5, 7: // gauge, sum
		return one
	case 9:
		return histogramPoint
	case 10:
		return exponentialPoint
	case 11:
		return summaryPoint
	}
	return nil
}

// histogramPoint counts count, sum, and buckets. VictoriaMetrics drops a point with too few bounds for its buckets.
func histogramPoint(m message) (int, error) {
	sum, buckets, bounds := 0, 0, 0
	err := m.fields(func(v field) error {
		switch v.number {
		case 5:
			sum = 1
		case 6:
			return v.each(protowire.Fixed64Type, func(field) { buckets++ })
		case 7:
			return v.each(protowire.Fixed64Type, func(field) { bounds++ })
		}
		return nil
	})
	if err != nil || buckets != bounds+1 {
		return 0, err
	}
	return 1 + sum + buckets, nil
}

// exponentialPoint counts count, sum, and the buckets that hold anything.
func exponentialPoint(m message) (int, error) {
	sum, zero, used := 0, 0, 0
	err := m.fields(func(v field) error {
		switch v.number {
		case 5:
			sum = 1
		case 7:
			zero = v.positive()
		case 8, 9:
			return v.fields(func(v field) error {
				if v.number != 2 {
					return nil
				}
				return v.each(protowire.VarintType, func(n field) { used += n.positive() })
			})
		}
		return nil
	})
	return 1 + sum + zero + used, err
}

// summaryPoint counts count, sum, and quantiles.
func summaryPoint(m message) (int, error) {
	n, err := m.sum(6, one)
	return 2 + n, err
}
