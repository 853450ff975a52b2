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
	// maxRSABits is the longest RSA key that crypto/tls accepts in what a server sends
	// (handshake_client.go, defaultMaxRSAKeySize).
	maxRSABits = 8192
	// maxChecks bounds the signatures that are checked in search of a chain, as
	// crypto/x509 does (verify.go, maxChainSignatureChecks).
	maxChecks = 100
)

// Verdict is whether docker's client accepts a server's certificate.
type Verdict struct {
	// Causes are why it refuses: empty exactly if it accepts. Those of a CA come before
	// those of the server's own certificate, which depends on it.
	Causes []Problem
	// Expiring are the certificates of the chain that expire within the time Soon.
	Expiring []Problem
	// Root is the certificate in ca.pem that the chain ends at; if there is no chain,
	// the first one. It is nil if ca.pem has none.
	Root *x509.Certificate
}

// Err is the first cause, nil if docker accepts.
func (v Verdict) Err() error {
	if len(v.Causes) == 0 {
		return nil
	}
	return &v.Causes[0]
}

// Judge decides as docker's client does, which leaves it to crypto/tls with the
// certificates in ca.pem as the only roots (docker/cli, cli/context/docker/load.go). chain
// is what the server sends, its own certificate first; name is what docker dials, and is
// not checked if empty.
func Judge(roots, chain []*x509.Certificate, name string, now time.Time) Verdict {
	var v Verdict
	if len(roots) > 0 {
		v.Root = roots[0]
	}
	if len(chain) == 0 {
		v.Causes = []Problem{{Kind: Unverifiable, Text: "the server sends no certificate"}}
		return v
	}
	leaf := chain[0]
	chains, refusal := verify(roots, chain, name, now)
	if refusal == nil {
		accepted := best(chains, now)
		v.Root, v.Expiring = accepted.root, accepted.expiring
		return v
	}
	s := search{roots: roots, sent: chain[1:]}
	s.from([]*x509.Certificate{leaf})
	if len(s.chains) > 0 {
		nearest := best(s.chains, now)
		v.Root, v.Causes, v.Expiring = nearest.root, nearest.causes, nearest.expiring
	} else {
		v.Causes, v.Expiring = split(append([]Problem{s.why(leaf)}, leafProblems(leaf, now)...))
	}
	if name != "" {
		v.Causes = append(v.Causes, MissingNames(leaf, []string{name})...)
	}
	if len(v.Causes) == 0 {
		v.Causes = []Problem{otherwise(refusal)}
	}
	return v
}

