package proxy

import (
	"net"
	"syscall"
	"time"
)

// halfClose is how soon after close_notify a client that only ends its direction also ends
// the TCP connection's (some TLS libraries do, crypto/tls does not). They do it at once; more
// is for a computer that is busy.
const halfClose = 250 * time.Millisecond

// watch waits until a client is gone that has sent close_notify, and calls gone. TLS reads no
// more from it, so that nothing else would notice. A TCP FIN that comes later than close_notify
// is the end of the client; one that comes with it may end one direction only, and then a
// reset tells: by the client's answer to output, or to a keepalive probe.
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
	// Read calls the function whenever something has happened to the socket.
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
