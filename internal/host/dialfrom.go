package host

import (
	"context"
	"fmt"
	"net"
)

// DialFrom connects from a given port of this computer; network is "tcp" or "udp".
func DialFrom(ctx context.Context, port int, network, addr string) (net.Conn, error) {
	d := net.Dialer{}
	switch network {
	case "tcp":
		d.LocalAddr = &net.TCPAddr{Port: port}
	case "udp":
		d.LocalAddr = &net.UDPAddr{Port: port}
	default:
		return nil, fmt.Errorf("dialing from a port over %s", network)
	}
	return d.DialContext(ctx, network, addr)
}
