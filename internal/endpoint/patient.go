package endpoint

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// patientConn is a connection whose peer may send nothing for silence at a time.
type patientConn struct {
	net.Conn
	silence time.Duration

	mu    sync.Mutex
	until time.Time // the deadline for all reading; zero if there is none
}

func (c *patientConn) Read(p []byte) (int, error) {
	c.extend(c.silence)
	return host.ReadOnceMore(c.Conn, p, c.extend)
}

// extend lets the peer be silent for so long from now on. It returns false if the deadline for all
// reading has passed.
func (c *patientConn) extend(silence time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if !c.until.IsZero() && !now.Before(c.until) {
		return false
	}
	end := now.Add(silence)
	if !c.until.IsZero() && c.until.Before(end) {
		end = c.until
	}
	return c.Conn.SetReadDeadline(end) == nil
}

func (c *patientConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.Conn.SetWriteDeadline(t))
}

func (c *patientConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	return c.Conn.SetReadDeadline(t)
}
