// Package relay passes bytes between two streams, both ways. Each direction ends by
// itself: the end of data on one side is passed on, and the other direction goes on.
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
	// CloseWrite ends the direction to the peer, which then reads the end of data.
	CloseWrite() error
}

// Resetter is a Stream that can end so that its peer sees a failure. Without it a
// stream that was cut off looks to the peer like one that has ended.
type Resetter interface {
	Reset() error
}

// Result is what has passed.
type Result struct {
	AToB, BToA int64 // bytes
	// Err is the failure that has ended the relay; nil if both directions have ended by
	// themselves.
	Err error
}

// Join passes bytes between a and b until both directions have ended, and closes both. If
// reading fails, both are reset, because what came before is not all. If writing fails, the
// peer takes no more, and only that direction ends. There is no timeout: a caller that
// wants one closes a stream, or sets a deadline on it.
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
		_ = dst.CloseWrite() // it fails where the peer is gone, which the other direction notices
	}
	wg.Go(func() { one(b, a, &result.AToB) })
	one(a, b, &result.BToA)
	wg.Wait()
	_ = a.Close()
	_ = b.Close()
	return result
}

// pass passes bytes from src to dst until src ends. The error is nil at the end of src and
// where dst takes no more.
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
