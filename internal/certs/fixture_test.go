package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// now is the laptop's clock in these tests.
func now() time.Time { return time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC) }

const day = 24 * time.Hour

func ecdsaKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func rsaKey(t testing.TB, bits int) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// authority is a CA as docker-machine makes them, but for its dates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newCA(t testing.TB, key crypto.Signer, from, until time.Time, edit ...func(*x509.Certificate)) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"me"}}, NotBefore: from, NotAfter: until,
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement | x509.KeyUsageCertSign,
		BasicConstraintsValid: true, IsCA: true,
	}
	for _, e := range edit {
		e(template)
	}
	return authority{sign(t, template, template, key.Public(), key), key}
}

// roots are those of a client that trusts this CA alone.
func (a authority) roots() []*x509.Certificate { return []*x509.Certificate{a.cert} }

// issue makes a server certificate as docker-machine does, valid from 100 days
// ago for 1080 days, with edits.
func (a authority) issue(t testing.TB, pub crypto.PublicKey, edit ...func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	from := now().Add(-100 * day)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{Organization: []string{"me.default"}}, NotBefore: from, NotAfter: from.Add(1080 * day),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(192, 168, 99, 100)},
	}
	for _, e := range edit {
		e(template)
	}
	return sign(t, template, a.cert, pub, a.key)
}

func sign(t testing.TB, template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// goodCA is valid for a year back and three years on.
func goodCA(t testing.TB) authority {
	t.Helper()
	return newCA(t, ecdsaKey(t), now().Add(-365*day), now().Add(1095*day))
}

func keyPEM(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func kinds(problems []Problem) []Kind {
	var out []Kind
	for _, p := range problems {
		out = append(out, p.Kind)
	}
	return out
}
