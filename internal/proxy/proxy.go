// Package proxy puts mutual TLS in front of a docker socket. Who a client is is verified once
// per connection; then bytes pass as they are, so that everything that docker does works,
// now and later: attach, exec, BuildKit, output long after the input has ended.
package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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

// serve is one connection. leave tells that it is no longer a stranger.
func (s *Server) serve(raw net.Conn, leave func()) {
	event := Event{Began: s.Now(), Client: raw.RemoteAddr().String()}
	began := time.Now()
	defer func() {
		leave()
		event.Took = time.Since(began)
		s.Log(event)
	}()
	credentials := s.credentials.Load()
	c := newClient(raw, credentials.config, s.times.linger)
	if err := s.handshake(c); err != nil {
		event.Reason = err.Error()
		return
	}
	chain := c.tls.ConnectionState().PeerCertificates
	if len(chain) > 0 {
		event.CommonName = chain[0].Subject.CommonName
	}
	refuse := func(why *refusal) {
		event.Status, event.Reason = why.status, why.reason
		s.refuse(c, why)
	}
	if why := credentials.judge(chain, s.Now()); why != nil {
		refuse(why)
		return
	}
	if err := s.firstBytes(c); err != nil {
		event.Reason = err.Error()
		_ = c.Close()
		return
	}
	if why := s.slot(); why != nil {
		refuse(why)
		return
	}
	defer func() { <-s.slots }()
	leave()
	upstream, why := s.connect()
	if why != nil {
		refuse(why)
		return
	}
	s.join(c, upstream, &event)
}

// handshake is TLS's.
func (s *Server) handshake(c *client) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.times.handshake)
	defer cancel()
	err := c.tls.HandshakeContext(ctx)
	var notTLS tls.RecordHeaderError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notTLS) && notTLS.Conn != nil && looksLikeHTTP(notTLS.RecordHeader):
		s.plainHTTP(c.raw)
		return errors.New("plain HTTP instead of TLS")
	case ctx.Err() != nil:
		return fmt.Errorf("no TLS handshake within %s", s.times.handshake)
	}
	return fmt.Errorf("TLS handshake: %w", err)
}

// looksLikeHTTP reports whether a client's first bytes are an HTTP method.
func looksLikeHTTP(begin [5]byte) bool {
	switch string(begin[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "DELET", "OPTIO", "PATCH", "CONNE", "PRI *":
		return true
	}
	return false
}

// refuse reads a request's head, as far as it comes in time, answers it, and lets the
// client finish: one that is still sending when its connection is closed loses the answer.
func (s *Server) refuse(c *client, why *refusal) {
	head := make([]byte, 0, 4<<10)
	_ = c.raw.SetReadDeadline(time.Now().Add(s.times.head))
	for !bytes.Contains(head, []byte("\r\n\r\n")) && len(head) < cap(head) {
		n, err := c.Read(head[len(head):cap(head)])
		head = head[:len(head)+n]
		if err != nil {
			break
		}
	}
	_ = c.raw.SetWriteDeadline(time.Now().Add(s.times.linger))
	if _, err := c.Write(why.response(bytes.HasPrefix(head, []byte("HEAD ")))); err == nil {
		_ = c.CloseWrite()
		drain(c.raw, s.times.linger)
	}
	_ = c.Close()
}

// plainHTTP answers a client that talks HTTP without TLS.
func (s *Server) plainHTTP(conn net.Conn) {
	why := &refusal{http.StatusBadRequest, "this is an HTTPS port, and the client sent plain HTTP"}
	_ = conn.SetDeadline(time.Now().Add(s.times.linger))
	if _, err := conn.Write(why.response(false)); err != nil {
		return
	}
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
	drain(conn, s.times.linger)
}

// firstBytes waits for the client's request to begin.
func (s *Server) firstBytes(c *client) error {
	_ = c.raw.SetReadDeadline(time.Now().Add(s.times.head))
	buf := make([]byte, 2<<10)
	n, err := c.tls.Read(buf)
	switch {
	case n > 0:
		c.first = buf[:n]
		return c.raw.SetReadDeadline(time.Time{})
	case timedOut(err):
		return fmt.Errorf("no request within %s", s.times.head)
	}
	return errors.New("the client left without a request")
}

// slot waits for one of the MaxConnections.
func (s *Server) slot() *refusal {
	timer := time.NewTimer(s.times.slot)
	defer timer.Stop()
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return &refusal{http.StatusServiceUnavailable, fmt.Sprintf("%d clients are connected, and --max-connections allows no more", s.MaxConnections)}
	}
}

func (s *Server) connect() (relay.Stream, *refusal) {
	ctx, cancel := context.WithTimeout(context.Background(), s.times.dial)
	defer cancel()
	stream, err := s.Dial(ctx)
	if err != nil {
		return nil, &refusal{http.StatusBadGateway, "connecting to dockerd: " + err.Error()}
	}
	return stream, nil
}

// join passes bytes until the end.
func (s *Server) join(c *client, upstream relay.Stream, event *Event) {
	c.gone = func() {
		_ = c.raw.Close()
		_ = upstream.Close()
	}
	if s.ReadOnly {
		c.filter = &filter{read: c.read, deadline: c.raw.SetReadDeadline, patience: s.times.head}
		// dockerd ends what it is sending when its client has ended.
		c.filter.cut = func() { time.AfterFunc(s.times.linger, func() { _ = upstream.Close() }) }
	}
	result := relay.Join(c, upstream)
	event.In, event.Out = result.AToB, result.BToA
	if result.Err != nil {
		event.Reason = reason(result.Err)
	}
	if c.filter != nil {
		if r := c.filter.refused.Load(); r != nil {
			event.Status, event.Reason = r.status, r.reason
		}
	}
}

// reason is why a stream has ended before its time.
func reason(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "" // how docker's client leaves
	case errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return "the connection was lost"
	}
	return err.Error()
}
