package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Soon is how long before its end a certificate counts as expiring soon.
const Soon = 30 * 24 * time.Hour

// Kind is what is wrong with a certificate. Where there is a finding code for
// it, it is that code without its layer: "tls." + Kind.
type Kind string

// The kinds of a leaf certificate's problems, then those of its CA.
const (
	NameMissing    Kind = "name-missing"    // a DNS name is not in it
	AddressMissing Kind = "address-missing" // an IP address is not in it
	Expired        Kind = "expired"
	ExpiresSoon    Kind = "expires-soon"
	NotYetValid    Kind = "not-yet-valid"
	WrongCA        Kind = "wrong-ca"
	NoServerAuth   Kind = "no-server-auth"
	// WeakSignature: signed with MD5 or SHA-1, which Go has refused since 1.18,
	// and since 1.24 without a switch to allow it (Go release notes).
	WeakSignature Kind = "weak-signature"
	// Unverifiable: crypto/x509 refuses it for a reason not listed here.
	Unverifiable Kind = "unverifiable"

	CAExpired     Kind = "ca-expired"
	CAExpiresSoon Kind = "ca-expires-soon"
	CAUnusable    Kind = "ca-unusable" // Err says why: ErrEncrypted, ErrMismatch, ErrNotCA, ErrCANotYetValid …
)

// Why a CA is unusable, besides ErrEncrypted, ErrNoPEM and ErrKeyType.
var (
	ErrMismatch      = errors.New("the CA's private key does not belong to its certificate")
	ErrNotCA         = errors.New("the certificate is not one that may sign others")
	ErrCANotYetValid = errors.New("the CA's certificate is not valid yet")
)

// Problem is one thing wrong with a certificate. It is also the error with
// which Reissue refuses.
type Problem struct {
	Kind Kind
	Name string // NameMissing, AddressMissing: what is missing
	Text string // present tense, with the evidence in it
	Err  error  // what lies behind it, if anything
}

func (p *Problem) Error() string { return p.Text }
func (p *Problem) Unwrap() error { return p.Err }

// Trust is what a docker client verifies a server by.
type Trust struct {
	Roots []*x509.Certificate // those in its ca.pem: the machine CA, rarely more
	Sent  []*x509.Certificate // what the server sends behind its own certificate
}

// Issuer is the root that has signed a certificate, else the first.
func (t Trust) Issuer(leaf *x509.Certificate) *x509.Certificate {
	for _, root := range t.Roots {
		if string(leaf.RawIssuer) == string(root.RawSubject) && leaf.CheckSignatureFrom(root) == nil {
			return root
		}
	}
	return t.Roots[0]
}

func (t Trust) verify(leaf *x509.Certificate, at time.Time) error {
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool(t.Roots), Intermediates: pool(t.Sent), CurrentTime: at})
	return err
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// Check judges a server certificate as a Go client does that dials each of names
// (DNS or IP text). No problem: every such handshake works at the time now. A name
// in the subject alone counts for nothing, as since Go 1.15.
func Check(leaf *x509.Certificate, trust Trust, names []string, now time.Time) []Problem {
	problems := chainProblems(leaf, trust, now)
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil {
			continue
		}
		kind := NameMissing
		if _, err := netip.ParseAddr(name); err == nil {
			kind = AddressMissing
		}
		problems = append(problems, Problem{Kind: kind, Name: name, Text: fmt.Sprintf("the server certificate does not name %s, only %s", name, listed(NamesOf(leaf)))})
	}
	return problems
}

