package samples

import (
	"errors"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
)

// message is one of protobuf, or its beginning.
type message struct {
	bytes []byte
	cut   bool
}

// field is one of a message. Nothing is known of the bytes that a cut one lacks.
type field struct {
	number protowire.Number
	wire   protowire.Type
	message
}

var errProtobuf = errors.New("the body is not valid protobuf")

// fields gives each field of a message to f. The last one of a message that is cut may be cut, too.
func (m message) fields(f func(field) error) error {
	for rest := m.bytes; len(rest) > 0; {
		number, wire, n := protowire.ConsumeTag(rest)
		if n < 0 {
			return m.bad(n)
		}
		rest = rest[n:]
		v := field{number: number, wire: wire}
		switch wire {
		case protowire.BytesType:
			size, n := protowire.ConsumeVarint(rest)
			if n < 0 {
				return m.bad(n)
			}
			rest = rest[n:]
			if v.cut = size > uint64(len(rest)); v.cut && !m.cut {
				return errProtobuf
			}
			v.bytes = rest[:min(size, uint64(len(rest)))]
		case protowire.VarintType, protowire.Fixed32Type, protowire.Fixed64Type:
			n := protowire.ConsumeFieldValue(number, wire, rest)
			if n < 0 {
				return m.bad(n)
			}
			v.bytes = rest[:n]
		default: // groups, which VictoriaMetrics refuses, and which would nest
			return errProtobuf
		}
		if err := f(v); err != nil {
			return err
		}
		rest = rest[len(v.bytes):]
	}
	return nil
}

// bad tells what a code of protowire says.
func (m message) bad(code int) error {
	if m.cut && errors.Is(protowire.ParseError(code), io.ErrUnexpectedEOF) {
		return nil
	}
	return errProtobuf
}

// sum adds up what f counts in the fields of a number that hold messages.
func (m message) sum(number protowire.Number, f func(message) (int, error)) (int, error) {
	total := 0
	err := m.fields(func(v field) error {
		if v.number != number || v.wire != protowire.BytesType {
			return nil
		}
		n, err := f(v.message)
		total += n
		return err
	})
	return total, err
}

// one counts a message that is complete.
func one(m message) (int, error) {
	if m.cut {
		return 0, nil
	}
	return 1, nil
}

// each gives the elements of a repeated field of numbers to f. Wire says how they are written when they are packed.
func (v field) each(wire protowire.Type, f func(field)) error {
	if v.wire != protowire.BytesType {
		f(v)
		return nil
	}
	for rest := v.bytes; len(rest) > 0; {
		n := protowire.ConsumeFieldValue(v.number, wire, rest)
		if n < 0 {
			return errProtobuf
		}
		f(field{number: v.number, wire: wire, message: message{bytes: rest[:n]}})
		rest = rest[n:]
	}
	return nil
}

// positive gives 1 for an unsigned number above 0.
func (v field) positive() int {
	for _, b := range v.bytes {
		if b&0x7f != 0 || v.wire != protowire.VarintType && b != 0 {
			return 1
		}
	}
	return 0
}
