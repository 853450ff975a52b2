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

// client is the connection to a client. It implements relay.Stream and relay.Resetter.
type client struct {
	raw    net.Conn
	wire   *wire // raw, as the TLS connection uses it
	tls    *tls.Conn
	first  []byte        // the first bytes of the request, which were read already
	filter *filter       // lets only GET and HEAD requests through; nil without --read-only
	linger time.Duration // how long the client may take to close after everything was sent

	ended   atomic.Bool // the server has closed its direction
	watched sync.Once
	// gone is called when a client that has closed its own direction goes away.
	gone func()
}

func newClient(raw net.Conn, config *tls.Config, linger time.Duration) *client {
	w := &wire{Conn: raw}
	return &client{raw: raw, wire: w, tls: tls.Server(w, config), linger: linger}
}

// Read returns io.EOF when the client has closed its direction with close_notify of TLS, and
// io.ErrUnexpectedEOF when the connection has ended without that.
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
		err = io.EOF // nothing would read what it may still send
	case errors.Is(err, io.EOF) && c.wire.ended:
		err = io.ErrUnexpectedEOF // crypto/tls returns io.EOF in both cases
	}
	if errors.Is(err, io.EOF) && c.gone != nil {
		c.watched.Do(func() { go watch(c.raw, c.gone) })
	}
	return n, err
}

// Write sends all TLS records of p at once. crypto/tls would make one system call for each.
func (c *client) Write(p []byte) (int, error) {
	if len(p) <= oneRecord {
		return c.tls.Write(p)
	}
	c.wire.gather()
	n, err := c.tls.Write(p)
	return n, errors.Join(err, c.wire.flush())
}

// CloseWrite is called when the server has closed its direction. If a request was refused, the
// refusal is sent now, after the answers to all earlier requests.
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

// Close closes the connection. If a request was refused, it first reads what the client still
// sends: closing a connection with unread data resets it, and the client would lose the answer.
func (c *client) Close() error {
	if c.filter != nil && c.filter.refused.Load() != nil {
		drain(c.raw, c.linger)
	}
	return c.tls.Close()
}

// Reset closes the connection without close_notify, so that the client does not take what it has
// got for a complete answer.
func (c *client) Reset() error {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	return c.raw.Close()
}

// oneRecord is how many bytes fit into one TLS record (RFC 8446, 5.1).
const oneRecord = 16 << 10

// gathered are buffers for the TLS records of one Write.
var gathered = sync.Pool{New: func() any { b := make([]byte, 0, 72<<10); return &b }}

// wire is the connection below TLS.
type wire struct {
	net.Conn
	ended bool // the TCP connection has ended; without close_notify if the client was killed

	mu      sync.Mutex
	waiting *[]byte // what flush will send; nil if Write sends at once
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

// gather makes Write keep its data for flush.
func (w *wire) gather() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = gathered.Get().(*[]byte)
}

// flush sends what Write has kept, and ends gather.
func (w *wire) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.Conn.Write(*w.waiting)
	*w.waiting = (*w.waiting)[:0]
	gathered.Put(w.waiting)
	w.waiting = nil
	return err
}
