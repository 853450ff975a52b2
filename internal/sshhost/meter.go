package sshhost

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// maxHead is how much of what the server says first is kept as evidence.
const maxHead = 4096

// meter is the TCP connection, counted: how much came, when, and what came first.
type meter struct {
	net.Conn
	start time.Time

	mu      sync.Mutex
	n, out  int64
	head    []byte
	silence time.Duration // how long the server may say nothing, until it has shown its host key
	waiting bool
	expired bool
	broken  error // the first error of the connection itself

	// Our own first line is held back until the server has said its own: what cuts
	// the connection then shows whether it is our words that it does not like.
	wmu  sync.Mutex
	held []byte
	free bool
}

// maxHold is for a server that waits for our line first.
const maxHold = 500 * time.Millisecond

func newMeter(c net.Conn, silence time.Duration) *meter {
	m := &meter{Conn: c, start: time.Now(), silence: silence, waiting: true}
	c.SetReadDeadline(m.start.Add(silence))
	time.AfterFunc(maxHold, func() { _ = m.release() })
	return m
}

// release sends what was held back, and holds nothing from now on.
func (m *meter) release() error {
	m.wmu.Lock()
	defer m.wmu.Unlock()
	held := m.held
	m.held, m.free = nil, true
	if len(held) == 0 {
		return nil
	}
	_, err := m.send(held)
	return err
}

// lastLook is how long a silent server is listened to after its time: what came
// while this program had no processor has come in time.
const lastLook = 100 * time.Millisecond

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && m.lookAgain() {
		n, err = m.Conn.Read(p)
	}
	if m.account(p, n, err) {
		_ = m.release() // a failure shows in what comes next
	}
	return n, err
}

// lookAgain gives the server its last moment, if it was its silence that ended the wait.
func (m *meter) lookAgain() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.waiting || m.expired {
		return false
	}
	m.Conn.SetReadDeadline(time.Now().Add(lastLook))
	return true
}

// account notes what was read, and reports whether the server has just said who it is.
func (m *meter) account(p []byte, n int, err error) (greeted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n += int64(n)
	m.note(err)
	if room := maxHead - len(m.head); room > 0 && n > 0 {
		m.head = append(m.head, p[:min(n, room)]...)
	}
	// Bytes that are no identification line do not buy time.
	if !m.waiting || n <= 0 || identLine(m.head) == "" {
		return false
	}
	if !m.expired {
		m.Conn.SetReadDeadline(time.Now().Add(m.silence))
	}
	return true
}

// patient lifts the limit on silence: the server knows us now, and may look
// things up before it lets us in.
func (m *meter) patient() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = false
	if !m.expired {
		m.Conn.SetReadDeadline(time.Time{})
	}
}

func (m *meter) Write(p []byte) (int, error) {
	m.wmu.Lock()
	defer m.wmu.Unlock()
	if !m.free {
		m.held = append(m.held, p...)
		return len(p), nil
	}
	return m.send(p)
}

func (m *meter) send(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out += int64(n)
	m.note(err)
	return n, err
}

// note keeps the first error: x/crypto/ssh turns a reset into an EOF on its way up.
func (m *meter) note(err error) {
	if m.broken == nil {
		m.broken = err
	}
}

func (m *meter) wire() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.broken
}

// expire makes every read and write fail from now on.
func (m *meter) expire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expired = true
	m.Conn.SetDeadline(time.Unix(1, 0))
}

// established lifts the deadlines of the handshake.
func (m *meter) established() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = false
	m.Conn.SetDeadline(time.Time{})
}

// bytes counts what was received and what was sent.
func (m *meter) bytes() (in, out int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n, m.out
}

func (m *meter) age() time.Duration { return time.Since(m.start) }

// said is the identification line, if any, and the beginning of everything that came.
func (m *meter) said() (ident, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return identLine(m.head), strings.ToValidUTF8(string(m.head[:min(len(m.head), 256)]), "?")
}

// identLine finds the line that begins with "SSH-": a server may say other
// things before it (RFC 4253, section 4.2).
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
