package certs

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// search finds the chains from a certificate to the roots. It ignores validity periods and usages,
// which are judged afterwards.
type search struct {
	roots, sent []*x509.Certificate
	who         string // how texts call the certificate
	chains      [][]*x509.Certificate
	blocked     []Problem // why certificates with the issuer's name do not count
	checks      int       // signatures checked so far
}

// from extends a chain by the issuers of its last certificate.
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
			s.blocked = append(s.blocked, s.unsigned(longer, isRoot, err))
		} else if isRoot {
			s.chains = append(s.chains, longer)
		} else {
			s.from(longer)
		}
	}
}

// unsigned returns why the last certificate of a chain does not count as the issuer of the one
// before it. err is the error of checking the signature.
func (s *search) unsigned(chain []*x509.Certificate, root bool, err error) Problem {
	child, parent := chain[len(chain)-2], chain[len(chain)-1]
	var weak x509.InsecureAlgorithmError
	var constraint x509.ConstraintViolationError
	who := s.who
	if len(chain) > 2 {
		who = "the certificate of " + caName(child, false)
	}
	switch {
	case errors.As(err, &weak):
		return Problem{Kind: WeakSignature, Text: fmt.Sprintf("%s is signed with %s, which docker refuses", who, child.SignatureAlgorithm), Err: err}
	case errors.As(err, &constraint):
		return unusable(caName(parent, root), ErrNotCA)
	}
	return Problem{Kind: WrongCA, Text: fmt.Sprintf("%s was signed by another CA than the machine's %q: %v", who, parent.Subject, err), Err: err}
}

// why returns why no chain was found.
func (s *search) why(leaf *x509.Certificate) Problem {
	for _, kind := range []Kind{WeakSignature, CAUnusable, WrongCA} {
		if i := slices.IndexFunc(s.blocked, func(p Problem) bool { return p.Kind == kind }); i >= 0 {
			return s.blocked[i]
		}
	}
	text := fmt.Sprintf("%s was issued by %q", s.who, leaf.Issuer)
	for _, root := range s.roots {
		text += fmt.Sprintf(", not by the machine CA %q", root.Subject)
	}
	return Problem{Kind: WrongCA, Text: text}
}

// caName returns how texts call a CA.
func caName(ca *x509.Certificate, root bool) string {
	if root {
		return machineCA
	}
	return fmt.Sprintf("the intermediate CA %q", ca.Subject)
}
