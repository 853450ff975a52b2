package fakestore

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// life is how long docker-machine's certificates are valid, and early how far in the past they
// start (docker/machine b170508b, libmachine/cert/cert.go).
const (
	life  = 1080 * 24 * time.Hour
	early = 5 * time.Minute
)

// Authority is a machine CA.
type Authority struct {
	Cert    *x509.Certificate
	Key     crypto.Signer
	CertPEM []byte
	KeyPEM  []byte
}

// AuthorityOptions describe a CA; the zero value is docker-machine's.
type AuthorityOptions struct {
	Algorithm Algorithm
	Org       string // default "lab"
	// Slot distinguishes CAs: each slot has another key. Default "ca".
	Slot string
	// NotBefore and NotAfter default to five minutes ago and 1080 days later.
	NotBefore, NotAfter time.Time
}

// NewAuthority makes a self-signed CA with the key usages that docker-machine
// 0.16.2 gives it (libmachine/cert/cert.go, GenerateCACertificate).
func NewAuthority(o AuthorityOptions) (*Authority, error) {
	if o.Slot == "" {
		o.Slot = "ca"
	}
	if o.Org == "" {
		o.Org = "lab"
	}
	key, err := Key(o.Algorithm, o.Slot)
	if err != nil {
		return nil, err
	}
	tmpl, err := template(o.Org, o.NotBefore, o.NotAfter)
	if err != nil {
		return nil, err
	}
	tmpl.IsCA = true
	tmpl.KeyUsage |= x509.KeyUsageCertSign
	a := &Authority{Key: key}
	if a.Cert, a.CertPEM, err = sign(tmpl, tmpl, key.Public(), key); err != nil {
		return nil, err
	}
	a.KeyPEM, err = KeyPEM(key)
	return a, err
}

// Leaf is a certificate with its key.
type Leaf struct {
	Cert    *x509.Certificate
	Key     crypto.Signer
	CertPEM []byte
	KeyPEM  []byte
}

// ServerOptions describe a server certificate.
type ServerOptions struct {
	Org string
	// Names are DNS names and IP addresses, in the order of the certificate.
	Names []string
	// NotBefore and NotAfter default to five minutes ago and 1080 days later.
	NotBefore, NotAfter time.Time
	// AnyUse omits the extended key usage, as openssl does by default.
	AnyUse bool
}

// Server issues a server certificate for key.
func (a *Authority) Server(key crypto.Signer, o ServerOptions) (*Leaf, error) {
	tmpl, err := template(o.Org, o.NotBefore, o.NotAfter)
	if err != nil {
		return nil, err
	}
	if !o.AnyUse {
		tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, name := range o.Names {
		if ip := net.ParseIP(name); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, name)
		}
	}
	return a.leaf(tmpl, key)
}

// Client issues a client certificate for key. A zero from means five minutes ago, a zero until 1080
// days later.
func (a *Authority) Client(key crypto.Signer, from, until time.Time) (*Leaf, error) {
	tmpl, err := template("lab.<bootstrap>", from, until)
	if err != nil {
		return nil, err
	}
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	return a.leaf(tmpl, key)
}

func (a *Authority) leaf(tmpl *x509.Certificate, key crypto.Signer) (*Leaf, error) {
	l := &Leaf{Key: key}
	var err error
	if l.Cert, l.CertPEM, err = sign(tmpl, a.Cert, key.Public(), a.Key); err != nil {
		return nil, err
	}
	l.KeyPEM, err = KeyPEM(key)
	return l, err
}

func template(org string, from, to time.Time) (*x509.Certificate, error) {
	if from.IsZero() {
		from = time.Now().Add(-early).Truncate(time.Minute)
		if !to.IsZero() && to.Before(from) {
			from = to.Add(-life)
		}
	}
	if to.IsZero() {
		to = from.Add(life)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{org}},
		NotBefore:             from,
		NotAfter:              to,
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement,
		BasicConstraintsValid: true,
	}, nil
}

func sign(tmpl, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) (*x509.Certificate, []byte, error) {
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, pub, key)
	if err != nil {
		return nil, nil, fmt.Errorf("signing a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("reading back a certificate: %w", err)
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
