package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// forge makes chains of certificates, good ones and all kinds of bad ones. Keys are
// shared, and so are equal certificates: what is judged does not depend on them.
type forge struct {
	t    testing.TB
	ca   []crypto.Signer // keys of CAs
	leaf []crypto.Signer // keys of servers
	made sync.Map        // spec → *x509.Certificate
	peer tls.Certificate // of a server that is not judged
}

func newForge(t testing.TB) *forge {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &forge{t: t,
		ca:   []crypto.Signer{rsaKey(t, 1024), ecdsaKey(t), rsaKey(t, 1024), rsaKey(t, 1024), ecdsaKey(t), ed},
		leaf: []crypto.Signer{ecdsaKey(t), rsaKey(t, 1024), ed},
	}
	f.peer = tls.Certificate{Certificate: [][]byte{f.make(spec{}).Raw}, PrivateKey: f.leaf[0]}
	return f
}

// spec is all that one certificate depends on. The zero values are the good ones,
// but for CA.
type spec struct {
	name, key              int // of the subject, in forge.ca if it is a CA's
	issuer, issuerKey      int
	dates, sans, eku       int
	usage, constraints     int
	pathLen                int // 0 none, else 1 more than the limit
	ca, noBasic            bool
	critical, weak, broken bool // broken: its signature
	keyID                  bool
	version1, oddKey       bool
	hugeKey                bool
}

// span is from when until when a certificate is valid, from now.
var spans = [][2]time.Duration{
	{-100 * day, 900 * day}, {-1100 * day, -time.Second}, {time.Second, 900 * day}, {-900 * day, 0}, {0, 900 * day}, {-100 * day, 10 * day}, {-2000 * day, -900 * day},
}

var ekus = [][]x509.ExtKeyUsage{
	{x509.ExtKeyUsageServerAuth}, nil, {x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, {x509.ExtKeyUsageClientAuth}, {x509.ExtKeyUsageAny},
	{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageAny}, {unknownUsage},
}

const unknownUsage = x509.ExtKeyUsage(-1) // stands for one that only its OID tells

const dmUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement

var (
	caUsages   = []x509.KeyUsage{dmUsage | x509.KeyUsageCertSign, x509.KeyUsageCertSign | x509.KeyUsageCRLSign, 0, dmUsage}
	leafUsages = []x509.KeyUsage{dmUsage, 0, x509.KeyUsageCertSign, x509.KeyUsageContentCommitment}
)

var sans = []func(*x509.Certificate){
	func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(192, 168, 99, 100)}
	},
	func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} },
	func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(192, 168, 99, 100)} },
	func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	},
	func(c *x509.Certificate) { c.Subject.CommonName = "localhost" },
	func(*x509.Certificate) {},
	func(c *x509.Certificate) { c.DNSNames = []string{"*.example", "odd name"} },
	func(c *x509.Certificate) { c.DNSNames = []string{"LocalHost.", "127.0.0.1", "DOCKER.example"} },
	func(c *x509.Certificate) {
		c.DNSNames, c.EmailAddresses, c.URIs = []string{"localhost"}, []string{"me@docker.example"}, []*url.URL{{Scheme: "https", Host: "docker.example"}}
	},
}

var constraints = []func(*x509.Certificate){
	func(*x509.Certificate) {},
	func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"localhost"} },
	func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example"} },
	func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"localhost"} },
	func(c *x509.Certificate) {
		c.PermittedIPRanges = []*net.IPNet{{IP: net.IPv4(192, 168, 99, 0).To4(), Mask: net.CIDRMask(24, 32)}}
	},
	func(c *x509.Certificate) {
		c.ExcludedIPRanges = []*net.IPNet{{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)}}
	},
	func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"elsewhere.example"} },
}

