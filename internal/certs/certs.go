// Package certs parses, judges and reissues the certificates of a docker machine. It does no I/O;
// time and randomness are arguments.
package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors that the parsers wrap.
var (
	// ErrNoPEM means that there is no PEM block of the wanted type.
	ErrNoPEM = errors.New("no PEM block of that kind in it")
	// ErrEncrypted means that the private key has a passphrase.
	ErrEncrypted = errors.New("the private key is encrypted with a passphrase")
	// ErrKeyType means that a key is of a type that cannot be used for certificates.
	ErrKeyType = errors.New("unsupported kind of key: want RSA, ECDSA or Ed25519")
)

// ParseCert returns the first certificate in a PEM file. It ignores other text and blocks of other
// types, such as a key.
func ParseCert(text []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("parsing certificate: %w", err)
		}
		return cert, nil
	}
	return nil, fmt.Errorf("parsing certificate: %w", ErrNoPEM)
}

// ParseCerts returns all certificates in a PEM file, as docker reads ca.pem: it ignores those that
// cannot be parsed and those with PEM headers (crypto/x509, AppendCertsFromPEM). If there are no
// others, it returns an error.
func ParseCerts(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	why := ErrNoPEM
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			why = err
			continue
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("parsing certificate: %w", why)
	}
	return all, nil
}

// ParseKey returns the first private key in a PEM file: PKCS #1 (as docker-machine writes it), SEC
// 1 or PKCS #8.
func ParseKey(text []byte) (crypto.Signer, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		// "Proc-Type: 4,ENCRYPTED" is RFC 1421's header, which OpenSSL still writes.
		encrypted := bytes.Contains([]byte(block.Headers["Proc-Type"]), []byte("ENCRYPTED"))
		switch block.Type {
		case "RSA PRIVATE KEY":
			if !encrypted {
				key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
			}
		case "EC PRIVATE KEY":
			if !encrypted {
				key, err = x509.ParseECPrivateKey(block.Bytes)
			}
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			encrypted = true
		default:
			continue
		}
		if encrypted {
			return nil, fmt.Errorf("parsing private key: %w", ErrEncrypted)
		}
		if err != nil {
			return nil, fmt.Errorf("parsing private key: %w", err)
		}
		signer, ok := key.(crypto.Signer)
		if !ok || !supported(signer.Public()) {
			return nil, fmt.Errorf("parsing private key: %w", ErrKeyType)
		}
		return signer, nil
	}
	return nil, fmt.Errorf("parsing private key: %w", ErrNoPEM)
}

// EncodeCert returns a certificate as PEM.
func EncodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// PublicKeyHash returns the SHA-256 of a public key's SubjectPublicKeyInfo, as 64 hexadecimal
// digits; "" for a key of an unknown type.
func PublicKeyHash(pub crypto.PublicKey) string {
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(spki)
	return hex.EncodeToString(sum[:])
}

// SameKey reports whether two public keys are equal. It returns false if one is nil or of an
// unknown type.
func SameKey(a, b crypto.PublicKey) bool {
	comparable, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && b != nil && comparable.Equal(b)
}

func supported(pub crypto.PublicKey) bool {
	switch pub.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// Summary is a certificate as `cert show --json` prints it.
type Summary struct {
	Subject     string    `json:"subject"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"` // hexadecimal
	Names       []string  `json:"names"`  // DNS names, then IP addresses
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Usages      []string  `json:"usages"` // "server", "client", "any"; empty if unrestricted
	CA          bool      `json:"ca"`
	Key         string    `json:"key"`        // "RSA 2048", "ECDSA P-256"
	KeySHA256   string    `json:"key_sha256"` // PublicKeyHash
	Signature   string    `json:"signature"`  // "SHA256-RSA"
	Fingerprint string    `json:"fingerprint_sha256"`
}

// Summarize returns the Summary of a certificate. Its lists are never nil.
func Summarize(cert *x509.Certificate) *Summary {
	sum := sha256.Sum256(cert.Raw)
	usages := []string{}
	for _, u := range cert.ExtKeyUsage {
		switch u {
		case x509.ExtKeyUsageServerAuth:
			usages = append(usages, "server")
		case x509.ExtKeyUsageClientAuth:
			usages = append(usages, "client")
		case x509.ExtKeyUsageAny:
			usages = append(usages, "any")
		}
	}
	return &Summary{
		Subject: cert.Subject.String(), Issuer: cert.Issuer.String(), Serial: cert.SerialNumber.Text(16),
		Names: append([]string{}, NamesOf(cert)...), NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(),
		Usages: usages, CA: cert.IsCA, Key: keyText(cert.PublicKey), KeySHA256: PublicKeyHash(cert.PublicKey),
		Signature: cert.SignatureAlgorithm.String(), Fingerprint: hex.EncodeToString(sum[:]),
	}
}

// NamesOf returns the names in a certificate without repetitions: DNS names, then IP addresses.
// docker-machine's regenerate-certs writes localhost twice if ServerCertSANs has it (docker/machine
// b170508b, libmachine/provision/utils.go, ConfigureAuth).
func NamesOf(cert *x509.Certificate) []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range cert.DNSNames {
		add(name)
	}
	for _, ip := range cert.IPAddresses {
		add(ip.String())
	}
	return names
}

func keyText(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "unknown"
}
