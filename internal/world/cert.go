package world

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
)

// CertNames are the names that the server certificate needs so that docker works
// through the endpoint, and those that a reissue adds, so that it goes on
// working by every other way too.
func (w *World) CertNames(ctx context.Context, target Endpoint) (need, want []string) {
	if target.Host != "" {
		need = []string{target.Host}
	}
	want = w.LastingNames()
	if ip := w.HostOnly(); ip.IsValid() {
		want = append(want, ip.String())
	}
	if w.Machine.Host != "" {
		want = append(want, w.Machine.Host)
	}
	if !w.Frugal && w.AddressMoved(ctx) {
		want = append(want, w.GuestAddr(ctx).String())
	}
	if !w.VirtualBox() {
		return need, want[2:] // nothing is forwarded: the address is all
	}
	return need, want
}

// LastingNames are written to config.json with a reissue, so that every later
// docker-machine regenerate-certs keeps them.
func (w *World) LastingNames() []string { return []string{Localhost, "127.0.0.1"} }

// Served is dockerd's answer by the first way that shows a certificate: the
// endpoint, the host-only address, from inside the docker host.
func (w *World) Served(ctx context.Context, target Endpoint) Answer {
	var first Answer
	other := w.HostOnlyEndpoint()
	elsewhere := other != target && !w.Repairing()
	if !target.Planned {
		defer w.askAhead(ctx)()
		first = w.Ask(ctx, target)
		if first.Leaf != nil || w.Frugal {
			return first
		}
	}
	if elsewhere {
		if a := w.Ask(ctx, other); a.Leaf != nil {
			return a
		}
	}
	if a := w.Ask(ctx, w.Inside()); a.Leaf != nil || first.Endpoint.Host == "" {
		return a
	}
	return first
}

// Trusts says whether a docker client would accept the answer's certificate for
// the endpoint's name; nil if so.
func (w *World) Trusts(ctx context.Context, a Answer) error {
	// docker takes ca.pem from DOCKER_CERT_PATH, the machine's own directory.
	ca, err := w.readCert(ctx, filepath.Join(w.Machine.Dir, "ca.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = w.StoreCA(ctx)
	}
	if err != nil {
		return err
	}
	for _, p := range certs.Check(a.Leaf, ca, []string{a.Endpoint.Host}, w.Now()) {
		if p.Kind != certs.ExpiresSoon {
			return &p
		}
	}
	return nil
}

// StoreCert is the store's copy of the server certificate.
func (w *World) StoreCert(ctx context.Context) (*x509.Certificate, error) {
	return w.readCert(ctx, w.Machine.ServerCert)
}

// StoreCA is the machine CA's certificate.
func (w *World) StoreCA(ctx context.Context) (*x509.Certificate, error) {
	return w.readCert(ctx, w.Machine.CACert)
}

func (w *World) readCert(ctx context.Context, path string) (*x509.Certificate, error) {
	data, err := w.Laptop.ReadFile(ctx, path)
	if err != nil {
		return nil, err
	}
	cert, err := certs.ParseCert(data)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return cert, nil
}

// CAKey is the machine CA's private key, checked against its certificate.
func (w *World) CAKey(ctx context.Context) (crypto.Signer, error) {
	certPEM, err := w.Laptop.ReadFile(ctx, w.Machine.CACert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := w.Laptop.ReadFile(ctx, w.Machine.CAKey)
	if err != nil {
		return nil, fmt.Errorf("reading the machine CA's key: %w", err)
	}
	_, key, err := certs.ParseCA(certPEM, keyPEM)
	return key, err
}

// ClientPair is the client certificate and key that docker would use. docker
// takes them from DOCKER_CERT_PATH, the machine's directory.
func (w *World) ClientPair(ctx context.Context) (tls.Certificate, error) {
	certPEM, err := w.Laptop.ReadFile(ctx, filepath.Join(w.Machine.Dir, "cert.pem"))
	if err == nil {
		var keyPEM []byte
		if keyPEM, err = w.Laptop.ReadFile(ctx, filepath.Join(w.Machine.Dir, "key.pem")); err == nil {
			return pair(certPEM, keyPEM)
		}
	}
	certPEM, certErr := w.Laptop.ReadFile(ctx, w.Machine.ClientCert)
	keyPEM, keyErr := w.Laptop.ReadFile(ctx, w.Machine.ClientKey)
	if certErr != nil || keyErr != nil {
		return tls.Certificate{}, fmt.Errorf("reading the client certificate: %w", err)
	}
	return pair(certPEM, keyPEM)
}

func pair(certPEM, keyPEM []byte) (tls.Certificate, error) {
	c, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return c, fmt.Errorf("reading the client certificate: %w", err)
	}
	return c, nil
}
