// Package proxy puts mutual TLS in front of a docker socket. It verifies the client once per
// connection and then passes bytes unchanged. So everything works that docker does: attach, exec,
// BuildKit, output long after the end of input, and features of future versions.
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

// Options configure a Server. Credentials configure which clients it lets in.
type Options struct {
	Dial           Dialer
	ReadOnly       bool // let only GET and HEAD requests through
	MaxConnections int  // how many clients may be connected to the docker socket at once
	// Log is called for each connection when it ends, possibly concurrently.
	Log func(Event)
	Now func() time.Time
}

// Event describes a connection that has ended.
type Event struct {
	Began      time.Time
	Took       time.Duration
	Client     string // its address
	CommonName string // in its certificate, valid or not
	In, Out    int64  // bytes from and to the client, inside TLS
	Status     int    // the HTTP status of a refusal; 0 if there was none
	Reason     string // why the connection was refused or failed; "" if it was not
}

// times are timeouts. After a client's request has begun there is none.
type times struct {
	handshake time.Duration // for the TLS handshake
	head      time.Duration // from then to the first byte of a request, and for the rest of a head
	slot      time.Duration // for waiting until another client leaves
	dial      time.Duration // for connecting to the docker socket
	linger    time.Duration // for the client to close the connection after everything was sent
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

// Use replaces the credentials for new connections. Existing ones are not affected.
func (s *Server) Use(c *Credentials) { s.credentials.Store(c) }

// Serve accepts clients until the listener is closed, and then returns nil.
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

// temporary reports whether accepting connections may work again soon.
func temporary(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED}, func(e error) bool { return errors.Is(err, e) })
}

// track records an open connection. It returns false after Shutdown.
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

// untrack closes a connection and forgets it.
func (s *Server) untrack(c net.Conn) {
	_ = c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
	s.wg.Done()
}

// Shutdown waits until all clients have left. When ctx ends it closes the connections of the others,
// and returns their number. The caller closes the listener before.
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
