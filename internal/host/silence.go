package host

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// lastLook is how long to read on from a peer after its deadline: data may have arrived in time
// while this program had no processor.
const lastLook = 100 * time.Millisecond

// ReadOnceMore reads from a connection, and a second time if the read deadline passed without any
// data. extend extends the deadline; it returns false if that is not allowed.
func ReadOnceMore(conn net.Conn, p []byte, extend func(time.Duration) bool) (int, error) {
	n, err := conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && extend(lastLook) {
		return conn.Read(p)
	}
	return n, err
}

// Alive reports whether an address accepts or refuses a connection in time. Both are signs of life.
func Alive(ctx context.Context, h Host, addr string, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}

// UnreachableAtOnce reports whether connecting fails at once with "no route to host". If a neighbor
// does not answer, it takes seconds, or the error is "down".
func UnreachableAtOnce(ctx context.Context, h Host, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.EHOSTUNREACH)
}

// atOnce is shorter than the kernel waits for a neighbor that does not answer.
const atOnce = 500 * time.Millisecond
