// Package dockerd is a minimal client of the Docker Engine API over any
// connection, and a TLS handshake that looks without trusting.
package dockerd

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// maxBody bounds what is read of an answer.
const maxBody = 8 << 20

// TLS is the client's side of a handshake.
type TLS struct {
	ServerName  string // sent as SNI; nothing is verified
	Certificate tls.Certificate
}

// Seen is a connection after its handshake.
type Seen struct {
	Leaf    *x509.Certificate
	Chain   []*x509.Certificate // as sent, the leaf first
	Version uint16              // tls.VersionTLS12 …
	// ClientAuth reports that the server asked for a client certificate.
	ClientAuth bool
	// AcceptableCAs are the subjects, in DER, of the CAs whose client certificates
	// it says to accept; dockerd names those of its --tlscacert.
	AcceptableCAs [][]byte

	conn     *tls.Conn
	rejected error // of the client certificate, during the handshake
}

// ErrBadCertificate reports that the server's certificate is not one that can be
// read, by the rules of crypto/x509.
var ErrBadCertificate = errors.New("its certificate cannot be read")

// ErrNotTLS reports that what answers does not speak TLS.
var ErrNotTLS = errors.New("it does not speak TLS")

// RejectedError is a server that does not accept the client certificate. In TLS
// 1.3 the alert shows on the first read only, so Ping reports it, and does so for TLS 1.2.
type RejectedError struct{ Err error }

func (e *RejectedError) Error() string { return e.Err.Error() }
func (e *RejectedError) Unwrap() error { return e.Err }

// NotDockerError is an answer that is not the Docker API's.
type NotDockerError struct{ Text string }

func (e *NotDockerError) Error() string { return "not the Docker API: " + e.Text }

// silentError is a peer that has accepted a connection and let its time pass.
type silentError struct{}

func (silentError) Error() string { return "it keeps silent" }
func (silentError) Unwrap() error { return context.DeadlineExceeded }

// ciphers are those of docker's client for TLS 1.2 (docker/go-connections v0.6.0,
// tlsconfig/config.go, which docker 28 has).
var ciphers = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
}

// Handshake speaks TLS on a connection, which it does not close. It shows who
// answers without trusting: whoever calls judges the chain. Version and ciphers are
// those of docker's client: what it cannot talk to does not answer.
func Handshake(ctx context.Context, conn net.Conn, t TLS) (*Seen, error) {
	s := &Seen{}
	config := &tls.Config{
		ServerName: t.ServerName, MinVersion: tls.VersionTLS12, CipherSuites: ciphers,
		InsecureSkipVerify: true,
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			s.ClientAuth, s.AcceptableCAs = true, r.AcceptableCAs
			return &t.Certificate, nil
		},
	}
	// Called before the server looks at the client's certificate, which it may refuse.
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server showed no certificate")
		}
		s.Chain, s.Leaf, s.Version = state.PeerCertificates, state.PeerCertificates[0], state.Version
		return nil
	}
	s.conn = tls.Client(conn, config)
	if err := s.conn.HandshakeContext(ctx); err != nil {
		err = explain(ctx, err)
		var refused *RejectedError
		if s.Leaf == nil || !errors.As(err, &refused) {
			return nil, err
		}
		s.rejected = err
	}
	return s, nil
}

// Conn is the encrypted connection, for requests to the API.
func (s *Seen) Conn() net.Conn { return s.conn }

// explain tells the ways apart in which a TLS connection fails.
func explain(ctx context.Context, err error) error {
	// The connection's deadline is the context's, and may pass a moment before it.
	if cause := context.Cause(ctx); errors.Is(err, os.ErrDeadlineExceeded) && cause == nil || errors.Is(cause, context.DeadlineExceeded) {
		return silentError{}
	} else if cause != nil {
		return fmt.Errorf("no answer: %w", cause)
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return fmt.Errorf("%w: its first bytes are %q", ErrNotTLS, record.RecordHeader[:])
	}
	if rejected(err) {
		return &RejectedError{Err: err}
	}
	if strings.Contains(err.Error(), "failed to parse certificate from server") {
		return fmt.Errorf("%w: %w", ErrBadCertificate, err)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the connection was closed: %w", err)
	}
	return err
}

// rejected reports whether an error is an alert about a client certificate (RFC
// 8446, section 6.2). crypto/tls gives alerts that it receives a type of its own
// that only shows by its text; tls.AlertError has the same texts.
func rejected(err error) bool {
	var remote *net.OpError
	if !errors.As(err, &remote) || remote.Op != "remote error" {
		return false
	}
	// bad, unsupported, revoked, expired, unknown, unknown_ca, access_denied, certificate_required
	for _, code := range []tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116} {
		if remote.Err.Error() == code.Error() {
			return true
		}
	}
	return false
}

// Ping asks GET /_ping on the connection, which is not used again, and returns
// the API version that the daemon names; "" from one older than 1.13.
func (s *Seen) Ping(ctx context.Context) (api string, err error) {
	if s.rejected != nil {
		return "", s.rejected
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := s.conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	// A write that fails leaves the reason to be read: the server's last alert.
	_, writeErr := io.WriteString(s.conn, "GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(io.LimitReader(s.conn, maxBody)), nil)
	if err != nil {
		if strings.Contains(err.Error(), "malformed HTTP") {
			return "", &NotDockerError{Text: err.Error()}
		}
		if writeErr != nil && !rejected(err) {
			err = writeErr
		}
		return "", explain(ctx, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, 512))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", explain(ctx, err)
	}
	return pinged(r, body)
}
