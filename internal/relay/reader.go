package relay

import (
	"io"
	"sync"
	"syscall"
)

const (
	// size is how much is read at once.
	size = 64 << 10
	// idle is how much a stream that does not tell when it is readable holds while it
	// waits: most streams of a docker host wait most of the time.
	idle = 2 << 10
)

var buffers = sync.Pool{New: func() any { return new([size]byte) }}

// source reads a stream piece by piece.
type source interface {
	// next is the next piece, which is valid until next is called again, and the error
	// that the stream ends with.
	next() ([]byte, error)
	release()
}

func reader(src io.Reader) source {
	if c, ok := src.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			p := &polled{raw: raw}
			p.tryOnce = p.try
			return p
		}
	}
	return &plain{src: src}
}

// polled reads a socket. It has a buffer only while there is something to read.
type polled struct {
	raw     syscall.RawConn
	tryOnce func(fd uintptr) bool // try, made a function once and not for each piece
	buf     *[size]byte
	n       int
	err     error
}

func (p *polled) next() ([]byte, error) {
	if err := p.raw.Read(p.tryOnce); err != nil {
		return nil, err
	}
	switch {
	case p.err != nil:
		return nil, p.err
	case p.n == 0:
		return nil, io.EOF
	}
	return p.buf[:p.n], nil
}

// try reads what is there. It reports whether that was something, or an end.
func (p *polled) try(fd uintptr) bool {
	if p.buf == nil {
		p.buf = buffers.Get().(*[size]byte)
	}
	for {
		if p.n, p.err = syscall.Read(int(fd), p.buf[:]); p.err != syscall.EINTR {
			break
		}
	}
	if p.err == syscall.EAGAIN {
		p.release()
		return false
	}
	return true
}

func (p *polled) release() {
	if p.buf != nil {
		buffers.Put(p.buf)
		p.buf = nil
	}
}

// plain reads any other stream: with a small buffer while little comes, with a large one
// while that is filled.
type plain struct {
	src   io.Reader
	small []byte
	buf   *[size]byte
}

func (p *plain) next() ([]byte, error) {
	if p.buf != nil {
		n, err := p.src.Read(p.buf[:])
		data := p.buf[:n]
		if n > idle || err != nil {
			return data, err
		}
		if p.small == nil {
			p.small = make([]byte, idle)
		}
		copy(p.small, data)
		p.release()
		return p.small[:n], nil
	}
	if p.small == nil {
		p.small = make([]byte, idle)
	}
	n, err := p.src.Read(p.small)
	if n == len(p.small) {
		p.buf = buffers.Get().(*[size]byte)
	}
	return p.small[:n], err
}

func (p *plain) release() {
	if p.buf != nil {
		buffers.Put(p.buf)
		p.buf = nil
	}
}
