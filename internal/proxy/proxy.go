// Package proxy puts mutual TLS in front of a docker socket. Who a client is is verified once
// per connection; then bytes pass as they are, so that everything that docker does works,
// now and later: attach, exec, BuildKit, output long after the input has ended.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// Dialer connects to the docker socket.
type Dialer func(ctx context.Context) (relay.Stream, error)

// Options are what a Server does, but for whom it lets in.
type Options struct {
	Dial Dialer
	// ReadOnly lets only GET and HEAD requests through.
	ReadOnly bool
	// MaxConnections is how many clients are connected to the docker socket at once.
	MaxConnections int
	// Log gets one Event for each connection, when it ends. It may be called concurrently.
	Log func(Event)
	Now func() time.Time
}

// Event is a connection that has ended.
type Event struct {
	Began      time.Time
	Took       time.Duration
	Client     string // its address
	CommonName string // of its certificate, whether good or not
	In, Out    int64  // bytes from the client and to it, without TLS
	// Status is the HTTP status of a refusal, 0 if there was none; Reason is why it was
	// refused, or why it failed.
	Status int
	Reason string
}

// times are the deadlines. A stream that has begun has none.
type times struct {
	handshake time.Duration // TLS
	head      time.Duration // from then until the first byte, and for the rest of a head
	slot      time.Duration // waiting for another client to leave
	dial      time.Duration // connecting to the docker socket
	linger    time.Duration // for the client to leave after everything has been sent
}

var defaultTimes = times{handshake: 10 * time.Second, head: 20 * time.Second, slot: 10 * time.Second, dial: 10 * time.Second, linger: 5 * time.Second}

// Server serves clients until it is shut down.
type Server struct {
	Options
	times       times
	credentials atomic.Pointer[Credentials]
	slots       chan struct{}
	arrivals    arrivals

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	wg     sync.WaitGroup
}

// New makes a Server.
func New(o Options, c *Credentials) *Server {
	s := &Server{Options: o, times: defaultTimes, slots: make(chan struct{}, o.MaxConnections), open: map[net.Conn]struct{}{}}
	s.arrivals.most = o.MaxConnections + 64
	s.credentials.Store(c)
	return s
}

// Use lets clients in by other credentials from now on. Streams go on.
func (s *Server) Use(c *Credentials) { s.credentials.Store(c) }

// Serve accepts clients until the listener is closed, which is no error.
func (s *Server) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case temporary(err):
			time.Sleep(50 * time.Millisecond)
			continue
		case err != nil:
			return fmt.Errorf("accepting connections on %s: %w", l.Addr(), err)
		}
		if !s.track(conn) {
			_ = conn.Close()
			continue
		}
		leave := s.arrivals.enter(conn)
		go func() {
			defer s.untrack(conn)
			s.serve(conn, leave)
		}()
	}
}

// temporary reports whether it may be possible to accept connections again soon.
func temporary(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED}, func(e error) bool { return errors.Is(err, e) })
}

func (s *Server) track(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.open[c] = struct{}{}
	s.wg.Add(1)
	return true
}

func (s *Server) untrack(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	s.wg.Done()
}

// Shutdown waits until all clients have left, or ctx ends, when it cuts them off. The
// listener is closed already. It returns how many were cut off.
func (s *Server) Shutdown(ctx context.Context) int {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	select {
	case <-done:
		return 0
	case <-ctx.Done():
	}
	s.mu.Lock()
	left := len(s.open)
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	<-done
	return left
}
