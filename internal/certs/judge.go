package certs

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// maxRSABits is the length of the longest RSA key that crypto/tls accepts in a chain
	// (handshake_client.go, defaultMaxRSAKeySize).
	maxRSABits = 8192
	// maxChecks is how many signatures are checked in search of a chain, as in crypto/x509
	// (verify.go, maxChainSignatureChecks).
	maxChecks = 100
)

// Verdict is whether the peer accepts a certificate.
type Verdict struct {
	// Causes are why it refuses the certificate; empty if it accepts it. Those of a CA come before
	// those of the certificate itself.
	Causes []Problem
	// Expiring are the certificates of the chain that will expire soon.
	Expiring []Problem
	// Root is the certificate in ca.pem at which the chain ends; the first one if there is no
	// chain. It is nil if ca.pem has none.
	Root *x509.Certificate
}

// Err returns the first cause, or nil if the certificate is accepted.
func (v Verdict) Err() error {
	if len(v.Causes) == 0 {
		return nil
	}
	return &v.Causes[0]
}

// Judge decides as docker's client does, which uses crypto/tls with the certificates in ca.pem as
// the only roots (docker/cli, cli/context/docker/load.go). chain is what the server sent, its own
// certificate first. name is the host name that docker uses; if it is "", names are not checked.
func Judge(roots, chain []*x509.Certificate, name string, now time.Time) Verdict {
	return role{"the certificate", "servers", x509.ExtKeyUsageServerAuth, NoServerAuth}.judge(roots, chain, name, now)
}

// JudgeClient decides whether a dockerd that verifies clients with roots (--tlscacert) accepts a
// client certificate, the first of chain.
func JudgeClient(roots, chain []*x509.Certificate, now time.Time) Verdict {
	return role{"the client certificate", "clients", x509.ExtKeyUsageClientAuth, Unverifiable}.judge(roots, chain, "", now)
}

// role is what a certificate is used for.
type role struct {
	who, purpose string // how texts call it, and for whom it is
	usage        x509.ExtKeyUsage
	wrongUsage   Kind // the Kind if it is for something else
}

func (r role) judge(roots, chain []*x509.Certificate, name string, now time.Time) Verdict {
	var v Verdict
	if len(roots) > 0 {
		v.Root = roots[0]
	}
	if len(chain) == 0 {
		v.Causes = []Problem{{Kind: Unverifiable, Text: r.who + " is missing"}}
		return v
	}
	chains, refusal := r.verify(roots, chain, name, now)
	if refusal == nil {
		accepted := r.best(chains, now)
		v.Root, v.Expiring = accepted.root, accepted.expiring
		return v
	}
	s := search{roots: roots, sent: chain[1:], who: r.who}
	s.from(chain[:1])
	if len(s.chains) > 0 {
		nearest := r.best(s.chains, now)
		v.Root, v.Causes, v.Expiring = nearest.root, nearest.causes, nearest.expiring
	} else {
		v.Causes, v.Expiring = split(append([]Problem{s.why(chain[0])}, r.leafProblems(chain[0], now)...))
	}
	if name != "" {
		v.Causes = append(v.Causes, MissingNames(chain[0], []string{name})...)
	}
	if len(v.Causes) == 0 {
		v.Causes = []Problem{r.otherwise(refusal)}
	}
	return v
}

// verify verifies a chain as crypto/tls does (handshake_client.go, verifyServerCertificate;
// handshake_server.go, processCertsFromClient).
func (r role) verify(roots, chain []*x509.Certificate, name string, now time.Time) (chains [][]*x509.Certificate, err error) {
	for _, c := range chain {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, fmt.Errorf("the RSA key of %q has %d bits, more than %d", c.Subject, key.N.BitLen(), maxRSABits)
		}
	}
	chains, err = chain[0].Verify(x509.VerifyOptions{Roots: pool(roots), Intermediates: pool(chain[1:]), DNSName: name, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{r.usage}})
	if err == nil && !supported(chain[0].PublicKey) {
		err = ErrKeyType
	}
	return chains, err
}

