package certs

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-connections/tlsconfig"
)

// otherFailure is a handshake that failed for another reason than the certificate.
type otherFailure struct{ error }

// errCAs is docker's error for a ca.pem without a certificate (docker/cli,
// cli/context/docker/load.go).
var errCAs = errors.New("ca.pem seems invalid")

// verify is how a docker client refuses the server, nil if it connects: what
// verifyServerCertificate in crypto/tls/handshake_client.go does.
func (s scene) verify() error {
	roots, sent := x509.NewCertPool(), x509.NewCertPool()
	if !roots.AppendCertsFromPEM(s.caPEM) {
		return errCAs
	}
	for i, c := range s.chain {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > 8192 {
			return errors.New("tls: server sent certificate containing RSA key larger than 8192 bits")
		}
		if i > 0 {
			sent.AddCert(c)
		}
	}
	leaf := s.chain[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: s.now, DNSName: s.name, Intermediates: sent}); err != nil {
		return err
	}
	switch leaf.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return nil
	}
	return fmt.Errorf("tls: server's certificate contains an unsupported type of public key: %T", leaf.PublicKey)
}

// handshake is how a docker client refuses the server in a real handshake.
func (s scene) handshake() error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.caPEM) {
		return errCAs
	}
	config := tlsconfig.ClientDefault(func(c *tls.Config) {
		c.RootCAs, c.ServerName, c.Time = pool, s.name, func() time.Time { return s.now }
		c.CurvePreferences = []tls.CurveID{tls.X25519} // the fastest; it does not bear on the verdict
	})
	if config.InsecureSkipVerify || config.MinVersion != tls.VersionTLS12 {
		return &otherFailure{errors.New("this is not docker's configuration")}
	}
	pair := tls.Certificate{PrivateKey: s.key}
	for _, c := range s.chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	served := &tls.Config{Certificates: []tls.Certificate{pair}, SessionTicketsDisabled: true}
	if s.tls12 {
		served.MaxVersion = tls.VersionTLS12
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		q := newQueue(server)
		_ = tls.Server(q, served).Handshake()
		close(q.writes)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := tls.Client(client, config).HandshakeContext(ctx)
	var refused *tls.CertificateVerificationError
	if err == nil || errors.As(err, &refused) || strings.Contains(err.Error(), "unsupported type of public key") || strings.Contains(err.Error(), "RSA key larger than") {
		return err
	}
	return &otherFailure{err}
}

// asClient is how a dockerd refuses a client in a real handshake.
func (s scene) asClient() error {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.caPEM) {
		return errCAs
	}
	config := tlsconfig.ServerDefault(func(c *tls.Config) {
		c.ClientCAs, c.ClientAuth, c.Certificates = pool, tls.RequireAndVerifyClientCert, []tls.Certificate{s.peer}
		c.Time, c.SessionTicketsDisabled, c.CurvePreferences = func() time.Time { return s.now }, true, []tls.CurveID{tls.X25519}
	})
	pair := tls.Certificate{PrivateKey: s.key}
	for _, c := range s.chain {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() {
		q := newQueue(client)
		// GetClientCertificate, and not Certificates: it is to be shown whatever CAs are asked for.
		c := tls.Client(q, &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }})
		_ = c.Handshake()
		close(q.writes)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	q := newQueue(server)
	defer close(q.writes)
	return tls.Server(q, config).HandshakeContext(ctx)
}

// queue is a connection whose writes do not wait for the reader, as TCP's do not for
// as little as a handshake: a client that refuses in the middle of it reads no more.
type queue struct {
	net.Conn
	writes chan []byte
}

func newQueue(c net.Conn) queue {
	q := queue{c, make(chan []byte, 16)}
	go func() {
		for p := range q.writes {
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	}()
	return q
}

func (q queue) Write(p []byte) (int, error) {
	q.writes <- slices.Clone(p)
	return len(p), nil
}
