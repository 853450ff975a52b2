package host

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Loopback is the laptop's own address on which NAT rules listen. It is not configurable: docker
// reaches it by the name localhost (endpoint.Forwarded), and macOS has no other one unless it is
// added.
const Loopback = "127.0.0.1"

// connectTime is how long a listener on loopback may take to accept a connection. If it takes
// longer, the port counts as taken.
const connectTime = time.Second

// PortUse implements Laptop. It never listens, not even for a moment: VirtualBox might start
// another VM at that moment and find the port taken, or a client might reach us instead of
// VirtualBox.
func (l *Local) PortUse(ctx context.Context, port int) (PortState, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := l.DialContext(ctx, "tcp4", net.JoinHostPort(Loopback, strconv.Itoa(port)))
	if err == nil {
		return PortTaken, conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return PortTaken, nil
	}
	switch err := bindable(port); {
	case err == nil:
		return PortFree, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return PortTaken, nil
	case errors.Is(err, fs.ErrPermission):
		return PortPrivileged, nil
	default:
		return "", os.NewSyscallError("bind", err)
	}
}

// bindable returns why the port cannot be bound, or nil. Only the kernel knows which ports are
// reserved for root: Linux has a setting (ip(7), ip_unprivileged_port_start), and macOS requires
// root for 127.0.0.1 but not for 0.0.0.0 (apple/container#1985). So it binds the rule's exact
// address, as the user who runs the VM. With SO_REUSEADDR our socket, which does not listen, does
// not block another one with that option, such as VirtualBox's (Linux, socket(7)).
func bindable(port int) error {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
}
