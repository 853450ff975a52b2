// Package relay passes bytes between two streams in both directions. The directions end
// independently: the end of data on one side is passed on, and the other direction continues.
package relay

import (
	"errors"
	"io"
	"net"
	"sync"
)

// Stream is one side of a relay: a TCP, unix or TLS connection, an SSH channel.
type Stream interface {
	io.ReadWriteCloser
	// CloseWrite closes the direction to the peer, which then reads the end of data.
	CloseWrite() error
}

// Resetter is a Stream that can end so that its peer sees a failure. To the peer of any other Stream
// a failure looks like the end of data.
type Resetter interface {
	Reset() error
}

// Result is the outcome of Join.
type Result struct {
	AToB, BToA int64 // bytes that were passed
	// Err is the failure that has ended the relay; nil if both directions have ended normally.
	Err error
}

// Join passes bytes between a and b until both directions have ended, and closes both. If reading fails it
// resets both, because the data is incomplete. If writing fails, the peer accepts no more data, and only that
// direction ends. There is no timeout; a caller can close a stream, or set a deadline on it.
func Join(a, b Stream) Result {
	var (
		result Result
		once   sync.Once
		wg     sync.WaitGroup
	)
	fail := func(err error) {
		once.Do(func() {
			result.Err = err
			reset(a)
			reset(b)
		})
	}
	one := func(dst, src Stream, n *int64) {
		var err error
		if *n, err = pass(dst, src); err != nil {
			fail(err)
			return
		}
		_ = dst.CloseWrite() // fails if the peer is gone, which the other direction notices
	}
	wg.Go(func() { one(b, a, &result.AToB) })
	one(a, b, &result.BToA)
	wg.Wait()
	_ = a.Close()
	_ = b.Close()
	return result
}

// pass passes bytes from src to dst. It returns nil at the end of src, and when dst accepts no more.
func pass(dst io.Writer, src io.Reader) (n int64, err error) {
	read := reader(src)
	defer read.release()
	for {
		data, err := read.next()
		if len(data) > 0 {
			written, werr := dst.Write(data)
			n += int64(written)
			if werr != nil {
				return n, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// reset closes a stream so that its peer sees a failure, if it can do that.
func reset(s Stream) {
	switch c := s.(type) {
	case Resetter:
		_ = c.Reset()
	case *net.TCPConn:
		_ = c.SetLinger(0)
		_ = c.Close()
	default:
		_ = s.Close()
	}
}
