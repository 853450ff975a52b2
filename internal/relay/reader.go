package relay

import (
	"io"
	"sync"
	"syscall"
)

const (
	// size is the size of a read buffer, in bytes.
	size = 64 << 10
	// idle is the size of the buffer that a stream keeps while it waits, if it must have one to
	// wait. Most streams of a docker host wait most of the time.
	idle = 2 << 10
)

var buffers = sync.Pool{New: func() any { return new([size]byte) }}

// source reads a stream piece by piece.
type source interface {
	// next returns the next piece, which is valid until the next call, and the error with which the
	// stream ends.
	next() ([]byte, error)
	// release returns the buffer to the pool.
	release()
}

// reader returns the source for a stream.
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
	tryOnce func(fd uintptr) bool // the method value p.try, allocated once instead of per piece
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

// try reads what is available. It reports whether it has read something, or the end, or an error.
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

// plain reads any other stream. It takes a large buffer when the small one is filled, and goes back
// when little comes.
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
