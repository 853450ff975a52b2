package host

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// lastLook is how long a silent peer is read from after its time: what came while this
// program had no processor has come in time.
const lastLook = 100 * time.Millisecond

// ReadOnceMore reads from a connection, and once more where the peer was silent until the
// read deadline. extend puts that off, and reports false where it must not be.
func ReadOnceMore(conn net.Conn, p []byte, extend func(time.Duration) bool) (int, error) {
	n, err := conn.Read(p)
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && extend(lastLook) {
		return conn.Read(p)
	}
	return n, err
}

// Alive reports whether an address gives a sign of life in time: a connection, or a refusal.
func Alive(ctx context.Context, h Host, addr string, within time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err == nil || errors.Is(err, syscall.ECONNREFUSED)
}

// UnreachableAtOnce reports whether a connection ends at once with "no route to host". A neighbor
// that does not answer takes seconds, or is "down".
func UnreachableAtOnce(ctx context.Context, h Host, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, atOnce)
	defer cancel()
	conn, err := h.DialContext(ctx, "tcp", addr)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.EHOSTUNREACH)
}

// atOnce is less than the kernel waits for a neighbor that does not answer.
const atOnce = 500 * time.Millisecond
