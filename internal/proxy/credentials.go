package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
)

// Credentials are the proxy's own certificate, and what it requires of clients.
type Credentials struct {
	Server *x509.Certificate // the server certificate
	roots  *x509.CertPool    // the CAs that client certificates must be signed by
	allow  []string          // common names of the clients that are let in; nil lets in all
	config *tls.Config

	verified verified
}

// NewCredentials reads PEM: the server certificate with its chain, its key, and the CA certificates
// that client certificates must be signed by. allow are the common names of the clients that are let
// in; nil lets in all. The certificates must be valid at the time now.
func NewCredentials(cert, key, ca []byte, allow []string, now time.Time) (*Credentials, error) {
	leaf, err := certs.ParseCert(cert)
	if err != nil {
		return nil, fmt.Errorf("the server certificate: %w", err)
	}
	signer, err := certs.ParseKey(key)
	if err != nil {
		return nil, fmt.Errorf("the server's key: %w", err)
	}
	switch {
	case !certs.SameKey(leaf.PublicKey, signer.Public()):
		return nil, errors.New("the server's key does not belong to its certificate")
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("the server certificate expired on %s", day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("the server certificate is not valid before %s", day(leaf.NotBefore))
	case !usable(leaf, x509.ExtKeyUsageServerAuth):
		return nil, errors.New("the server certificate is not for servers (extended key usage)")
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("the server certificate: %w", err)
	}
	roots, err := pool(ca, now)
	if err != nil {
		return nil, err
	}
	return &Credentials{Server: leaf, roots: roots, allow: allow, config: &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
		// A client without a good certificate gets an HTTP error with the reason, not a TLS alert.
		// The CAs are not announced either, or clients with a wrong certificate would send none.
		ClientAuth: tls.RequestClientCert,
		// Upgrades, which docker uses for streams, need HTTP/1.1.
		NextProtos: []string{"http/1.1"},
	}}, nil
}

// pool returns the CA certificates that can be used at the time now. It is an error if none can.
func pool(ca []byte, now time.Time) (*x509.CertPool, error) {
	all, err := certs.ParseCerts(ca)
	if err != nil {
		return nil, fmt.Errorf("the CA for clients: %w", err)
	}
	roots := x509.NewCertPool()
	good := 0
	for _, c := range all {
		if err = checkCA(c, now); err == nil {
			roots.AddCert(c)
			good++
		}
	}
	if good == 0 {
		return nil, fmt.Errorf("the CA for clients %w", err)
	}
	return roots, nil
}

// checkCA returns why certificates that the CA has signed are not valid at the time now; nil if they
// can be. The error continues a sentence about the CA.
func checkCA(ca *x509.Certificate, now time.Time) error {
	switch {
	case now.After(ca.NotAfter):
		return fmt.Errorf("expired on %s", day(ca.NotAfter))
	case now.Before(ca.NotBefore):
		return fmt.Errorf("is not valid before %s", day(ca.NotBefore))
	}
	for _, p := range certs.CheckCA(ca, nil, now) {
		if p.Kind == certs.CAUnusable {
			return fmt.Errorf("is unusable: %w", p.Err)
		}
	}
	return nil
}

// usable reports whether the certificate's extended key usage allows the use.
func usable(c *x509.Certificate, as x509.ExtKeyUsage) bool {
	return len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 || slices.Contains(c.ExtKeyUsage, as) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// judge returns why a client with these certificates is refused; nil if it is let in. It is also
// called for resumed TLS sessions, which keep the client's certificates.
func (c *Credentials) judge(chain []*x509.Certificate, now time.Time) *refusal {
	bad := func(format string, args ...any) *refusal {
		return &refusal{http.StatusBadRequest, fmt.Sprintf(format, args...)}
	}
	if len(chain) == 0 {
		return bad("no client certificate was sent, and this proxy requires one")
	}
	leaf, err := chain[0], c.verify(chain, now)
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil:
	case errors.As(err, &unknown):
		return bad("the client certificate is not signed by the CA of this proxy")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.After(leaf.NotAfter):
		return bad("the client certificate expired on %s", day(leaf.NotAfter))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(leaf.NotBefore):
		return bad("the client certificate is not valid before %s", day(leaf.NotBefore))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return bad("the CA of the client certificate is expired or not yet valid")
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return bad("the certificate is not for clients (extended key usage)")
	default:
		return bad("the client certificate is not valid")
	}
	if c.allow != nil && !slices.Contains(c.allow, leaf.Subject.CommonName) {
		return &refusal{http.StatusForbidden, fmt.Sprintf("the client %q is not allowed to use this proxy", leaf.Subject.CommonName)}
	}
	return nil
}

// verify verifies the chain that a client has sent, its own certificate first.
func (c *Credentials) verify(sent []*x509.Certificate, now time.Time) error {
	if c.verified.has(sent, now) {
		return nil
	}
	between := x509.NewCertPool()
	for _, i := range sent[1:] {
		between.AddCert(i)
	}
	chains, err := sent[0].Verify(x509.VerifyOptions{Roots: c.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err == nil {
		c.verified.add(sent, chains[0])
	}
	return err
}

// day returns a time for people, to the minute.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
