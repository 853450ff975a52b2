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
	// Unverifiable: docker refuses it for a reason not listed here.
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

// Problem is one thing wrong with a certificate. It is also the error with
// which Reissue refuses.
type Problem struct {
	Kind Kind
	Name string // NameMissing, AddressMissing: what is missing
	Text string // present tense, with the evidence in it
	Err  error  // what lies behind it, if anything
}

// OfCA reports whether it is a CA that has the problem, not the server's certificate.
func (p *Problem) OfCA() bool {
	switch p.Kind {
	case CAExpired, CAExpiresSoon, CANotYetValid, CAUnusable:
		return true
	}
	return false
}

func (p *Problem) Error() string { return p.Text }
func (p *Problem) Unwrap() error { return p.Err }

// MissingNames are those of names (DNS or IP text) that a client could not dial the
// certificate by. A name in the subject alone counts for nothing, as since Go 1.15.
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

// CheckCA judges a CA certificate; key is its private key's public half, nil
// when only the certificate is at hand.
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

// machineCA is what a text calls the CA in ca.pem.
const machineCA = "the machine CA"

// caDates are the problems with the dates of a CA's certificate, at most one.
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

// maySign reports whether crypto/x509 accepts what a certificate has signed
// (CheckSignatureFrom): version 1 has no extension to say that it is a CA's.
func maySign(ca *x509.Certificate) bool {
	isCA := ca.IsCA || ca.Version < 3 && !ca.BasicConstraintsValid
	return isCA && (ca.KeyUsage == 0 || ca.KeyUsage&x509.KeyUsageCertSign != 0)
}

// unsuitable is the first of a CA's problems that keeps it from signing; nil if none.
func unsuitable(ca *x509.Certificate, key crypto.PublicKey, now time.Time) *Problem {
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
