package fakestore

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Open opens a store that NewStore has made, so that machines can be added, or makes a new one.
func Open(dir string) (*Store, error) {
	certs := filepath.Join(dir, "certs")
	if _, err := os.Stat(certs); errors.Is(err, fs.ErrNotExist) {
		return NewStore(dir, StoreOptions{})
	}
	ca, err := readPair(certs, "ca.pem", "ca-key.pem")
	if err != nil {
		return nil, err
	}
	client, err := readPair(certs, "cert.pem", "key.pem")
	if err != nil {
		return nil, err
	}
	s := &Store{Dir: dir, CA: (*Authority)(ca), Client: client}
	others, _ := filepath.Glob(filepath.Join(dir, "machines", "*"))
	s.added = len(others)
	return s, nil
}

func readPair(dir, certFile, keyFile string) (*Leaf, error) {
	certPEM, err := os.ReadFile(filepath.Join(dir, certFile))
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("reading %s and %s: %w", certFile, keyFile, err)
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", certFile, err)
	}
	return &Leaf{Cert: cert, Key: pair.PrivateKey.(crypto.Signer), CertPEM: certPEM, KeyPEM: keyPEM}, nil
}
