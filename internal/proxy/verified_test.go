package proxy

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"
)

// What was verified once is let in without another look at the CA, as long as its dates allow it.
func TestVerifiedBefore(t *testing.T) {
	now := time.Now()
	a, b := newAuthority(t, now), newAuthority(t, now)
	c := a.credentials()
	mine, other := []*x509.Certificate{a.client("ci", now).Leaf}, []*x509.Certificate{b.client("ci", now).Leaf}
	refused := func(sent []*x509.Certificate, at time.Time, want string) {
		t.Helper()
		switch r := c.judge(sent, at); {
		case want == "" && r != nil:
			t.Errorf("refused: %s", r.reason)
		case want != "" && (r == nil || !strings.Contains(r.reason, want)):
			t.Errorf("got %+v, want %q", r, want)
		}
	}
	const stranger = "not signed by the CA of this proxy"
	refused(mine, now, "")
	refused(other, now, stranger)
	refused(other, now, stranger) // what was refused is not remembered
	refused(mine, mine[0].NotAfter.Add(time.Second), "expired on")
	refused(mine, mine[0].NotBefore.Add(-time.Second), "not valid before")
	c.roots = b.credentials().roots
	refused(mine, now, "")
	refused([]*x509.Certificate{mine[0], other[0]}, now, stranger)
	c.allow = []string{"somebody"}
	refused(mine, now, `the client "ci" is not allowed`)
}

// The dates of all certificates up to the CA count, and the memory is bounded.
func TestVerifiedPeriod(t *testing.T) {
	day := func(n int) time.Time { return time.Unix(0, 0).AddDate(0, 0, n) }
	leaf := &x509.Certificate{Raw: []byte("leaf"), NotBefore: day(1), NotAfter: day(9)}
	ca := &x509.Certificate{Raw: []byte("ca"), NotBefore: day(3), NotAfter: day(7)}
	var v verified
	sent := []*x509.Certificate{leaf}
	v.add(sent, []*x509.Certificate{leaf, ca})
	for n := range 10 {
		if got, want := v.has(sent, day(n)), n >= 3 && n <= 7; got != want {
			t.Errorf("day %d: %v", n, got)
		}
	}
	for i := range 3 * maxVerified {
		one := []*x509.Certificate{{Raw: []byte{byte(i), byte(i >> 8)}}}
		v.add(one, one)
	}
	if n := len(v.valid); n > maxVerified {
		t.Errorf("%d certificates are remembered", n)
	}
}
