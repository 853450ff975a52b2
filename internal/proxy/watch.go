package proxy

import (
	"net"
	"syscall"
	"time"
)

// halfClose is how long after close_notify a TCP FIN may still mean that the client only closes its own
// direction. Some TLS libraries send both together, crypto/tls does not. The time is for busy computers.
const halfClose = 250 * time.Millisecond

// watch waits until a client goes away that has sent close_notify, and calls gone. Nothing else would
// notice, because TLS reads no more from it. A FIN long after close_notify means that the client is
// gone. After one that comes with close_notify the client may still read; then only a reset shows
// that it is gone, in answer to output or to a keepalive probe.
func watch(conn net.Conn, gone func()) {
	defer gone()
	c, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	began := time.Now()
	fin := false
	// Read calls the function whenever the socket's state changes, until it returns true.
	_ = raw.Read(func(fd uintptr) bool {
		if code, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ERROR); err != nil || code != 0 {
			return true
		}
		if fin {
			return false
		}
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 512), syscall.MSG_PEEK)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			return false
		case err != nil || n > 0: // nothing may follow close_notify
			return true
		}
		fin = time.Since(began) < halfClose
		return !fin
	})
}