func (f *forge) make(s spec) *x509.Certificate {
	if c, ok := f.made.Load(s); ok {
		return c.(*x509.Certificate)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{Organization: []string{fmt.Sprint("name ", s.name)}},
		NotBefore: now().Add(spans[s.dates][0]), NotAfter: now().Add(spans[s.dates][1]), BasicConstraintsValid: !s.noBasic,
	}
	for _, u := range ekus[s.eku] {
		if u == unknownUsage {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 2, 3}}
		} else {
			c.ExtKeyUsage = append(c.ExtKeyUsage, u)
		}
	}
	c.KeyUsage = leafUsages[s.usage]
	if s.ca {
		c.IsCA, c.KeyUsage = true, caUsages[s.usage]
		constraints[s.constraints](c)
		if c.MaxPathLen = s.pathLen - 1; s.pathLen == 1 {
			c.MaxPathLenZero = true
		}
	} else {
		sans[s.sans](c)
	}
	if s.noBasic {
		c.IsCA, c.MaxPathLen, c.MaxPathLenZero = false, 0, false
	}
	if s.critical {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}
	parent := &x509.Certificate{Subject: pkix.Name{Organization: []string{fmt.Sprint("name ", s.issuer)}}}
	if s.keyID {
		c.SubjectKeyId, parent.SubjectKeyId = []byte{1, byte(s.key)}, []byte{1, byte(s.issuerKey)}
	}
	made := f.sign(s, c, parent)
	f.made.Store(s, made)
	return made
}

func (f *forge) sign(s spec, c, parent *x509.Certificate) *x509.Certificate {
	signer := f.ca[s.issuerKey]
	if s.weak {
		switch signer.(type) {
		case *rsa.PrivateKey:
			c.SignatureAlgorithm = x509.SHA1WithRSA
		case *ecdsa.PrivateKey:
			c.SignatureAlgorithm = x509.ECDSAWithSHA1
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, f.publicKey(s), signer)
	if err != nil {
		f.t.Fatalf("%+v: %v", s, err)
	}
	if _, ed := signer.(ed25519.PrivateKey); !ed && !s.weak && s.version1 {
		der = resign(f.t, der, signer, version1)
	} else if !ed && !s.weak && s.oddKey {
		der = resign(f.t, der, signer, oddKey)
	}
	if s.broken {
		der[len(der)-1] ^= 1
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		f.t.Fatalf("%+v: %v", s, err)
	}
	return made
}

func (f *forge) publicKey(s spec) crypto.PublicKey {
	switch {
	case s.hugeKey: // nothing is ever signed with it
		return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8192, 1), E: 65537}
	case s.ca:
		return f.ca[s.key].Public()
	}
	return f.leaf[s.key].Public()
}

// resign makes a certificate anew with other parts of its body: version, serial number,
// algorithm, issuer, validity, subject, key, extensions.
func resign(t testing.TB, der []byte, key crypto.Signer, edit func(body []asn1.RawValue) []asn1.RawValue) []byte {
	t.Helper()
	var whole struct {
		Body      []asn1.RawValue
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &whole); err != nil {
		t.Fatal(err)
	}
	whole.Body = edit(whole.Body)
	body, err := asn1.Marshal(whole.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	signature, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	whole.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	text, err := asn1.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// version1 leaves the extensions out, as openssl x509 -req does: nothing in the
// certificate names a CA or a server then.
func version1(body []asn1.RawValue) []asn1.RawValue { return body[1:7] }

// oddKey puts in a public key for X25519, which signs nothing, so that no TLS server can
// use it.
func oddKey(body []asn1.RawValue) []asn1.RawValue {
	key, err := asn1.Marshal(struct {
		Algorithm struct{ OID asn1.ObjectIdentifier }
		Key       asn1.BitString
	}{struct{ OID asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 3, 101, 110}}, asn1.BitString{Bytes: bytes.Repeat([]byte{9}, 32), BitLength: 256}})
	if err != nil {
		panic(err) // constant
	}
	body[6] = asn1.RawValue{FullBytes: key}
	return body
}
