package host

import (
	"context"
	"net"
	"syscall"
)

// SmallDialer is a Laptop that can open TCP connections on which neither end sends segments of more
// than mss bytes. They pass tunnels that silently lose large packets (a path MTU black hole, RFC
// 2923).
type SmallDialer interface {
	DialSmall(ctx context.Context, addr string, mss int) (net.Conn, error)
}

// DialSmall implements SmallDialer. The SYN announces the limit to the other end, so it is set
// before connecting (tcp(7), TCP_MAXSEG).
func (l *Local) DialSmall(ctx context.Context, addr string, mss int) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, mss)
		}); cerr != nil {
			return cerr
		}
		return err
	}}
	return d.DialContext(ctx, "tcp", addr)
}
