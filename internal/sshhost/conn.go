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
	// maxHead is how much of what the server sends first is remembered as evidence.
	maxHead = 4096
	// maxHold is how long our first line waits for the server's: some servers wait for
	// ours.
	maxHold = 500 * time.Millisecond
)

// observedConn is the TCP connection. It remembers what a failed login is explained by:
// how much was received and sent, what came first, and the first error.
type observedConn struct {
	net.Conn
	start time.Time

	mu             sync.Mutex
	received, sent int64
	head           []byte        // the beginning of what was received
	maxSilence     time.Duration // how long the server may send nothing
	limitSilence   bool          // until the server has shown its host key
	expired        bool
	err            error // the first error of the connection itself

	// Our own first line is held back until the server has sent its own: whether the
	// connection is cut before or after shows whether it is cut because of our line.
	sending  sync.Mutex
	held     []byte
	released bool
	gathered *gatherer // nil: what is written is sent at once
}

func observe(c net.Conn, maxSilence time.Duration) *observedConn {
	o := &observedConn{Conn: c, start: time.Now(), maxSilence: maxSilence, limitSilence: true}
	c.SetReadDeadline(o.start.Add(maxSilence))
	time.AfterFunc(maxHold, func() { _ = o.release() })
	return o
}

// release sends what was held back. From then on nothing is held back.
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
		_ = o.release() // its error shows in what is read next
	}
	return n, err
}

// extend lets the server be silent for longer if it was its silence that ended a read.
func (o *observedConn) extend(silence time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.limitSilence || o.expired {
		return false
	}
	o.Conn.SetReadDeadline(time.Now().Add(silence))
	return true
}

// record remembers what was read. It reports whether the server has identified itself
// and still has to show its host key.
func (o *observedConn) record(p []byte, err error) (identified bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.received += int64(len(p))
	o.recordError(err)
	o.head = append(o.head, p[:min(len(p), maxHead-len(o.head))]...)
	// Bytes that are no identification line do not buy time.
	if !o.limitSilence || len(p) == 0 || identLine(o.head) == "" {
		return false
	}
	if !o.expired {
		o.Conn.SetReadDeadline(time.Now().Add(o.maxSilence))
	}
	return true
}

// allowSilence ends the limit on silence: the server has shown its host key, and may look
// things up before it lets us in.
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

// gather makes writes fewer, because there are streams now.
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

// recordError remembers the first error: x/crypto/ssh reports a reset as an EOF.
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

// expire makes every read and write fail from now on.
func (o *observedConn) expire() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expired = true
	o.Conn.SetDeadline(time.Unix(1, 0))
}

// liftDeadlines ends the limits of the handshake.
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

// firstWords are the identification line, if there is one, and the beginning of
// everything that was received.
func (o *observedConn) firstWords() (ident, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return identLine(o.head), strings.ToValidUTF8(string(o.head[:min(len(o.head), 256)]), "?")
}

// identLine finds the line that begins with "SSH-": a server may send other
// lines before it (RFC 4253, section 4.2).
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
