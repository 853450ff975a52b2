package host

import (
	"context"
	"net"
	"syscall"
)

// SmallDialer is a Laptop that can open TCP connections on which neither end
// sends a segment of more than mss bytes: what passes a tunnel that loses large
// packets without a word (a path MTU black hole, RFC 2923).
type SmallDialer interface {
	DialSmall(ctx context.Context, addr string, mss int) (net.Conn, error)
}

// DialSmall implements SmallDialer. The limit is announced to the other end in
// the SYN, so it has to be set before (tcp(7), TCP_MAXSEG).
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
