package access

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// headSize is how much of a body is read before the request takes a slot, so that a client that trickles holds none. It is also
// how much can be sent once more when a backend fails: all of a small request, such as a query.
const headSize = 32 << 10

// smallSize is up to how many bytes a body is handed to the transport in a form that it knows to be in memory: it then sends header
// and body in one piece, which takes one system call less.
const smallSize = 8 << 10

var headPool = sync.Pool{New: func() any { return new([headSize]byte) }}

// errStale is what a transport reads that has not noticed yet that its attempt is over.
var errStale = errors.New("this attempt to send the body is over")

// body is a request's body: its head in memory, the rest still with the client. Each attempt to send it reads from the start; as
// long as nothing after the head has been read there can be another one.
type body struct {
	ctx    context.Context
	client io.Reader
	conn   *http.ResponseController
	stall  time.Duration // how long the client may send nothing
	http2  bool
	taken  atomic.Int64 // bytes that came from the client
	copy   *bodyCopy    // nil for most; set before the first attempt

	mu      sync.Mutex
	buffer  *[headSize]byte // from headPool; nil for a small body
	head    []byte
	whole   bool  // nothing follows the head
	small   bool  // whole and small; the head is a copy, since the transport reads it without asking attempt
	begun   bool  // something after the head was read
	over    bool  // all of it was read
	failed  error // the client's part of the body could not be read
	current *attempt
}

// readHead reads the head, at most until the deadline.
func (b *body) readHead(deadline time.Time) error {
	if b.client == http.NoBody {
		b.whole = true
		return nil
	}
	b.buffer = headPool.Get().(*[headSize]byte)
	if b.failed = b.setDeadline(deadline); b.failed != nil {
		return b.failed
	}
	n := 0
	for n < headSize && !b.whole {
		m, err := b.client.Read(b.buffer[n:])
		n += m
		if b.whole = err == io.EOF; err != nil && !b.whole {
			b.failed = err
			return err
		}
	}
	b.head = b.buffer[:n]
	b.taken.Store(int64(n))
	if b.small = b.whole && n <= smallSize; b.small {
		b.head = bytes.Clone(b.head)
		headPool.Put(b.buffer)
		b.buffer = nil
	}
	b.failed = b.setDeadline(time.Time{})
	return b.failed
}

// setDeadline bounds the next reads from the client. When a request is cut off, its context ends before cut sets a deadline of its
// own, so looking at the context afterwards is enough to lose neither.
func (b *body) setDeadline(deadline time.Time) error {
	if err := b.conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	return b.ctx.Err()
}

// attempt begins to send the body, from its start, and ends the attempt before. It must not be called unless canResend.
func (b *body) attempt() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.small {
		return io.NopCloser(bytes.NewReader(b.head))
	}
	b.current = &attempt{body: b}
	return b.current
}

// canResend reports whether the whole body can still be sent.
func (b *body) canResend() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.begun && b.failed == nil
}

// clientFailed gives the error that ended reading from the client.
func (b *body) clientFailed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// hurry bounds how long net/http waits for the rest of a body that the backend has answered without: it does so before it sends
// the answer.
func (b *body) hurry() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.whole || b.over || b.failed != nil {
		return
	}
	if b.setDeadline(time.Now().Add(b.stall)) != nil {
		_ = b.conn.SetReadDeadline(time.Now()) // what cut has set
	}
}

// release ends the last attempt: a transport may still be reading after it has given its answer.
func (b *body) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.current = nil
	if b.buffer != nil {
		headPool.Put(b.buffer)
		b.buffer, b.head = nil, nil
	}
}

// attempt is the body as one round trip reads it.
type attempt struct {
	body *body
	off  int
}

// Close does nothing: the transport closes a body that another attempt may still send.
func (a *attempt) Close() error { return nil }

func (a *attempt) Read(p []byte) (int, error) {
	n, rest, err := a.readKept(p)
	if !rest {
		return n, err
	}
	n, err = a.body.client.Read(p) // without the lock, as it may take long
	a.body.taken.Add(int64(n))
	if a.body.copy != nil {
		a.body.copyPiece(a, p[:n])
	}
	if err != nil {
		err = a.body.ended(a, err)
	} else if a.body.http2 {
		a.body.relax(a)
	}
	return n, err
}

// readKept reads from the head. Rest says that what follows it is to be read from the client, for which there is a deadline now.
func (a *attempt) readKept(p []byte) (n int, rest bool, err error) {
	b := a.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.current != a:
		return 0, false, errStale
	case a.off < len(b.head):
		n = copy(p, b.head[a.off:])
		a.off += n
		return n, false, nil
	case b.whole:
		return 0, false, io.EOF
	case b.failed == nil:
		b.begun = true
		b.failed = b.setDeadline(time.Now().Add(b.stall))
	}
	return 0, b.failed == nil, b.failed
}

// copyPiece adds what was just read from the client to the copy, unless the exchange has ended meanwhile.
func (b *body) copyPiece(a *attempt, p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current == a {
		b.copy.add(p)
	}
}

// relax takes the deadline off while the backend is waited for. In HTTP/1 it only counts while something is read; in HTTP/2 it ends the
// body when it passes.
func (b *body) relax(a *attempt) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.current == a && b.failed == nil {
		_ = b.setDeadline(time.Time{})
	}
}

// ended notes how reading from the client came to its end.
func (b *body) ended(a *attempt, err error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.current != a: // the connection may be at its next request already
		return errStale
	case err == io.EOF:
		b.over = true
		// From now on the server watches the connection for a client that goes away; a deadline would look like one.
		if b.failed = b.setDeadline(time.Time{}); b.failed != nil {
			return b.failed
		}
	default:
		b.failed = err
	}
	return err
}
