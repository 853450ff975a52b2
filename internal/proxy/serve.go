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
	"syscall"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/relay"
)

// serve handles one connection. It calls leave when the client is verified, has sent a request and
// has got a slot, or when the connection ends.
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

// handshake does the TLS handshake. A client that speaks plain HTTP gets an answer in plain HTTP.
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

// looksLikeHTTP reports whether a client's first bytes are the beginning of an HTTP request.
func looksLikeHTTP(begin [5]byte) bool {
	switch string(begin[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "DELET", "OPTIO", "PATCH", "CONNE", "PRI *":
		return true
	}
	return false
}

// refuse reads a request's head as far as it comes in time, and answers it. It reads what the client
// still sends before it closes the connection, or the client would lose the answer.
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

// plainHTTP answers a client that speaks HTTP without TLS.
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

// firstBytes waits until the client's request begins.
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
	return errors.New("the client closed the connection without a request")
}

// slot waits for one of the MaxConnections slots. serve frees it.
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

// connect connects to the docker socket.
func (s *Server) connect() (relay.Stream, *refusal) {
	ctx, cancel := context.WithTimeout(context.Background(), s.times.dial)
	defer cancel()
	stream, err := s.Dial(ctx)
	if err != nil {
		return nil, &refusal{http.StatusBadGateway, "connecting to dockerd: " + err.Error()}
	}
	return stream, nil
}

// join passes bytes between client and docker socket until both have ended, and completes the event.
func (s *Server) join(c *client, upstream relay.Stream, event *Event) {
	c.gone = func() {
		_ = c.raw.Close()
		_ = upstream.Close()
	}
	if s.ReadOnly {
		c.filter = &filter{read: c.read, deadline: c.raw.SetReadDeadline, patience: s.times.head}
		// dockerd gets some time to finish its answers to earlier requests.
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

// reason describes the error that has ended a stream; "" if it is how docker's client ends one.
func reason(err error) string {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "" // docker's client closes connections without close_notify
	case errors.Is(err, net.ErrClosed), errors.Is(err, syscall.ECONNRESET):
		return "the connection was lost"
	}
	return err.Error()
}
