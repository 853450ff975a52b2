package sshhost

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

const (
	// maxHead is how many bytes of what the server sends first are kept as evidence.
	maxHead = 4096
	// maxHold is how long our first line waits for the server's. It must not wait for ever, because
	// some servers wait for ours.
	maxHold = 500 * time.Millisecond
)

// observedConn is the TCP connection. It keeps the evidence that explains a failed login: how many
// bytes were received and sent, what was received first, and the first error.
type observedConn struct {
	net.Conn
	start time.Time

	mu             sync.Mutex
	received, sent int64
	head           []byte        // what was received first, at most maxHead bytes
	maxSilence     time.Duration // how long the server may send nothing
	limitSilence   bool          // maxSilence applies, until the server has shown its host key
	expired        bool          // see expire
	err            error         // the first error of the connection itself

	// Our own first line is held back until the server has sent its own. If the connection is cut,
	// that shows whether our line was the reason.
	sending  sync.Mutex
	held     []byte
	released bool
	gathered *gatherer // nil if data is sent as soon as it is written
}

func observe(c net.Conn, maxSilence time.Duration) *observedConn {
	o := &observedConn{Conn: c, start: time.Now(), maxSilence: maxSilence, limitSilence: true}
	c.SetReadDeadline(o.start.Add(maxSilence))
	time.AfterFunc(maxHold, func() { _ = o.release() })
	return o
}

// release sends what was held back, and ends holding back.
func (o *observedConn) release() error {
	o.sending.Lock()
	defer o.sending.Unlock()
	held := o.held
	o.held, o.released = nil, true
	if len(held) == 0 {
		return nil
	}
	_, err := o.send(held)
	return err
}

func (o *observedConn) Read(p []byte) (int, error) {
	n, err := host.ReadOnceMore(o.Conn, p, o.extend)
	if o.record(p[:n], err) {
		_ = o.release() // if it fails, the next read fails, too
	}
	return n, err
}

// extend sets a new deadline for a read. It returns false if it was not the server's silence that
// ended the last one.
func (o *observedConn) extend(silence time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.limitSilence || o.expired {
		return false
	}
	o.Conn.SetReadDeadline(time.Now().Add(silence))
	return true
}

// record records what was read. identified reports whether the server has identified itself but not
// shown its host key yet.
func (o *observedConn) record(p []byte, err error) (identified bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.received += int64(len(p))
	o.recordError(err)
	o.head = append(o.head, p[:min(len(p), maxHead-len(o.head))]...)
	// Bytes before the identification line do not extend the deadline.
	if !o.limitSilence || len(p) == 0 || identLine(o.head) == "" {
		return false
	}
	if !o.expired {
		o.Conn.SetReadDeadline(time.Now().Add(o.maxSilence))
	}
	return true
}

// allowSilence ends the limit on silence: the server has shown its host key, and authentication may
// take long.
func (o *observedConn) allowSilence() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limitSilence = false
	if !o.expired {
		o.Conn.SetReadDeadline(time.Time{})
	}
}

func (o *observedConn) Write(p []byte) (int, error) {
	o.sending.Lock()
	defer o.sending.Unlock()
	if !o.released {
		o.held = append(o.held, p...)
		return len(p), nil
	}
	if o.gathered != nil {
		return o.gathered.Write(p)
	}
	return o.send(p)
}

// gather makes further writes go through a gatherer. It is called once there are streams.
func (o *observedConn) gather() {
	o.sending.Lock()
	defer o.sending.Unlock()
	if o.gathered == nil {
		o.gathered = newGatherer(o.send)
	}
}

func (o *observedConn) send(p []byte) (int, error) {
	n, err := o.Conn.Write(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent += int64(n)
	o.recordError(err)
	return n, err
}

// recordError records the first error, because x/crypto/ssh reports a reset as an EOF.
func (o *observedConn) recordError(err error) {
	if o.err == nil {
		o.err = err
	}
}

func (o *observedConn) firstError() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// expire makes all reads and writes fail from now on.
func (o *observedConn) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expired = true
	o.Conn.SetDeadline(time.Unix(1, 0))
}

// liftDeadlines removes the deadlines of the handshake.
func (o *observedConn) liftDeadlines() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.limitSilence = false
	o.Conn.SetDeadline(time.Time{})
}

func (o *observedConn) counts() (received, sent int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.received, o.sent
}

// firstReceived returns the server's identification line, or "", and the beginning of all that was
// received.
func (o *observedConn) firstReceived() (ident, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return identLine(o.head), strings.ToValidUTF8(string(o.head[:min(len(o.head), 256)]), "?")
}

// identLine returns the line that begins with "SSH-", or "". A server may send other lines before
// it (RFC 4253, section 4.2).
func identLine(head []byte) string {
	for len(head) > 0 {
		line, rest, whole := bytes.Cut(head, []byte("\n"))
		if !whole {
			return ""
		}
		if bytes.HasPrefix(line, []byte("SSH-")) {
			return strings.ToValidUTF8(string(bytes.TrimRight(line, "\r")), "?")
		}
		head = rest
	}
	return ""
}
