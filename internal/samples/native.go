package samples

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
)

const (
	nativeHead = 16      // the time range that was exported
	longestRow = 1 << 20 // VictoriaMetrics refuses longer names and blocks
)

var errNative = errors.New("the body is not in VictoriaMetrics' native format")

// native counts the samples of VictoriaMetrics' native format, in which each block says how many it has. Blocks are exported whole, and the
// body's time range says what of them is meant; of those that reach beyond it the samples are taken to be evenly apart.
func native(s *source) (int, error) {
	r, err := s.plain()
	if err != nil {
		return 0, err
	}
	head := make([]byte, nativeHead)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, unexpected(err)
	}
	meant := timeRange{signed(binary.BigEndian.Uint64(head)), signed(binary.BigEndian.Uint64(head[8:]))}
	total := 0
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return total, nil
		}
		name, err := nativeSize(r)
		if err != nil {
			return total, err
		}
		if _, err := r.Discard(name); err != nil {
			return total, unexpected(err)
		}
		n, err := nativeBlock(r, meant)
		if err != nil {
			return total, err
		}
		total += n
	}
}

// nativeBlock reads the beginning of a block, and skips the rest.
func nativeBlock(r *bufio.Reader, meant timeRange) (rows int, err error) {
	size, err := nativeSize(r)
	if err != nil {
		return 0, err
	}
	head, err := r.Peek(min(size, 4*binary.MaxVarintLen64))
	if err != nil {
		return 0, unexpected(err)
	}
	var fields [4]uint64 // the first and the last time, the first value, the number of rows
	for i := range fields {
		v, n := binary.Uvarint(head)
		if n <= 0 {
			return 0, errNative
		}
		fields[i], head = v, head[n:]
	}
	if fields[3] > mostRows {
		return 0, errNative
	}
	_, err = r.Discard(size)
	return timeRange{signed(fields[0]), signed(fields[1])}.rowsWithin(meant, float64(fields[3])), unexpected(err)
}

// timeRange is from the first to the last, in milliseconds since 1970.
type timeRange struct{ first, last float64 }

// rowsWithin estimates how many of the rows in a range are within another, too.
func (r timeRange) rowsWithin(other timeRange, rows float64) int {
	first, last := max(r.first, other.first), min(r.last, other.last)
	switch {
	case last < first:
		return 0
	case r.last > r.first:
		rows *= (last - first) / (r.last - r.first)
	}
	return int(math.Ceil(rows))
}

// signed decodes a number whose sign is in the lowest bit.
func signed(n uint64) float64 { return float64(int64(n>>1) ^ -int64(n&1)) }

// mostRows is twice what VictoriaMetrics stores in a block; it refuses more.
const mostRows = 2 * 8192

func nativeSize(r *bufio.Reader) (int, error) {
	var p [4]byte
	if _, err := io.ReadFull(r, p[:]); err != nil {
		return 0, unexpected(err)
	}
	n := binary.BigEndian.Uint32(p[:])
	if n > longestRow {
		return 0, errNative
	}
	return int(n), nil
}

// unexpected says that a body ends within a block.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
