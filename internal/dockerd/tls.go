// Package dockerd is a minimal client of the Docker Engine API, and a TLS handshake that does not
// verify the server but shows its certificates.
package dockerd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// maxBody is how many bytes of an answer are read.
const maxBody = 8 << 20

// TLS is the client's side of a handshake.
type TLS struct {
	ServerName  string // sent as SNI; nothing is verified
	Certificate tls.Certificate
}

// Seen is a connection after the handshake, with what the server showed.
type Seen struct {
	Leaf    *x509.Certificate
	Chain   []*x509.Certificate // as sent, the leaf first
	Version uint16              // tls.VersionTLS12 …
	// ClientAuth means that the server asked for a client certificate.
	ClientAuth bool
	// AcceptableCAs are the subjects, in DER, of the CAs whose client certificates the server says
	// it accepts. dockerd sends those of its --tlscacert.
	AcceptableCAs [][]byte

	conn     *tls.Conn
	rejected error // the server refused the client certificate during the handshake
}

// ciphers are those of docker's client for TLS 1.2 (docker/go-connections v0.6.0,
// tlsconfig/config.go, used by docker 28).
var ciphers = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
}

// Handshake makes a TLS handshake on a connection, which it does not close. It does not verify the
// server: the caller must judge the chain. It uses the TLS versions and ciphers of docker's client,
// so it fails with a server to which docker cannot connect.
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
	// This is called before the server checks the client certificate, which it may refuse.
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

// Conn returns the encrypted connection, for requests to the API.
func (s *Seen) Conn() net.Conn { return s.conn }

// Ping sends GET /_ping on the connection, which must not be used again, and returns dockerd's API
// version; "" before Docker 1.13.
func (s *Seen) Ping(ctx context.Context) (api string, err error) {
	if s.rejected != nil {
		return "", s.rejected
	}
	return Ping(ctx, s.conn, PingRequest)
}
