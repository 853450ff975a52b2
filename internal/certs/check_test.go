package certs

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestServerCertificateSituations(t *testing.T) {
	ca, other := goodCA(t), newCA(t, ecdsaKey(t), now().Add(-day), now().Add(day*900), func(c *x509.Certificate) { c.Subject.Organization = []string{"other"} })
	twin := newCA(t, ecdsaKey(t), now().Add(-day), now().Add(day*900)) // another key under the same name
	rsaCA := newCA(t, rsaKey(t, 2048), now().Add(-day), now().Add(900*day))
	key := ecdsaKey(t).Public()
	both := []string{"localhost", "127.0.0.1"}
	for _, c := range []struct {
		situation string
		leaf      *x509.Certificate
		ca        authority
		names     []string
		want      []Kind
	}{
		{"docker-machine 0.5 and later", ca.issue(t, key), ca, []string{"localhost", "192.168.99.100"}, nil},
		{"the address that strict clients dial is missing", ca.issue(t, key), ca, both, []Kind{AddressMissing}},
		{"docker-machine 0.4: the address alone", ca.issue(t, key, func(c *x509.Certificate) { c.DNSNames = nil }), ca, both, []Kind{NameMissing, AddressMissing}},
		{"2015: common name alone", ca.issue(t, key, func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses, c.Subject = nil, nil, pkix.Name{CommonName: "localhost"}
		}), ca, []string{"localhost"}, []Kind{NameMissing}},
		{"expired", ca.issue(t, key, func(c *x509.Certificate) { c.NotAfter = now().Add(-time.Second) }), ca, nil, []Kind{Expired}},
		{"29 days left", ca.issue(t, key, func(c *x509.Certificate) { c.NotAfter = now().Add(29 * day) }), ca, nil, []Kind{ExpiresSoon}},
		{"31 days left", ca.issue(t, key, func(c *x509.Certificate) { c.NotAfter = now().Add(31 * day) }), ca, nil, nil},
		{"clock behind", ca.issue(t, key, func(c *x509.Certificate) { c.NotBefore = now().Add(time.Hour) }), ca, nil, []Kind{NotYetValid}},
		{"another CA", other.issue(t, key), ca, nil, []Kind{WrongCA}},
		{"another CA of the same name", twin.issue(t, key), ca, nil, []Kind{WrongCA}},
		{"a client's certificate", ca.issue(t, key, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), ca, nil, []Kind{NoServerAuth}},
		{"no extended key usage at all", ca.issue(t, key, func(c *x509.Certificate) { c.ExtKeyUsage = nil }), ca, nil, nil},
		{"expired, other CA, no name", other.issue(t, key, func(c *x509.Certificate) { c.NotAfter, c.DNSNames = now().Add(-day), nil }), ca, []string{"localhost"}, []Kind{WrongCA, Expired, NameMissing}},
		// What Go does with old cryptography: SHA-1 signatures are refused, RSA
		// keys of 1024 bits are not (crypto/rsa refuses those below).
		{"signed with SHA-1", rsaCA.issue(t, key, func(c *x509.Certificate) { c.SignatureAlgorithm = x509.SHA1WithRSA }), rsaCA, nil, []Kind{WeakSignature}},
		{"an RSA key of 1024 bits", ca.issue(t, rsaKey(t, 1024).Public()), ca, []string{"localhost"}, nil},
		{"a critical extension nobody knows", ca.issue(t, key, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
		}), ca, nil, []Kind{Unverifiable}},
	} {
		v := Judge(c.ca.roots(), []*x509.Certificate{c.leaf}, "", now())
		got := kinds(slices.Concat(v.Causes, v.Expiring, MissingNames(c.leaf, c.names)))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.situation, diff)
		}
	}
}

func TestProblemsAreSentences(t *testing.T) {
	ca := goodCA(t)
	leaf := ca.issue(t, ecdsaKey(t).Public(), func(c *x509.Certificate) { c.NotAfter = now().Add(-day) })
	var got []string
	for _, p := range Judge(ca.roots(), []*x509.Certificate{leaf}, "127.0.0.1", now()).Causes {
		got = append(got, p.Text)
	}
	want := []string{"the certificate expired on 2024-05-16 12:00 UTC", "the server certificate does not name 127.0.0.1, only localhost, 192.168.99.100"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

// A docker client trusts whatever is in ca.pem, and takes the server's word for the way there.
func TestTheWayToTheCA(t *testing.T) {
	root, key := goodCA(t), ecdsaKey(t).Public()
	between := authority{key: ecdsaKey(t)}
	between.cert = root.issue(t, between.key.Public(), func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.Subject, c.ExtKeyUsage = true, x509.KeyUsageCertSign, pkix.Name{CommonName: "between"}, nil
	})
	newer := newCA(t, ecdsaKey(t), now().Add(-day), now().Add(900*day)) // docker-machine gives both the same name
	leaf, old := between.issue(t, key), root.issue(t, key)
	expired := between.issue(t, key, func(c *x509.Certificate) { c.NotAfter = now().Add(-day) })
	list := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	for _, c := range []struct {
		situation    string
		chain, roots []*x509.Certificate
		want         []Kind
	}{
		{"an intermediate, sent", list(leaf, between.cert), list(root.cert), nil},
		{"an intermediate, not sent", list(leaf), list(root.cert), []Kind{WrongCA}},
		{"an intermediate of another CA", list(leaf, between.cert), list(newer.cert), []Kind{WrongCA}},
		{"an intermediate, and expired", list(expired, between.cert), list(root.cert), []Kind{Expired}},
		{"the intermediate itself in ca.pem", list(leaf), list(between.cert), nil},
		{"two CAs in ca.pem, the second one's", list(old), list(newer.cert, root.cert), nil},
		{"the root is sent, too", list(old, root.cert), list(root.cert), nil},
	} {
		if diff := cmp.Diff(c.want, kinds(Judge(c.roots, c.chain, "localhost", now()).Causes)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.situation, diff)
		}
	}
	damaged := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30, 0}})
	bundle := slices.Concat([]byte("# newer\n"), damaged, EncodeCert(newer.cert), EncodeCert(root.cert))
	if ca, _, err := ParseCA(bundle, keyPEM(t, root.key)); err != nil || !ca.Equal(root.cert) {
		t.Errorf("the second CA's key: %v", err)
	}
	all, err := ParseCerts(bundle)
	if err != nil || len(all) != 2 || !all[0].Equal(newer.cert) || !all[1].Equal(root.cert) {
		t.Errorf("two certificates: %d, %v", len(all), err)
	}
}

