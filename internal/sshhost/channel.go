package sshhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// DialContext connects from the docker host: "tcp" to host:port, "unix" to the
// path of a socket (direct-streamlocal@openssh.com, OpenSSH 6.7 and later). The
// login user's rights decide. Unlike x/crypto's own channels the connection
// knows deadlines and can be closed for writing alone. Errors are an *Error in
// StageSession; errors.Is knows syscall.ECONNREFUSED and fs.ErrPermission where
// the server says so.
func (c *Client) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var kind string
	var payload []byte
	switch network {
	case "tcp", "tcp4", "tcp6":
		h, p, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("ssh: dialing %s: %w", addr, err)
		}
		port, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("ssh: dialing %s: %w", addr, err)
		}
		kind = "direct-tcpip" // RFC 4254, section 7.2
		payload = ssh.Marshal(struct {
			Host       string
			Port       uint32
			Origin     string
			OriginPort uint32
		}{h, uint32(port), "127.0.0.1", 0})
	case "unix":
		kind = "direct-streamlocal@openssh.com" // OpenSSH's PROTOCOL, section 2.4
		payload = ssh.Marshal(struct {
			Path     string
			Reserved string
			Zero     uint32
		}{addr, "", 0})
	default:
		return nil, fmt.Errorf("ssh: dialing %s: %w", network, net.UnknownNetworkError(network))
	}
	ch, reqs, err := c.open(ctx, kind, payload)
	if err != nil {
		e := c.sessionError(ctx, "dialing "+network+" "+addr, err).(*Error)
		if refusal, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
			e.Cause, e.Err = refusedChannel(refusal)
		}
		return nil, e
	}
	go ssh.DiscardRequests(reqs)
	go io.Copy(io.Discard, ch.Stderr())
	return newChanConn(ch, network, addr), nil
}

// refusedChannel maps a refusal. OpenSSH says "connect failed" with strerror's
// text for TCP, and "open failed" alone for a socket.
func refusedChannel(e *ssh.OpenChannelError) (Cause, error) {
	text := strings.ToLower(e.Message)
	switch {
	case e.Reason == ssh.Prohibited, strings.Contains(text, "permission denied"):
		return Denied, fmt.Errorf("%w: %w", e, fs.ErrPermission)
	case strings.Contains(text, "refused"):
		return Refused, fmt.Errorf("%w: %w", e, syscall.ECONNREFUSED)
	case strings.Contains(text, "timed out"):
		return Timeout, e
	case strings.Contains(text, "no route"), strings.Contains(text, "unreachable"):
		return Unreachable, e
	}
	return Other, e
}

// chanConn is a channel as a net.Conn.
type chanConn struct {
	ch     ssh.Channel
	remote chanAddr
	reads  chan chunk
	taken  chan struct{} // the chunk is used up, its buffer may be filled again
	closed chan struct{}
	once   sync.Once

	rd, wd deadline

	rmu     sync.Mutex
	rest    []byte
	readErr error

	wmu      sync.Mutex
	writeErr error
}

type chunk struct {
	data []byte
	err  error
}

type chanAddr struct{ network, addr string }

func (a chanAddr) Network() string { return a.network }
func (a chanAddr) String() string  { return a.addr }

func newChanConn(ch ssh.Channel, network, addr string) *chanConn {
	c := &chanConn{ch: ch, remote: chanAddr{network, addr}, reads: make(chan chunk), taken: make(chan struct{}), closed: make(chan struct{})}
	c.rd.init()
	c.wd.init()
	go c.pump()
	return c
}

func (c *chanConn) pump() {
	buf := make([]byte, 32<<10)
	for {
		n, err := c.ch.Read(buf)
		select {
		case c.reads <- chunk{buf[:n], err}:
		case <-c.closed:
			return
		}
		if err != nil {
			return
		}
		select {
		case <-c.taken:
		case <-c.closed:
			return
		}
	}
}

func (c *chanConn) Read(p []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if c.rd.past() {
		return 0, c.fail("read", os.ErrDeadlineExceeded)
	}
	if len(p) == 0 {
		return 0, nil
	}
	for len(c.rest) == 0 {
		if c.readErr != nil {
			return 0, c.readErr
		}
		select {
		case got := <-c.reads:
			c.rest, c.readErr = got.data, got.err
			if len(c.rest) == 0 && c.readErr == nil {
				c.release()
			}
		case <-c.rd.wait():
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case <-c.closed:
			return 0, c.fail("read", net.ErrClosed)
		}
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 && c.readErr == nil {
		c.release()
	}
	return n, nil
}

func (c *chanConn) release() {
	select {
	case c.taken <- struct{}{}:
	case <-c.closed:
	}
}

// Write returns when the channel has taken all. After a deadline has cut one
// short, how much went out is not known, and no further write is possible.
func (c *chanConn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	if c.wd.past() {
		return 0, c.fail("write", os.ErrDeadlineExceeded)
	}
	type written struct {
		n   int
		err error
	}
	done := make(chan written, 1)
	// A copy, because the caller may use p again after a deadline.
	data := append([]byte(nil), p...)
	go func() {
		n, err := c.ch.Write(data)
		done <- written{n, err}
	}()
	select {
	case w := <-done:
		return w.n, w.err
	case <-c.wd.wait():
		c.writeErr = c.fail("write", os.ErrDeadlineExceeded)
	case <-c.closed:
		c.writeErr = c.fail("write", net.ErrClosed)
	}
	return 0, c.writeErr
}

// CloseWrite reports that no more will come, and leaves the other direction open.
func (c *chanConn) CloseWrite() error { return c.ch.CloseWrite() }

func (c *chanConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		go c.ch.Close()
	})
	return nil
}

func (c *chanConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: c.remote.network, Addr: c.remote, Err: err}
}

func (c *chanConn) LocalAddr() net.Addr                { return chanAddr{c.remote.network, "ssh"} }
func (c *chanConn) RemoteAddr() net.Addr               { return c.remote }
func (c *chanConn) SetDeadline(t time.Time) error      { c.rd.set(t); c.wd.set(t); return nil }
func (c *chanConn) SetReadDeadline(t time.Time) error  { c.rd.set(t); return nil }
func (c *chanConn) SetWriteDeadline(t time.Time) error { c.wd.set(t); return nil }

// deadline closes a channel when its time has come.
type deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	gone  chan struct{}
	gen   int // of set: a timer that fires after a later set has no say
}

func (d *deadline) init() { d.gone = make(chan struct{}) }

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.gen++
	select {
	case <-d.gone:
		d.gone = make(chan struct{})
	default:
	}
	wait := time.Until(t)
	switch {
	case t.IsZero():
	case wait <= 0:
		close(d.gone)
	default:
		gen := d.gen
		d.timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.gen == gen {
				close(d.gone)
			}
		})
	}
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gone
}

func (d *deadline) past() bool {
	select {
	case <-d.wait():
		return true
	default:
		return false
	}
}
