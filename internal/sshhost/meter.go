package sshhost

import (
	"bytes"
	"net"
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
	n       int64
	head    []byte
	waiting bool // for the identification line, under its own deadline
	expired bool
	broken  error // the first error of the connection itself
}

func newMeter(c net.Conn, forBanner time.Duration) *meter {
	m := &meter{Conn: c, start: time.Now(), waiting: true}
	c.SetReadDeadline(m.start.Add(forBanner))
	return m
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.n += int64(n)
	m.note(err)
	if room := maxHead - len(m.head); room > 0 && n > 0 {
		m.head = append(m.head, p[:min(n, room)]...)
	}
	if m.waiting && identLine(m.head) != "" {
		m.waiting = false
		if !m.expired {
			m.Conn.SetReadDeadline(time.Time{})
		}
	}
	return n, err
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.mu.Lock()
	defer m.mu.Unlock()
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

func (m *meter) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n
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
