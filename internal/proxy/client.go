package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// client is a client's side of a connection; it is a relay.Stream.
type client struct {
	raw   net.Conn
	wire  *wire // raw, as TLS has it
	tls   *tls.Conn
	first []byte // read already
	// filter, if not nil, lets through only what --read-only allows.
	filter *filter
	linger time.Duration

	ended   atomic.Bool // upstream has no more to send
	watched sync.Once
	// gone is called when the client is, after it has ended its direction.
	gone func()
}

func newClient(raw net.Conn, config *tls.Config, linger time.Duration) *client {
	w := &wire{Conn: raw}
	return &client{raw: raw, wire: w, tls: tls.Server(w, config), linger: linger}
}

// Read returns io.EOF when the client has ended its direction, with TLS's close_notify.
// One that goes without it is cut off: io.ErrUnexpectedEOF.
func (c *client) Read(p []byte) (int, error) {
	if c.filter == nil {
		return c.read(p)
	}
	return c.filter.Read(p)
}

// read is Read without the filter.
func (c *client) read(p []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(p, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	n, err := c.tls.Read(p)
	switch {
	case err != nil && c.ended.Load() && timedOut(err):
		err = io.EOF // all that it can still send has no reader
	case errors.Is(err, io.EOF) && c.wire.ended:
		err = io.ErrUnexpectedEOF // crypto/tls makes no difference
	}
	if errors.Is(err, io.EOF) && c.gone != nil {
		c.watched.Do(func() { go watch(c.raw, c.gone) })
	}
	return n, err
}

// Write sends the records of one piece of output together: crypto/tls writes each by itself.
func (c *client) Write(p []byte) (int, error) {
	if len(p) <= oneRecord {
		return c.tls.Write(p)
	}
	c.wire.gather()
	n, err := c.tls.Write(p)
	return n, errors.Join(err, c.wire.flush())
}

// CloseWrite is called when upstream has ended. If a request was refused, the answer comes
// now: behind those to all requests before it.
func (c *client) CloseWrite() error {
	if c.filter != nil {
		if answer := c.filter.answer(); answer != nil {
			if _, err := c.tls.Write(answer); err != nil {
				return err
			}
		}
	}
	c.ended.Store(true)
	_ = c.raw.SetReadDeadline(time.Now().Add(c.linger))
	return c.tls.CloseWrite()
}

// Close closes the connection. A client whose request was refused finishes sending it first: to
// close on unread data resets the connection, and the answer is lost.
func (c *client) Close() error {
	if c.filter != nil && c.filter.refused.Load() != nil {
		drain(c.raw, c.linger)
	}
	return c.tls.Close()
}

// Reset ends the connection without close_notify, which would look like a complete answer.
func (c *client) Reset() error {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return c.raw.Close()
}

// oneRecord is the most that a record of TLS has (RFC 8446, 5.1).
const oneRecord = 16 << 10

// gathered are buffers for the records of one piece of output.
var gathered = sync.Pool{New: func() any { b := make([]byte, 0, 72<<10); return &b }}

// wire is the connection below TLS.
type wire struct {
	net.Conn
	ended bool // it has ended, which a killed client's does without TLS's close_notify

	mu      sync.Mutex
	waiting *[]byte // what is to be sent together; nil while everything is sent at once
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	w.ended = errors.Is(err, io.EOF)
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		return w.Conn.Write(p)
	}
	*w.waiting = append(*w.waiting, p...)
	return len(p), nil
}

// gather makes what is written wait for flush.
func (w *wire) gather() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = gathered.Get().(*[]byte)
}

func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.Conn.Write(*w.waiting)
	*w.waiting = (*w.waiting)[:0]
	gathered.Put(w.waiting)
	w.waiting = nil
	return err
}