func TestKeysAreTheSame(t *testing.T) {
	key := rsaKey(t, 1024)
	leaf := goodCA(t).issue(t, key.Public())
	if !SameKey(leaf.PublicKey, key.Public()) {
		t.Error("its own key is another")
	}
	for name, other := range map[string]any{"another RSA key": rsaKey(t, 1024).Public(), "an ECDSA key": ecdsaKey(t).Public(), "none": nil} {
		if SameKey(leaf.PublicKey, other) {
			t.Errorf("%s is the same", name)
		}
	}
	if a, b := PublicKeyHash(leaf.PublicKey), PublicKeyHash(key.Public()); a != b || len(a) != 64 {
		t.Errorf("hashes %q and %q", a, b)
	}
	if got := PublicKeyHash("no key"); got != "" {
		t.Errorf("hash of no key: %q", got)
	}
}

func TestCASituations(t *testing.T) {
	key := ecdsaKey(t)
	//lint:ignore SA1019 this is the old form that users have
	encrypted, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(t, 1024).(*rsa.PrivateKey)), []byte("x"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	good := newCA(t, key, now().Add(-day), now().Add(300*day))
	notCA := good.issue(t, key.Public())
	for _, c := range []struct {
		situation string
		cert, key []byte
		want      error
	}{
		{"good", EncodeCert(good.cert), keyPEM(t, key), nil},
		{"key encrypted by openssl genrsa -aes256", EncodeCert(good.cert), pem.EncodeToMemory(encrypted), ErrEncrypted},
		{"key encrypted, PKCS #8", EncodeCert(good.cert), pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}), ErrEncrypted},
		{"key of another CA", EncodeCert(good.cert), keyPEM(t, ecdsaKey(t)), ErrMismatch},
		{"key file empty", EncodeCert(good.cert), nil, ErrNoPEM},
		{"certificate file empty", nil, keyPEM(t, key), ErrNoPEM},
		{"certificate of a server", EncodeCert(notCA), keyPEM(t, key), ErrNotCA},
	} {
		_, _, err := ParseCA(c.cert, c.key)
		var p *Problem
		if !errors.Is(err, c.want) || err != nil && (!errors.As(err, &p) || p.Kind != CAUnusable) {
			t.Errorf("%s: %#v", c.situation, err)
		}
	}
	for _, c := range []struct {
		situation string
		at        time.Time
		want      []Kind
	}{
		{"in the middle", now(), nil},
		{"29 days left", now().Add(271 * day), []Kind{CAExpiresSoon}},
		{"over", now().Add(301 * day), []Kind{CAExpired}},
		{"not begun", now().Add(-2 * day), []Kind{CANotYetValid}},
	} {
		if diff := cmp.Diff(c.want, kinds(CheckCA(good.cert, key.Public(), c.at))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.situation, diff)
		}
	}
}

func TestSummary(t *testing.T) {
	ca := goodCA(t)
	leaf := ca.issue(t, rsaKey(t, 1024).Public(), func(c *x509.Certificate) {
		c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		c.DNSNames = append(c.DNSNames, c.DNSNames...) // as regenerate-certs does
		c.IPAddresses = append(c.IPAddresses, net.ParseIP("::1"))
	})
	got := Summarize(leaf)
	want := &Summary{
		Subject: "O=me.default", Issuer: "O=me", Serial: "7", Names: []string{"localhost", "192.168.99.100", "::1"},
		NotBefore: now().Add(-100 * day), NotAfter: now().Add(980 * day), Usages: []string{"server", "client"},
		Key: "RSA 1024", KeySHA256: PublicKeyHash(leaf.PublicKey), Signature: "ECDSA-SHA256", Fingerprint: got.Fingerprint,
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got.Fingerprint) != 64 {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}
