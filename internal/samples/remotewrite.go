package samples

import (
	"bytes"
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
)

// zstdMagic begins each frame, RFC 8878 section 3.1.1, and no snappy block: there it would copy from before the beginning.
const zstdMagic = "\x28\xb5\x2f\xfd"

// remoteWrite counts samples in Prometheus remote write 1, and in VictoriaMetrics' own, which is the same in zstd instead of snappy. Which it
// is shows at the beginning. VictoriaMetrics does not trust Content-Encoding either: an agent that was restarted may send what it had
// queued in the other compression.
func remoteWrite(s *source) (int, error) {
	encoding := "snappy"
	if bytes.HasPrefix(s.Bytes, []byte(zstdMagic)) {
		encoding = "zstd"
	}
	m, err := s.message(encoding)
	if err != nil {
		return 0, err
	}
	return m.sum(1, timeSeries)
}

var errMixed = errors.New("a series has both samples and histograms")

// timeSeries counts the samples of a prometheus.TimeSeries.
func timeSeries(m message) (int, error) {
	var samples, histograms int
	var name []byte
	err := m.fields(func(v field) error {
		switch {
		case v.wire != protowire.BytesType || v.cut:
		case v.number == 1 && name == nil:
			name = metricName(v.message)
		case v.number == 2:
			samples++
		case v.number == 4:
			histograms++
		}
		return nil
	})
	switch {
	case err != nil || histograms == 0:
		return samples, err
	case samples > 0:
		return 0, errMixed
	case len(name) == 0: // VictoriaMetrics drops it, as it cannot name the parts
		return 0, nil
	}
	return m.sum(4, nativeHistogram)
}

// metricName gives the value of a label when that is the metric's name, and nil for other labels.
func metricName(label message) []byte {
	var name, value []byte
	_ = label.fields(func(v field) error {
		switch v.number {
		case 1:
			name = v.bytes
		case 2:
			value = v.bytes
		}
		return nil
	})
	if string(name) != "__name__" {
		return nil
	}
	return value
}
