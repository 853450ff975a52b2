package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhyDockerRefuses(t *testing.T) {
	list := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	// ca is a machine CA with one thing that is not as docker-machine makes it.
	key := ecdsaKey(t)
	ca := func(edit func(*x509.Certificate)) authority {
		return newCA(t, key, now().Add(-365*day), now().Add(1095*day), edit)
	}
	until := func(end time.Time) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = end }
	}
	good := ca(func(*x509.Certificate) {})
	server := ecdsaKey(t).Public()
	leaf, ended := good.issue(t, server), good.issue(t, server, until(now().Add(-day)))
	// between is an intermediate CA of good's, and what it has issued.
	between := func(edit func(*x509.Certificate)) (chain []*x509.Certificate) {
		a := authority{key: ecdsaKey(t)}
		a.cert = good.issue(t, a.key.Public(), func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage, c.Subject, c.ExtKeyUsage = true, x509.KeyUsageCertSign, pkix.Name{CommonName: "between"}, nil
			edit(c)
		})
		return list(a.issue(t, server), a.cert)
	}
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}
	clients := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }
	over, young := ca(until(now().Add(-day))), ca(func(c *x509.Certificate) { c.NotBefore = now().Add(time.Hour) })
	for _, c := range []struct {
		situation    string
		roots, chain []*x509.Certificate
		want         []string
	}{
		{"all is well", good.roots(), list(leaf), nil},
		{"the CA is over", over.roots(), list(leaf), []string{"ca-expired: the machine CA expired on 2024-05-16 12:00 UTC"}},
		{"the CA is over, and a new one of the same key follows it in ca.pem", list(over.cert, good.cert), list(leaf), nil},
		{"the CA is over, the server sends a new one of the same key", over.roots(), list(leaf, good.cert), []string{"ca-expired: the machine CA expired on 2024-05-16 12:00 UTC"}},
		{"the CA has not begun", young.roots(), list(leaf), []string{"ca-not-yet-valid: the machine CA is not valid before 2024-05-17 13:00 UTC"}},
		{"the CA is over, and so is the certificate", over.roots(), list(good.issue(t, server, until(now().Add(-day)))),
			[]string{"ca-expired: the machine CA expired on 2024-05-16 12:00 UTC", "expired: the certificate expired on 2024-05-16 12:00 UTC"}},
		{"the CA ends within 30 days", ca(until(now().Add(10 * day))).roots(), list(leaf), nil},
		{"the CA is a server's certificate", ca(func(c *x509.Certificate) { c.IsCA = false }).roots(), list(leaf),
			[]string{"ca-unusable: the machine CA is unusable: the certificate is not one that may sign others"}},
		{"the CA may not sign", ca(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }).roots(), list(leaf),
			[]string{"ca-unusable: the machine CA is unusable: the certificate is not one that may sign others"}},
		{"the CA is for clients", ca(clients).roots(), list(leaf),
			[]string{"ca-unusable: the machine CA is unusable: its extended key usage is not for servers"}},
		{"the CA has a critical extension", ca(critical).roots(), list(leaf),
			[]string{"ca-unusable: the machine CA is unusable: it has a critical extension that docker does not know"}},
		{"the CA is for other names", ca(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example"} }).roots(), list(leaf),
			[]string{`ca-unusable: the CA may not sign for a name in the certificate: DNS name "localhost" is not permitted by any constraint`}},
		{"the CA allows no intermediate", ca(func(c *x509.Certificate) { c.MaxPathLenZero = true }).roots(), between(func(*x509.Certificate) {}),
			[]string{"ca-unusable: the machine CA is unusable: more intermediate CAs follow it than it allows"}},
		{"the intermediate is over", good.roots(), between(until(now().Add(-day))),
			[]string{`ca-expired: the intermediate CA "CN=between" expired on 2024-05-16 12:00 UTC`}},
		{"the intermediate is none", good.roots(), between(func(c *x509.Certificate) { c.IsCA = false }),
			[]string{`ca-unusable: the intermediate CA "CN=between" is unusable: the certificate is not one that may sign others`}},
		{"the intermediate is signed with SHA-1", good.roots(), between(func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }),
			[]string{`weak-signature: the certificate of the intermediate CA "CN=between" is signed with ECDSA-SHA1, which docker refuses`}},
		{"the certificate itself is in ca.pem", list(leaf), list(leaf), nil},
		{"the certificate itself is in ca.pem, and over", list(ended), list(ended), []string{"expired: the certificate expired on 2024-05-16 12:00 UTC"}},
		{"ca.pem has other CAs", list(leaf, over.issue(t, server)), list(newCA(t, ecdsaKey(t), now().Add(-day), now().Add(day), clients).issue(t, server)),
			[]string{`wrong-ca: the certificate was issued by "O=me", not by the machine CA "O=me.default", not by the machine CA "O=me.default"`}},
		{"ca.pem is empty", nil, list(leaf), []string{`wrong-ca: the certificate was issued by "O=me"`}},
		{"the server sends nothing", good.roots(), nil, []string{"unverifiable: the certificate is missing"}},
		{"the address is in the common name", good.roots(), list(good.issue(t, server, func(c *x509.Certificate) {
			c.DNSNames, c.IPAddresses, c.Subject.CommonName = nil, []net.IP{net.IPv4(127, 0, 0, 1)}, "localhost"
		})), []string{"name-missing: the server certificate does not name localhost, only 127.0.0.1"}},
	} {
		var got []string
		for _, p := range Judge(c.roots, c.chain, "localhost", now()).Causes {
			got = append(got, string(p.Kind)+": "+p.Text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.situation, diff)
		}
	}
	soon := Judge(ca(until(now().Add(10*day))).roots(), list(good.issue(t, server, until(now().Add(20*day)))), "localhost", now())
	if diff := cmp.Diff([]Kind{CAExpiresSoon, ExpiresSoon}, kinds(slices.Concat(soon.Causes, soon.Expiring))); diff != "" {
		t.Errorf("both end soon (-want +got):\n%s", diff)
	}
}