func chainProblems(leaf *x509.Certificate, trust Trust, now time.Time) []Problem {
	var problems []Problem
	add := func(kind Kind, err error, format string, args ...any) {
		problems = append(problems, Problem{Kind: kind, Text: fmt.Sprintf(format, args...), Err: err})
	}
	ca := trust.Issuer(leaf)
	// Go looks for the issuer by its name before it tries the signature.
	if err := leaf.CheckSignatureFrom(ca); string(leaf.RawIssuer) != string(ca.RawSubject) {
		if len(trust.Sent) == 0 || trust.verify(leaf, within(leaf, now)) != nil {
			add(WrongCA, err, "the certificate was issued by %q, not by the machine CA %q", leaf.Issuer, ca.Subject)
		}
	} else if weak := (x509.InsecureAlgorithmError(0)); errors.As(err, &weak) {
		add(WeakSignature, err, "the certificate is signed with %s, which docker refuses", leaf.SignatureAlgorithm)
	} else if err != nil {
		add(WrongCA, err, "the certificate was signed by another CA than the machine's %q: %v", ca.Subject, err)
	}
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		add(NotYetValid, nil, "the certificate is not valid before %s", when(leaf.NotBefore))
	case left < 0:
		add(Expired, nil, "the certificate expired on %s", when(leaf.NotAfter))
	case left < Soon:
		add(ExpiresSoon, nil, "the certificate expires on %s", when(leaf.NotAfter))
	}
	if !forServers(leaf) {
		add(NoServerAuth, nil, "the certificate is not for servers")
	}
	if len(problems) == 0 || len(problems) == 1 && problems[0].Kind == ExpiresSoon {
		if err := trust.verify(leaf, now); err != nil && usable(ca, nil, now) == nil {
			add(Unverifiable, err, "the certificate does not verify: %v", err)
		}
	}
	return problems
}

// within is now, or the nearest time at which a certificate is valid: its dates
// are a problem of their own.
func within(leaf *x509.Certificate, now time.Time) time.Time {
	switch {
	case now.Before(leaf.NotBefore):
		return leaf.NotBefore
	case now.After(leaf.NotAfter):
		return leaf.NotAfter
	}
	return now
}

// CheckCA judges a CA certificate; key is its private key's public half, nil
// when only the certificate is at hand.
func CheckCA(ca *x509.Certificate, key crypto.PublicKey, now time.Time) []Problem {
	var problems []Problem
	add := func(kind Kind, err error, format string, args ...any) {
		problems = append(problems, Problem{Kind: kind, Text: fmt.Sprintf(format, args...), Err: err})
	}
	switch left := ca.NotAfter.Sub(now); {
	case now.Before(ca.NotBefore):
		add(CAUnusable, ErrCANotYetValid, "the machine CA is not valid before %s", when(ca.NotBefore))
	case left < 0:
		add(CAExpired, nil, "the machine CA expired on %s", when(ca.NotAfter))
	case left < Soon:
		add(CAExpiresSoon, nil, "the machine CA expires on %s", when(ca.NotAfter))
	}
	if !ca.BasicConstraintsValid || !ca.IsCA || ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0 {
		add(CAUnusable, ErrNotCA, "the machine CA %q is unusable: %v", ca.Subject, ErrNotCA)
	}
	if key != nil && !SameKey(ca.PublicKey, key) {
		add(CAUnusable, ErrMismatch, "the machine CA %q is unusable: %v", ca.Subject, ErrMismatch)
	}
	return problems
}

// usable is the first of a CA's problems that keeps it from signing; nil if none.
func usable(ca *x509.Certificate, key crypto.PublicKey, now time.Time) *Problem {
	for _, p := range CheckCA(ca, key, now) {
		if p.Kind != CAExpiresSoon {
			return &p
		}
	}
	return nil
}

// ParseCA reads a CA's private key and its certificate: of several, the one that
// the key belongs to. Its error is a *Problem of kind CAUnusable, with ErrEncrypted,
// ErrMismatch, ErrNoPEM and so on behind it; dates are left to CheckCA.
func ParseCA(certPEM, keyPEM []byte) (*x509.Certificate, crypto.Signer, error) {
	unusable := func(err error) error {
		return &Problem{Kind: CAUnusable, Text: fmt.Sprintf("the machine CA is unusable: %v", err), Err: err}
	}
	all, err := ParseCerts(certPEM)
	if err != nil {
		return nil, nil, unusable(err)
	}
	key, err := ParseKey(keyPEM)
	if err != nil {
		return nil, nil, unusable(err)
	}
	ca := all[0]
	if i := slices.IndexFunc(all, func(c *x509.Certificate) bool { return SameKey(c.PublicKey, key.Public()) }); i > 0 {
		ca = all[i]
	}
	if p := usable(ca, key.Public(), ca.NotAfter); p != nil {
		return nil, nil, p
	}
	return ca, key, nil
}

func forServers(leaf *x509.Certificate) bool {
	if len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0 {
		return true // no such extension: any use
	}
	return slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func listed(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	text := names[0]
	for _, n := range names[1:] {
		text += ", " + n
	}
	return text
}
