package samples

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// nativeHistogram counts the samples that VictoriaMetrics makes of a prometheus.Histogram: count, sum, and the buckets that are not empty.
func nativeHistogram(m message) (int, error) {
	if m.cut {
		return 0, nil
	}
	zero, fraction := 0.0, false
	err := m.fields(func(v field) error {
		switch {
		case v.number == 6 && !fraction:
			zero = float64(v.positive())
		case v.number == 7:
			zero, fraction = v.double(), true
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	n := 2
	if zero > 0 {
		n++
	}
	for _, side := range []buckets{{spans: 8, deltas: 9, counts: 10}, {spans: 11, deltas: 12, counts: 13}} {
		used, err := side.used(m)
		if err != nil {
			return 0, err
		}
		n += used
	}
	return n, nil
}

// buckets are the numbers of the fields that tell of those on one side of zero. Spans say how many there are; what they hold is in
// deltas, each to the one before, or in counts, when there are any.
type buckets struct{ spans, deltas, counts protowire.Number }

// used counts the buckets that hold anything. It reads the fields twice rather than keep eight bytes for each that a stranger sends.
func (b buckets) used(m message) (int, error) {
	left, counts, err := b.spanned(m)
	if err != nil {
		return 0, err
	}
	used, held := 0, int64(0)
	err = m.fields(func(v field) error {
		switch {
		case counts && v.number == b.counts:
			return v.each(protowire.Fixed64Type, func(v field) {
				if left > 0 && v.double() > 0 {
					used++
				}
				left = max(left, 1) - 1
			})
		case !counts && v.number == b.deltas:
			return v.each(protowire.VarintType, func(v field) {
				delta, _ := protowire.ConsumeVarint(v.bytes)
				if held += protowire.DecodeZigZag(delta); left > 0 && held > 0 {
					used++
				}
				left = max(left, 1) - 1
			})
		}
		return nil
	})
	return used, err
}

// spanned sums up the lengths of the spans, and says whether there are counts.
func (b buckets) spanned(m message) (sum uint64, counts bool, err error) {
	err = m.fields(func(v field) error {
		switch v.number {
		case b.counts:
			counts = counts || len(v.bytes) > 0
		case b.spans:
			return v.fields(func(v field) error {
				if length, n := protowire.ConsumeVarint(v.bytes); v.number == 2 && n > 0 {
					sum += uint64(uint32(length))
				}
				return nil
			})
		}
		return nil
	})
	return sum, counts, err
}

// double gives the number in a field of that type, and 0 in others.
func (v field) double() float64 {
	if v.wire != protowire.Fixed64Type {
		return 0
	}
	n, _ := protowire.ConsumeFixed64(v.bytes)
	return math.Float64frombits(n)
}
