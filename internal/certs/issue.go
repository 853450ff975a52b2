package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net/netip"
	"time"
)

// caLife is how long a new CA is valid. It is long, because users must copy its certificates to
// clients by hand.
const caLife = 10 * 365 * 24 * time.Hour

// Pair is a certificate and its private key, both PEM.
type Pair struct{ Cert, Key []byte }

// NewCA returns a new CA with the given common name.
func NewCA(name string, now time.Time) (Pair, error) {
	from := now.Add(-backdate).UTC().Truncate(time.Second)
	return issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: from.Add(caLife),
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, nil, nil)
}

// NewServer returns a server certificate for names, which are DNS names or IP addresses.
func NewServer(names []string, ca *x509.Certificate, key crypto.Signer, now time.Time) (Pair, error) {
	template := leaf("docker-vpn-helper proxy", x509.ExtKeyUsageServerAuth, ca, now)
	for _, n := range names {
		switch ip, err := netip.ParseAddr(n); {
		case err == nil && ip.Zone() == "":
			template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
		case dnsName(n):
			template.DNSNames = append(template.DNSNames, n)
		default:
			return Pair{}, fmt.Errorf("%q is neither a host name nor an IP address", n)
		}
	}
	return issue(template, ca, key)
}

// NewClient returns a client certificate with the given common name.
func NewClient(name string, ca *x509.Certificate, key crypto.Signer, now time.Time) (Pair, error) {
	return issue(leaf(name, x509.ExtKeyUsageClientAuth, ca, now), ca, key)
}

// leaf returns the template of a certificate that is not a CA's.
func leaf(name string, use x509.ExtKeyUsage, ca *x509.Certificate, now time.Time) *x509.Certificate {
	from, until := validity(ca, now, now)
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: until, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
	}
}

// issue generates a P-256 key and signs a certificate for it. If ca is nil, the certificate is
// self-signed.
func issue(template, ca *x509.Certificate, caKey crypto.Signer) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making a key: %w", err)
	}
	if ca == nil {
		ca, caKey = template, key
	} else if p := unsuitable(ca, caKey.Public(), template.NotBefore.Add(backdate)); p != nil {
		return Pair{}, p
	}
	if template.SerialNumber, err = serial(rand.Reader); err != nil {
		return Pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return Pair{}, fmt.Errorf("signing a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Pair{}, fmt.Errorf("writing a key: %w", err)
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})}, nil
}
