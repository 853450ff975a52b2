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

// CertNames are the names that the server certificate needs so that docker works
// through the endpoint, and those that a reissue adds, so that it goes on
// working by every other way too.
func (f *Finder) CertNames(ctx context.Context, target Endpoint) (need, want []string) {
	if target.Host != "" {
		need = []string{target.Host}
	}
	want = f.LastingNames()
	if ip := f.Machine.IP; ip.IsValid() && (f.Quick() || !f.VM.NATAddress(ctx)) {
		want = append(want, ip.String())
	}
	if f.Machine.Host != "" {
		want = append(want, f.Machine.Host)
	}
	if !f.Quick() && f.VM.AddressMoved(ctx) {
		want = append(want, f.VM.GuestAddr(ctx).String())
	}
	if !f.Machine.VirtualBox() || !f.Quick() && f.VM.WithoutNAT(ctx) {
		return need, want[2:] // nothing is forwarded: the address is all
	}
	return need, want
}

// LastingNames are written to config.json with a reissue, so that every later
// docker-machine regenerate-certs keeps them.
func (f *Finder) LastingNames() []string { return []string{Localhost, "127.0.0.1"} }

// Served is dockerd's answer by the first way that shows a certificate: the
// endpoint, the host-only address, from inside the docker host.
func (f *Finder) Served(ctx context.Context, target Endpoint) Answer {
	var first Answer
	other := f.HostOnly()
	elsewhere := other != target && !f.repairing()
	if !target.Planned {
		defer f.AskAhead(ctx)()
		first = f.Ask(ctx, target)
		if first.Leaf != nil || f.Quick() {
			return first
		}
	}
	if elsewhere {
		if a := f.Ask(ctx, other); a.Leaf != nil {
			return a
		}
	}
	if a := f.Ask(ctx, f.Inside()); a.Leaf != nil || first.Endpoint.Host == "" {
		return a
	}
	return first
}

// CheckTrust is why docker's client would not accept the answer's certificate under the
// endpoint's name, nil if it would.
func (f *Finder) CheckTrust(ctx context.Context, a Answer) error {
	cas, err := f.CAs(ctx)
	if err != nil {
		return err
	}
	return certs.Judge(cas, a.Chain(), a.Endpoint.Host, f.Now()).Err()
}

// HoldsKey reports that a file of certificates has a private key in it, too.
func HoldsKey(text []byte) bool { return bytes.Contains(text, []byte("PRIVATE KEY")) }

// StoreCert is the store's copy of the server certificate.
func (f *Finder) StoreCert(ctx context.Context) (*x509.Certificate, error) {
	return f.ReadCert(ctx, f.Machine.ServerCert)
}

// ClientCert is docker's own certificate.
func (f *Finder) ClientCert(ctx context.Context) (*x509.Certificate, error) {
	return f.ReadCert(ctx, filepath.Join(f.Machine.CertDir, "cert.pem"))
}

// CAs are the certificates that docker verifies the machine's dockerd by: it takes
// them from DOCKER_CERT_PATH, where docker-machine has put a copy of the machine CA's.
// The one in certs may be newer, made for other machines.
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

// SigningCA is the machine CA with its private key. What it signs is good for
// docker, which verifies by CAs.
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

// ReadCert reads the first certificate in a file on the laptop.
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

// ClientPair is the client certificate and key that docker would use.
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

// ClientCertError is a client certificate in the store that docker could not use either.
type ClientCertError struct{ Err error }

func (e *ClientCertError) Error() string {
	return fmt.Sprintf("the client certificate cannot be used: %v", e.Err)
}
func (e *ClientCertError) Unwrap() error { return e.Err }
