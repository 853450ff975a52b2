package certs

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func reissued(t *testing.T, r Request) *x509.Certificate {
	t.Helper()
	text, err := Reissue(r)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ParseCert(text)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// facts are what a reissue decides.
type facts struct {
	Org               []string
	Names             []string
	NotBefore, Ends   time.Time
	KeyUsage          x509.KeyUsage
	ExtKeyUsage       []x509.ExtKeyUsage
	CA, Basic, SameCA bool
	SameKey           bool
}

func factsOf(cert *x509.Certificate, r Request) facts {
	return facts{cert.Subject.Organization, NamesOf(cert), cert.NotBefore, cert.NotAfter, cert.KeyUsage, cert.ExtKeyUsage,
		cert.IsCA, cert.BasicConstraintsValid, cert.CheckSignatureFrom(r.CA) == nil, SameKey(cert.PublicKey, r.PublicKey)}
}

const machineUsage = x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageKeyAgreement

func TestReissueForEveryKindOfKey(t *testing.T) {
	rsa2048, p256 := rsaKey(t, 2048), ecdsaKey(t)
	for name, caKey := range map[string]crypto.Signer{"RSA CA": rsa2048, "ECDSA CA": p256} {
		ca := newCA(t, caKey, now().Add(-365*day), now().Add(1095*day))
		for name2, key := range map[string]crypto.Signer{"RSA server": rsaKey(t, 2048), "ECDSA server": ecdsaKey(t)} {
			t.Run(name+", "+name2, func(t *testing.T) {
				r := Request{Old: ca.issue(t, key.Public()), PublicKey: key.Public(), CA: ca.cert, CAKey: ca.key,
					Names: []string{"192.168.99.100", "localhost", "LOCALHOST", "127.0.0.1", "::ffff:127.0.0.1"}, Now: now()}
				cert := reissued(t, r)
				want := facts{Org: []string{"me.default"}, Names: []string{"localhost", "192.168.99.100", "127.0.0.1"},
					NotBefore: now().Add(-5 * time.Minute), Ends: now().Add(-5*time.Minute + MaxLife), KeyUsage: machineUsage,
					ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, Basic: true, SameCA: true, SameKey: true}
				if diff := cmp.Diff(want, factsOf(cert, r)); diff != "" {
					t.Errorf("certificate (-want +got):\n%s", diff)
				}
				handshake(t, cert, key, ca.cert)
			})
		}
	}
}

// handshake dials the certificate by each name that docker and strict clients use.
func handshake(t *testing.T, cert *x509.Certificate, key crypto.Signer, ca *x509.Certificate) {
	t.Helper()
	for _, name := range []string{"localhost", "127.0.0.1", "192.168.99.100"} {
		a, b := net.Pipe()
		server := tls.Server(a, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}})
		client := tls.Client(b, &tls.Config{RootCAs: pool([]*x509.Certificate{ca}), ServerName: name, Time: now})
		go func() { _ = server.Handshake() }()
		if err := client.Handshake(); err != nil {
			t.Errorf("handshake with %s: %v", name, err)
		}
		_ = a.Close()
		_ = b.Close()
	}
}

func TestReissueClocks(t *testing.T) {
	key := ecdsaKey(t)
	in := func(d time.Duration) time.Time { return now().Add(d) }
	for _, c := range []struct {
		situation    string
		caFrom       time.Time
		caUntil      time.Time
		remote       time.Time
		from, until  time.Time
		renewableOld bool // an old one with 10 days left
	}{
		{"clocks agree", in(-365 * day), in(1095 * day), now(), in(-5 * time.Minute), in(-5*time.Minute + MaxLife), true},
		{"docker host's clock unknown", in(-365 * day), in(1095 * day), time.Time{}, in(-5 * time.Minute), in(-5*time.Minute + MaxLife), true},
		{"docker host two days behind", in(-365 * day), in(1095 * day), in(-2 * day), in(-2*day - 5*time.Minute), in(-2*day - 5*time.Minute + MaxLife), true},
		{"docker host two days ahead", in(-365 * day), in(1095 * day), in(2 * day), in(-5 * time.Minute), in(-5*time.Minute + MaxLife), true},
		{"docker host in 1970", in(-1000 * day), in(80 * day), time.Unix(60, 0), in(-30*day - 5*time.Minute), in(80 * day), true},
		{"CA younger than the docker host's clock", in(-day), in(1095 * day), in(-2 * day), in(-day), in(-day + MaxLife), true},
		{"CA a minute old", in(-time.Minute), in(1095 * day), now(), in(-time.Minute), in(-time.Minute + MaxLife), true},
		{"CA near its end", in(-365 * day), in(10 * day), now(), in(-5 * time.Minute), in(10 * day), false},
	} {
		t.Run(c.situation, func(t *testing.T) {
			ca := newCA(t, ecdsaKey(t), c.caFrom, c.caUntil)
			old := ca.issue(t, key.Public(), func(cert *x509.Certificate) { cert.NotAfter = in(10 * day) })
			r := Request{Old: old, PublicKey: key.Public(), CA: ca.cert, CAKey: ca.key, Names: []string{"localhost"}, Now: now(), RemoteNow: c.remote}
			cert := reissued(t, r)
			if !cert.NotBefore.Equal(c.from) || !cert.NotAfter.Equal(c.until) {
				t.Errorf("valid from %s until %s\nwant       %s until %s", cert.NotBefore, cert.NotAfter, c.from, c.until)
			}
			if got := Renewable(old, ca.cert, now()); got != c.renewableOld {
				t.Errorf("renewable: %t, want %t", got, c.renewableOld)
			}
			if c.until.Equal(c.caUntil) && Renewable(cert, ca.cert, now()) {
				t.Error("reissued to the CA's end, and still renewable: the daemon would be restarted for ever")
			}
		})
	}
}