// verify is what crypto/tls does with a server's chain (handshake_client.go,
// verifyServerCertificate).
func verify(roots, chain []*x509.Certificate, name string, now time.Time) (chains [][]*x509.Certificate, err error) {
	for _, c := range chain {
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSABits {
			return nil, fmt.Errorf("the RSA key of %q has %d bits, more than %d", c.Subject, key.N.BitLen(), maxRSABits)
		}
	}
	chains, err = chain[0].Verify(x509.VerifyOptions{Roots: pool(roots), Intermediates: pool(chain[1:]), DNSName: name, CurrentTime: now})
	if err == nil && !supported(chain[0].PublicKey) {
		err = fmt.Errorf("the server's key: %w", ErrKeyType)
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

// otherwise is the cause where only crypto/x509 knows one.
func otherwise(refusal error) Problem {
	var invalid x509.CertificateInvalidError
	if errors.As(refusal, &invalid) && invalid.Reason == x509.CANotAuthorizedForThisName {
		return Problem{Kind: CAUnusable, Text: "the CA may not sign for a name in the server certificate: " + invalid.Detail, Err: refusal}
	}
	return Problem{Kind: Unverifiable, Text: fmt.Sprintf("the certificate does not verify: %v", refusal), Err: refusal}
}

// search looks for the chains from a server certificate to the roots. Dates and
// purposes do not count: they are what is to be found out.
type search struct {
	roots, sent []*x509.Certificate
	chains      [][]*x509.Certificate
	blocked     []Problem // why an issuer that is at hand does not count
	checks      int
}

// from continues a chain by the issuers of its last certificate.
func (s *search) from(chain []*x509.Certificate) {
	child := chain[len(chain)-1]
	if slices.ContainsFunc(s.roots, child.Equal) {
		s.chains = append(s.chains, chain)
		return
	}
	for i, parent := range slices.Concat(s.roots, s.sent) {
		if string(parent.RawSubject) != string(child.RawIssuer) || slices.ContainsFunc(chain, parent.Equal) || s.checks == maxChecks {
			continue
		}
		s.checks++
		longer := append(slices.Clip(chain), parent)
		isRoot := i < len(s.roots)
		if err := child.CheckSignatureFrom(parent); err != nil {
			s.blocked = append(s.blocked, unsigned(longer, isRoot, err))
		} else if isRoot {
			s.chains = append(s.chains, longer)
		} else {
			s.from(longer)
		}
	}
}

// unsigned is why the last certificate of a chain does not count as the issuer of
// the one before.
func unsigned(chain []*x509.Certificate, root bool, err error) Problem {
	child, parent := chain[len(chain)-2], chain[len(chain)-1]
	var weak x509.InsecureAlgorithmError
	var constraint x509.ConstraintViolationError
	who := "the certificate"
	if len(chain) > 2 {
		who += " of " + caName(child, false)
	}
	switch {
	case errors.As(err, &weak):
		return Problem{Kind: WeakSignature, Text: fmt.Sprintf("%s is signed with %s, which docker refuses", who, child.SignatureAlgorithm), Err: err}
	case errors.As(err, &constraint):
		return unusable(caName(parent, root), ErrNotCA)
	}
	return Problem{Kind: WrongCA, Text: fmt.Sprintf("%s was signed by another CA than the machine's %q: %v", who, parent.Subject, err), Err: err}
}

// why is why no chain was found.
func (s *search) why(leaf *x509.Certificate) Problem {
	for _, kind := range []Kind{WeakSignature, CAUnusable, WrongCA} {
		if i := slices.IndexFunc(s.blocked, func(p Problem) bool { return p.Kind == kind }); i >= 0 {
			return s.blocked[i]
		}
	}
	text := fmt.Sprintf("the certificate was issued by %q", leaf.Issuer)
	for _, root := range s.roots {
		text += fmt.Sprintf(", not by the machine CA %q", root.Subject)
	}
	return Problem{Kind: WrongCA, Text: text}
}

// judged is a chain and what is wrong with its certificates.
type judged struct {
	root             *x509.Certificate
	causes, expiring []Problem
}

// best is the first of the chains with the least wrong with it.
func best(chains [][]*x509.Certificate, now time.Time) judged {
	var all []judged
	for _, chain := range chains {
		j := judged{root: chain[len(chain)-1]}
		j.causes, j.expiring = split(chainProblems(chain, now))
		all = append(all, j)
	}
	return slices.MinFunc(all, func(a, b judged) int {
		return cmp.Or(cmp.Compare(len(a.causes), len(b.causes)), cmp.Compare(len(a.expiring), len(b.expiring)))
	})
}

// split tells apart what keeps docker from accepting, and what will before long.
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

// chainProblems are those of a chain's certificates, the root's first.
func chainProblems(chain []*x509.Certificate, now time.Time) []Problem {
	var problems []Problem
	for i := len(chain) - 1; i > 0; i-- {
		root := i == len(chain)-1
		problems = append(problems, caDates(caName(chain[i], root), chain[i], now)...)
		if why := unfit(chain[i], i, root); why != nil {
			problems = append(problems, unusable(caName(chain[i], root), why))
		}
	}
	return append(problems, leafProblems(chain[0], now)...)
}

// caName is what a text calls a CA.
func caName(ca *x509.Certificate, root bool) string {
	if root {
		return machineCA
	}
	return fmt.Sprintf("the intermediate CA %q", ca.Subject)
}

// unfit is why a CA that has signed the certificate below it may not have; place is
// how many are below it.
func unfit(ca *x509.Certificate, place int, root bool) error {
	switch {
	case !root && !(ca.BasicConstraintsValid && ca.IsCA):
		return ErrNotCA
	case ca.BasicConstraintsValid && ca.MaxPathLen >= 0 && place-1 > ca.MaxPathLen:
		return ErrPathLength
	case !forServers(ca):
		return ErrNotForServers
	case len(ca.UnhandledCriticalExtensions) > 0:
		return ErrCritical
	}
	return nil
}

// leafProblems are those of the server's own certificate, but for its signature and names.
func leafProblems(leaf *x509.Certificate, now time.Time) []Problem {
	var problems []Problem
	add := func(kind Kind, format string, args ...any) {
		problems = append(problems, Problem{Kind: kind, Text: fmt.Sprintf(format, args...)})
	}
	switch left := leaf.NotAfter.Sub(now); {
	case now.Before(leaf.NotBefore):
		add(NotYetValid, "the certificate is not valid before %s", when(leaf.NotBefore))
	case left < 0:
		add(Expired, "the certificate expired on %s", when(leaf.NotAfter))
	case left < Soon:
		add(ExpiresSoon, "the certificate expires on %s", when(leaf.NotAfter))
	}
	if !forServers(leaf) {
		add(NoServerAuth, "the certificate is not for servers")
	}
	if len(leaf.UnhandledCriticalExtensions) > 0 {
		add(Unverifiable, "the certificate does not verify: %v", ErrCritical)
	}
	return problems
}
