package tls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

// A client certificate that is refused is said to be past its end, with the date, if it is.
func TestOutdatedClientCertificate(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, until := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 16, 0, 0, 0, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for situation, c := range map[string]struct {
		now  time.Time
		want engine.Finding
	}{
		"valid":   {until.AddDate(0, 0, -1), rejected.Found("build:2376", "/certs", "remote error: tls: bad certificate")},
		"expired": {until.AddDate(0, 0, 1), outdatedOne.Found("the client certificate expired on 2026-10-16 00:00 UTC", "/certs", "build:2376", "remote error: tls: bad certificate")},
		"later":   {from.AddDate(0, 0, -1), outdatedOne.Found("the client certificate is not valid before 2026-01-01 00:00 UTC", "/certs", "build:2376", "remote error: tls: bad certificate")},
	} {
		s := State{At: "build:2376", CertDir: "/certs", SpeaksTLS: true, Rejected: "remote error: tls: bad certificate", Outdated: outdated(tls.Certificate{Leaf: leaf}, c.now)}
		if diff := cmp.Diff([]engine.Finding{c.want}, s.Findings()); diff != "" {
			t.Errorf("%s: %s", situation, diff)
		}
	}
}
