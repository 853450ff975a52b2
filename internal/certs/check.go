package certs

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Soon is how long before its end a certificate counts as expiring soon.
const Soon = 30 * 24 * time.Hour

// Kind is what is wrong with a certificate. If there is a finding for it, its code is "tls." +
// Kind.
type Kind string

// The kinds of problems: first those of a leaf certificate, then those of its CA.
const (
	NameMissing    Kind = "name-missing"    // it lacks a DNS name
	AddressMissing Kind = "address-missing" // it lacks an IP address
	Expired        Kind = "expired"
	ExpiresSoon    Kind = "expires-soon"
	NotYetValid    Kind = "not-yet-valid"
	WrongCA        Kind = "wrong-ca"
	NoServerAuth   Kind = "no-server-auth"
	// WeakSignature means that it is signed with MD5 or SHA-1. Go refuses that since 1.18, and
	// since 1.24 no setting allows it (Go release notes).
	WeakSignature Kind = "weak-signature"
	// Unverifiable means that docker refuses it for a reason that has no Kind.
	Unverifiable Kind = "unverifiable"

	CAExpired     Kind = "ca-expired"
	CAExpiresSoon Kind = "ca-expires-soon"
	CANotYetValid Kind = "ca-not-yet-valid"
	CAUnusable    Kind = "ca-unusable" // Err is why: ErrEncrypted, ErrMismatch, ErrNotCA …
)

// Why a CA is unusable, besides ErrEncrypted, ErrNoPEM and ErrKeyType.
var (
	ErrMismatch   = errors.New("the CA's private key does not belong to its certificate")
	ErrNotCA      = errors.New("the certificate is not one that may sign others")
	ErrPathLength = errors.New("more intermediate CAs follow it than it allows")
	ErrCritical   = errors.New("it has a critical extension that docker does not know")
)

// Problem is one thing that is wrong with a certificate. It is also the error that Reissue returns
// because of it.
type Problem struct {
	Kind Kind
	Name string // what is missing: with NameMissing and AddressMissing only
	Text string // in the present tense, including the evidence
	Err  error  // the error behind it, or nil
}

// OfCA reports whether the problem is that of a CA, not of the server's certificate.
func (p *Problem) OfCA() bool {
	switch p.Kind {
	case CAExpired, CAExpiresSoon, CANotYetValid, CAUnusable:
		return true
	}
	return false
}

func (p *Problem) Error() string { return p.Text }
func (p *Problem) Unwrap() error { return p.Err }

// MissingNames returns a problem for each of the names (DNS names or IP addresses) for which a
// client would not accept the certificate. As in Go since 1.15, a name in the subject does not
// count.
func MissingNames(leaf *x509.Certificate, names []string) []Problem {
	var problems []Problem
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

// CheckCA returns the problems of a CA certificate. key is the public half of its private key; nil
// if that is not known.
func CheckCA(ca *x509.Certificate, key crypto.PublicKey, now time.Time) []Problem {
	problems := caDates(machineCA, ca, now)
	if !maySign(ca) {
		problems = append(problems, unusable(machineCA, ErrNotCA))
	}
	if key != nil && !SameKey(ca.PublicKey, key) {
		problems = append(problems, unusable(machineCA, ErrMismatch))
	}
	return problems
}

// machineCA is how texts call the CA in ca.pem.
const machineCA = "the machine CA"

// caDates returns the problem with the validity period of a CA certificate, if there is one. who is
// how the text calls the CA.
func caDates(who string, ca *x509.Certificate, now time.Time) []Problem {
	switch left := ca.NotAfter.Sub(now); {
	case now.Before(ca.NotBefore):
		return []Problem{{Kind: CANotYetValid, Text: fmt.Sprintf("%s is not valid before %s", who, when(ca.NotBefore))}}
	case left < 0:
		return []Problem{{Kind: CAExpired, Text: fmt.Sprintf("%s expired on %s", who, when(ca.NotAfter))}}
	case left < Soon:
		return []Problem{{Kind: CAExpiresSoon, Text: fmt.Sprintf("%s expires on %s", who, when(ca.NotAfter))}}
	}
	return nil
}

func unusable(who string, why error) Problem {
	return Problem{Kind: CAUnusable, Text: fmt.Sprintf("%s is unusable: %v", who, why), Err: why}
}

// maySign reports whether crypto/x509 accepts signatures of this certificate (CheckSignatureFrom).
// A certificate of version 1 has no extension that marks it as a CA's.
func maySign(ca *x509.Certificate) bool {
	isCA := ca.IsCA || ca.Version < 3 && !ca.BasicConstraintsValid
	return isCA && (ca.KeyUsage == 0 || ca.KeyUsage&x509.KeyUsageCertSign != 0)
}

// unsuitable returns the first problem that keeps a CA from signing; nil if there is none.
func unsuitable(ca *x509.Certificate, key crypto.PublicKey, now time.Time) *Problem {
	for _, p := range CheckCA(ca, key, now) {
		if p.Kind != CAExpiresSoon {
			return &p
		}
	}
	return nil
}

// ParseCA parses a CA's private key and its certificate; if there are several, it returns the one
// to which the key belongs. An error is a *Problem of kind CAUnusable that wraps ErrEncrypted,
// ErrMismatch, ErrNoPEM and so on. It does not check the dates: see CheckCA.
func ParseCA(certPEM, keyPEM []byte) (*x509.Certificate, crypto.Signer, error) {
	all, err := ParseCerts(certPEM)
	if err != nil {
		p := unusable(machineCA, err)
		return nil, nil, &p
	}
	key, err := ParseKey(keyPEM)
	if err != nil {
		p := unusable(machineCA, err)
		return nil, nil, &p
	}
	ca := all[0]
	if i := slices.IndexFunc(all, func(c *x509.Certificate) bool { return SameKey(c.PublicKey, key.Public()) }); i > 0 {
		ca = all[i]
	}
	if p := unsuitable(ca, key.Public(), ca.NotAfter); p != nil {
		return nil, nil, p
	}
	return ca, key, nil
}

func when(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func listed(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
