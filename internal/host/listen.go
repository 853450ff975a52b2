package host

import (
	"errors"
	"io"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Listen listens on the laptop. It returns the operating system's error: syscall.EADDRINUSE,
// fs.ErrPermission and the like.
func Listen(network, addr string) (net.Listener, error) {
	l, err := net.Listen(network, addr)
	var failed *os.SyscallError
	if errors.As(err, &failed) {
		err = failed.Err
	}
	return l, err
}

// Hangup returns a channel that is closed when the reader at the other end of a pipe or socket is
// gone. For any other writer it is never closed.
func Hangup(w io.Writer) <-chan struct{} {
	gone := make(chan struct{})
	f, ok := w.(*os.File)
	if !ok {
		return gone
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return gone
	}
	var fd int32
	if raw.Control(func(n uintptr) { fd = int32(n) }) != nil {
		return gone
	}
	go func() {
		for {
			// Errors and hangups are always reported (poll(2)).
			fds := []unix.PollFd{{Fd: fd}}
			switch _, err := unix.Poll(fds, -1); {
			case errors.Is(err, unix.EINTR):
			case err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0:
				close(gone)
				return
			default:
				return
			}
		}
	}()
	return gone
}
