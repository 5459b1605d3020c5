package samples

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	// mostPlain is how much of a body is read when it is decompressed: some 70 KB can stand for all of VictoriaMetrics' 64 MiB. The
	// beginning stands for the rest. Agents send at most 8 MiB at once.
	mostPlain = 16 << 20
	// largestBlock bounds a block of snappy, which is decompressed as a whole. VictoriaMetrics takes 32 MiB of remote write and 56 MB of others.
	largestBlock = 64 << 20
	// snappyRatio is more than snappy can ever reach. The length that a block claims makes us allocate it.
	snappyRatio = 32
	// widestWindow is the largest that an encoder of zstd uses unless it is told to. The header of a frame makes us allocate it.
	widestWindow = 32 << 20
	readSize     = 16 << 10
)

var (
	errPart     = errors.New("a part of a snappy block cannot be read")
	errLarge    = fmt.Errorf("the snappy block is larger than %d MiB", largestBlock>>20)
	errEncoding = errors.New("the encoding of the body is not known")
)

// source is a body as counters read it. Where it goes on after what can be read, reading gives io.ErrUnexpectedEOF.
type source struct {
	Body
	input *bytes.Reader // what is read from, once something is
	full  bool          // mostPlain was reached
}

// scale says how many samples there are in all of the input, when n were found before mostPlain was reached.
func (s *source) scale(n int) int {
	if !s.full {
		return n
	}
	return int(int64(n) * s.input.Size() / max(s.input.Size()-int64(s.input.Len()), 1))
}

func (s *source) encoding() string { return s.Header.Get("Content-Encoding") }

// plain gives the decompressed body.
func (s *source) plain() (*bufio.Reader, error) {
	r, err := s.decompressed(s.encoding())
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(r, readSize), nil
}

// message gives the decompressed body as one of protobuf.
func (s *source) message(encoding string) (message, error) {
	switch encoding {
	case "", "none", "identity":
		return message{s.Bytes, !s.Whole}, nil
	case "snappy":
		p, err := s.snappy()
		return message{bytes: p}, err
	}
	r, err := s.decompressed(encoding)
	if err != nil {
		return message{}, err
	}
	p, err := io.ReadAll(r)
	if s.goesOn(err) {
		return message{p, true}, nil
	}
	return message{bytes: p}, err
}

// goesOn reports whether an error only says that not all of the body was to be read.
func (s *source) goesOn(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) && (s.full || !s.Whole)
}

// decompressed knows the encodings of VictoriaMetrics' protoparserutil.GetUncompressedReader.
func (s *source) decompressed(encoding string) (r io.Reader, err error) {
	switch encoding {
	case "", "none", "identity":
		r = s.raw()
	case "gzip":
		r, err = gzip.NewReader(s.raw())
	case "deflate":
		r, err = zlib.NewReader(s.raw())
	case "zstd":
		// It needs no goroutines of its own then, and no memory before it has something to put there.
		r, err = zstd.NewReader(s.raw(), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(widestWindow))
	case "snappy":
		var p []byte
		p, err = s.snappy()
		s.input = bytes.NewReader(p)
		r = s.input
	default:
		err = errEncoding
	}
	return &bounded{s, r, mostPlain}, err
}

func (s *source) raw() io.Reader {
	s.input = bytes.NewReader(s.Bytes)
	if s.Whole {
		return s.input
	}
	return io.MultiReader(s.input, cutOff{})
}

// snappy decompresses one block; VictoriaMetrics knows no streams of snappy.
func (s *source) snappy() ([]byte, error) {
	if !s.Whole {
		return nil, errPart
	}
	n, err := snappy.DecodedLen(s.Bytes)
	switch {
	case err != nil:
		return nil, err
	case n > largestBlock:
		return nil, errLarge
	case n > snappyRatio*len(s.Bytes):
		return nil, snappy.ErrCorrupt
	}
	return snappy.Decode(nil, s.Bytes)
}

// lines gives each line to f, without what ends it, and returns the last one when that is not complete.
func lines(r *bufio.Reader, f func(line []byte) error) (rest []byte, err error) {
	var long []byte // a line that the reader's buffer does not hold
	for {
		line, err := r.ReadSlice('\n')
		if len(long) > 0 || err == bufio.ErrBufferFull {
			long = append(long, line...)
			line = long
		}
		switch err {
		case bufio.ErrBufferFull:
			continue
		case nil, io.EOF:
			if ferr := f(bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))); ferr != nil {
				return nil, ferr
			}
			if err != nil {
				return nil, nil
			}
			long = long[:0]
		default:
			return line, err
		}
	}
}

type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// bounded lets left more bytes of a source be read.
type bounded struct {
	of   *source
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		b.of.full = true
		return 0, io.ErrUnexpectedEOF
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
