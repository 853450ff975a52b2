package certs

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// What is issued passes Go's verification, which is docker's, and openssl's.
func TestIssue(t *testing.T) {
	now := time.Now()
	pair, err := NewCA("test CA", now)
	if err != nil {
		t.Fatal(err)
	}
	ca, key, err := ParseCA(pair.Cert, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"localhost", "127.0.0.1", "::1", "docker.example.com"}
	server, err := NewServer(names, ca, key, now)
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewClient("ci", ca, key, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewServer([]string{"a b"}, ca, key, now); err == nil {
		t.Error("a certificate for the name \"a b\"")
	}
	dir := t.TempDir()
	caFile := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(caFile, pair.Cert, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		purpose string
		use     x509.ExtKeyUsage
		pair    Pair
	}{{"sslserver", x509.ExtKeyUsageServerAuth, server}, {"sslclient", x509.ExtKeyUsageClientAuth, client}} {
		if _, err := tls.X509KeyPair(c.pair.Cert, c.pair.Key); err != nil {
			t.Error(err)
		}
		cert, err := ParseCert(c.pair.Cert)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{use}})
			if (err == nil) != (use == c.use) {
				t.Errorf("%s for use %d: %v", c.purpose, use, err)
			}
		}
		file := filepath.Join(dir, c.purpose)
		if err := os.WriteFile(file, c.pair.Cert, 0o600); err != nil {
			t.Fatal(err)
		}
		if openssl, err := exec.LookPath("openssl"); err != nil {
			t.Log("openssl is not installed")
		} else if out, err := exec.Command(openssl, "verify", "-x509_strict", "-CAfile", caFile, "-purpose", c.purpose, file).CombinedOutput(); err != nil {
			t.Errorf("openssl: %s", out)
		}
	}
	cert, _ := ParseCert(server.Cert)
	if got := NamesOf(cert); !slices.Equal(got, []string{"localhost", "docker.example.com", "127.0.0.1", "::1"}) {
		t.Errorf("names %v", got)
	}
	if problems := append(CheckCA(ca, key.Public(), now), MissingNames(cert, names)...); len(problems) > 0 {
		t.Error(problems)
	}
}