func pool(certs []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}

// otherwise returns the cause if only crypto/x509 knows it.
func (r role) otherwise(refusal error) Problem {
	var invalid x509.CertificateInvalidError
	if errors.As(refusal, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
		return Problem{Kind: CAUnusable, Text: fmt.Sprintf("the CA may not sign for a name in %s: %s", r.who, invalid.Detail), Err: refusal}
	}
	return Problem{Kind: Unverifiable, Text: fmt.Sprintf("%s does not verify: %v", r.who, refusal), Err: refusal}
}

// judged is what is wrong with the certificates of a chain.
type judged struct {
	root             *x509.Certificate
	causes, expiring []Problem
}

// best returns the chain with the fewest problems, the first of several.
func (r role) best(chains [][]*x509.Certificate, now time.Time) judged {
	var all []judged
	for _, chain := range chains {
		j := judged{root: chain[len(chain)-1]}
		j.causes, j.expiring = split(r.chainProblems(chain, now))
		all = append(all, j)
	}
	return slices.MinFunc(all, func(a, b judged) int {
		return cmp.Or(cmp.Compare(len(a.causes), len(b.causes)), cmp.Compare(len(a.expiring), len(b.expiring)))
	})
}

// split divides problems into those because of which a certificate is refused now, and those
// because of which it will be refused soon.
func split(problems []Problem) (causes, expiring []Problem) {
	for _, p := range problems {
		if p.Kind == ExpiresSoon || p.Kind == CAExpiresSoon {
			expiring = append(expiring, p)
		} else {
			causes = append(causes, p)
		}
	}
	return causes, expiring
}

// chainProblems returns the problems of a chain's certificates, the root's first.
func (r role) chainProblems(chain []*x509.Certificate, now time.Time) []Problem {
	var problems []Problem
	for i := len(chain) - 1; i > 0; i-- {
		root := i == len(chain)-1
		problems = append(problems, caDates(caName(chain[i], root), chain[i], now)...)
		if why := r.unfit(chain[i], i, root); why != nil {
			problems = append(problems, unusable(caName(chain[i], root), why))
		}
	}
	return append(problems, r.leafProblems(chain[0], now)...)
}

// unfit returns why a CA may not have signed the certificate below it. place is how many
// certificates are below it.
func (r role) unfit(ca *x509.Certificate, place int, root bool) error {
	switch {
	case !root && !(ca.BasicConstraintsValid && ca.IsCA):
		return ErrNotCA
	case ca.BasicConstraintsValid && ca.MaxPathLen >= 0 && place-1 > ca.MaxPathLen:
		return ErrPathLength
	case !allows(ca, r.usage):
		return fmt.Errorf("its extended key usage is not for %s", r.purpose)
	case len(ca.UnhandledCriticalExtensions) > 0:
		return ErrCritical
	}
	return nil
}

// leafProblems returns the problems of the certificate itself, except for its signature and its
// names.
func (r role) leafProblems(leaf *x509.Certificate, now time.Time) []Problem {
	var problems []Problem
	add := func(kind Kind, format string, args ...any) {
		problems = append(problems, Problem{Kind: kind, Text: r.who + " " + fmt.Sprintf(format, args...)})
	}
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		add(NotYetValid, "is not valid before %s", when(leaf.NotBefore))
	case left < 0:
		add(Expired, "expired on %s", when(leaf.NotAfter))
	case left < Soon:
		add(ExpiresSoon, "expires on %s", when(leaf.NotAfter))
	}
	if !allows(leaf, r.usage) {
		add(r.wrongUsage, "is not for %s", r.purpose)
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		add(Unverifiable, "does not verify: %v", ErrCritical)
	}
	return problems
}

// allows reports whether a certificate allows an extended key usage. Without that extension it
// allows all.
func allows(c *x509.Certificate, usage x509.ExtKeyUsage) bool {
	return len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, usage) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}
