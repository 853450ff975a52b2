package endpoint

import (
	"bytes"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
)

// HoldsKey reports whether the text of a certificate file also contains a private key.
func HoldsKey(text []byte) bool { return bytes.Contains(text, []byte("PRIVATE KEY")) }

// StoreCert returns the store's copy of the server certificate.
func (f *Finder) StoreCert(ctx context.Context) (*x509.Certificate, error) {
	return f.ReadCert(ctx, f.Machine.ServerCert)
}

// ClientCert returns docker's client certificate.
func (f *Finder) ClientCert(ctx context.Context) (*x509.Certificate, error) {
	return f.ReadCert(ctx, filepath.Join(f.Machine.CertDir, "cert.pem"))
}

// CAs returns the CA certificates with which docker verifies the machine's dockerd. docker reads
// them from DOCKER_CERT_PATH, where docker-machine has put a copy of the machine CA. The original
// in the store's directory certs may be newer, made for other machines.
func (f *Finder) CAs(ctx context.Context) ([]*x509.Certificate, error) {
	path := filepath.Join(f.Machine.CertDir, "ca.pem")
	data, err := f.Laptop.ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	all, err := certs.ParseCerts(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return all, nil
}

// SigningCA returns the machine CA that docker trusts, with its private key. If the key belongs to
// another CA, the error is a *certs.Problem or certs.ErrMismatch.
func (f *Finder) SigningCA(ctx context.Context) (*x509.Certificate, crypto.Signer, error) {
	path := filepath.Join(f.Machine.CertDir, "ca.pem")
	certPEM, err := f.Laptop.ReadFile(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err := f.Laptop.ReadFile(ctx, f.Machine.CAKey)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the machine CA's key: %w", err)
	}
	ca, key, err := certs.ParseCA(certPEM, keyPEM)
	if !errors.Is(err, certs.ErrMismatch) {
		return ca, key, err
	}
	if newer, readErr := f.Laptop.ReadFile(ctx, f.Machine.CACert); readErr == nil {
		if _, _, newErr := certs.ParseCA(newer, keyPEM); newErr == nil {
			err = &certs.Problem{Kind: certs.CAUnusable, Err: certs.ErrMismatch,
				Text: fmt.Sprintf("the machine CA in %s is another than that in %s, which docker verifies by", f.Machine.CACert, path)}
		}
	}
	return nil, nil, err
}

// ReadCert returns the first certificate in a file of the laptop.
func (f *Finder) ReadCert(ctx context.Context, path string) (*x509.Certificate, error) {
	data, err := f.Laptop.ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	cert, err := certs.ParseCert(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return cert, nil
}

// ClientPair returns the client certificate and key that docker would use. An error is a
// *ClientCertError.
func (f *Finder) ClientPair(ctx context.Context) (tls.Certificate, error) {
	certPEM, err := f.Laptop.ReadFile(ctx, filepath.Join(f.Machine.CertDir, "cert.pem"))
	if err == nil {
		var keyPEM []byte
		if keyPEM, err = f.Laptop.ReadFile(ctx, filepath.Join(f.Machine.CertDir, "key.pem")); err == nil {
			var c tls.Certificate
			if c, err = tls.X509KeyPair(certPEM, keyPEM); err == nil {
				return c, nil
			}
		}
	}
	return tls.Certificate{}, &ClientCertError{Err: err}
}

// ClientCertError means that the client certificate in the store cannot be used, not even by
// docker.
type ClientCertError struct{ Err error }

func (e *ClientCertError) Error() string {
	return fmt.Sprintf("the client certificate cannot be used: %v", e.Err)
}
func (e *ClientCertError) Unwrap() error { return e.Err }
