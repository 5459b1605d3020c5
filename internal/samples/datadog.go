package samples

// datadogV1 counts the points of each series.
func datadogV1(s *source) (int, error) {
	return inJSON(s, []string{"series", every, "points", every}, reader.one)
}

// datadogV2 counts the points of each series, in protobuf or JSON.
func datadogV2(s *source) (int, error) {
	if s.Header.Get("Content-Type") != "application/x-protobuf" {
		return datadogV1(s)
	}
	m, err := s.message(s.encoding())
	if err != nil {
		return 0, err
	}
	return m.sum(1, func(series message) (int, error) { return series.sum(4, one) })
}

// perSketch are the samples that VictoriaMetrics makes of a sketch: five quantiles, sum, count, min, and max.
const perSketch = 9

func datadogSketches(s *source) (int, error) {
	m, err := s.message(s.encoding())
	if err != nil {
		return 0, err
	}
	n, err := m.sum(1, func(sketch message) (int, error) { return sketch.sum(7, one) })
	return perSketch * n, err
}