func TestRenewableNeedsALivingCA(t *testing.T) {
	ca := newCA(t, ecdsaKey(t), now().Add(-365*day), now().Add(-day))
	if Renewable(ca.issue(t, ecdsaKey(t).Public(), func(c *x509.Certificate) { c.NotAfter = now().Add(-2 * day) }), ca.cert, now()) {
		t.Error("renewable though the CA is over")
	}
}

func TestReissueKeepsWhatTheOldOneHad(t *testing.T) {
	ca, key := goodCA(t), ecdsaKey(t)
	old := ca.issue(t, key.Public(), func(c *x509.Certificate) {
		c.Subject = pkix.Name{Organization: []string{"Zoë.default"}, CommonName: "default"}
		c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		c.DNSNames = []string{"my.host", "*.swarm.example", "odd name", "localhost"}
		c.IPAddresses = []net.IP{net.ParseIP("fe80::1"), net.IPv4(10, 0, 0, 1)}
	})
	r := Request{Old: old, PublicKey: key.Public(), CA: ca.cert, CAKey: ca.key, Names: []string{"localhost", "127.0.0.1"}, Now: now()}
	cert := reissued(t, r)
	want := facts{Org: []string{"Zoë.default"}, Names: []string{"my.host", "*.swarm.example", "localhost", "odd name", "fe80::1", "10.0.0.1", "127.0.0.1"},
		NotBefore: now().Add(-5 * time.Minute), Ends: now().Add(-5*time.Minute + MaxLife), KeyUsage: machineUsage,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, Basic: true, SameCA: true, SameKey: true}
	if diff := cmp.Diff(want, factsOf(cert, r)); diff != "" {
		t.Errorf("certificate (-want +got):\n%s", diff)
	}
	if string(cert.RawSubject) != string(old.RawSubject) {
		t.Error("the subject is not the old one's")
	}
}

func TestReissueOfA2015CertificateNamesItsCommonName(t *testing.T) {
	ca, key := goodCA(t), ecdsaKey(t)
	old := ca.issue(t, key.Public(), func(c *x509.Certificate) {
		c.Subject, c.DNSNames, c.IPAddresses = pkix.Name{CommonName: "docker.local"}, nil, nil
	})
	cert := reissued(t, Request{Old: old, PublicKey: key.Public(), CA: ca.cert, CAKey: ca.key, Names: []string{"localhost"}, Now: now()})
	if diff := cmp.Diff([]string{"docker.local", "localhost"}, NamesOf(cert)); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestSerialNumbersAreRandom(t *testing.T) {
	ca, key := goodCA(t), ecdsaKey(t)
	r := Request{Old: ca.issue(t, key.Public()), PublicKey: key.Public(), CA: ca.cert, CAKey: ca.key, Now: now()}
	seen, longest := map[string]bool{}, 0
	for range 50 {
		n := reissued(t, r).SerialNumber
		if n.Sign() <= 0 || n.BitLen() > 128 || seen[n.String()] {
			t.Fatalf("serial number %s", n)
		}
		seen[n.String()] = true
		longest = max(longest, n.BitLen())
	}
	if longest < 120 {
		t.Errorf("longest of 50 serial numbers: %d bits", longest)
	}
}

func TestReissueRefuses(t *testing.T) {
	key := ecdsaKey(t).Public()
	good := goodCA(t)
	old := good.issue(t, key)
	expired := newCA(t, ecdsaKey(t), now().Add(-365*day), now().Add(-time.Second))
	young := newCA(t, ecdsaKey(t), now().Add(time.Hour), now().Add(day))
	for _, c := range []struct {
		situation string
		edit      func(*Request)
		kind      Kind
		behind    error
		text      string
	}{
		{"CA over", func(r *Request) { r.CA, r.CAKey = expired.cert, expired.key }, CAExpired, nil, "the machine CA expired on 2024-05-17 11:59 UTC"},
		{"CA not begun", func(r *Request) { r.CA, r.CAKey = young.cert, young.key }, CANotYetValid, nil, "not valid before"},
		{"key of another CA", func(r *Request) { r.CAKey = expired.key }, CAUnusable, ErrMismatch, "does not belong"},
		{"a server's certificate for a CA", func(r *Request) { r.CA = old }, CAUnusable, ErrNotCA, "may sign"},
		{"a name with a newline", func(r *Request) { r.Names = []string{"a\nb"} }, "", nil, `"a\nb" is neither a host name nor an IP address`},
		{"an empty name", func(r *Request) { r.Names = []string{""} }, "", nil, `""`},
		{"an address with a zone", func(r *Request) { r.Names = []string{"fe80::1%en0"} }, "", nil, "neither"},
		{"no public key", func(r *Request) { r.PublicKey = nil }, "", ErrKeyType, "the server's key"},
		{"no old certificate", func(r *Request) { r.Old = nil }, "", nil, "lacks"},
		{"no randomness", func(r *Request) { r.Rand = strings.NewReader("") }, "", nil, "serial number"},
	} {
		r := Request{Old: old, PublicKey: key, CA: good.cert, CAKey: good.key, Now: now()}
		c.edit(&r)
		text, err := Reissue(r)
		var p *Problem
		kind := Kind("")
		if errors.As(err, &p) {
			kind = p.Kind
		}
		if text != nil || err == nil || kind != c.kind || c.behind != nil && !errors.Is(err, c.behind) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %q, kind %q, %v", c.situation, text, kind, err)
		}
	}
}
