package tls

import (
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var findings engine.Table

var (
	good        = findings.OK("tls.ok", "docker accepts the certificate, until %s")
	unverified  = findings.OK("tls.ok", "docker accepts any server certificate")
	plain       = findings.Warn("tls.plain-text", "%s does not use TLS: whoever reaches the port is root on the docker host", page("plain-text"))
	expected    = findings.Fail("tls.expected", "%s expects TLS, but docker does not use it: %s", page("expected"))
	notTLS      = findings.Fail("tls.not-tls", "docker uses TLS, but %s does not: %s", page("not-tls"))
	noFiles     = findings.Fail("tls.client-cert-unusable", "%s", page("client-cert-unusable"))
	rejected    = findings.Fail("tls.client-cert-rejected", "%s does not accept the client certificate in %s: %s", page("client-cert-rejected"))
	outdatedOne = findings.Fail("tls.client-cert-rejected", "%s (in %s), and %s does not accept it: %s", page("client-cert-rejected"))
	broken      = findings.Fail("tls.handshake-failed", "TLS with %s: %s", page("handshake-failed"))
	noAuth      = findings.Warn("tls.no-client-auth", "%s does not ask for a client certificate: whoever reaches the port is root on the docker host", page("no-client-auth"))
)

// problems are the findings for a certificate's problems.
var problems = map[certs.Kind]engine.Definition{
	certs.NameMissing:    findings.Fail("tls.name-missing", "%s", page("name-missing")),
	certs.AddressMissing: findings.Fail("tls.name-missing", "%s", page("name-missing")),
	certs.Expired:        findings.Fail("tls.expired", "%s", page("expired")),
	certs.ExpiresSoon:    findings.Warn("tls.expires-soon", "%s", page("expires-soon")),
	certs.NotYetValid:    findings.Fail("tls.not-yet-valid", "%s", page("not-yet-valid")),
	certs.WrongCA:        findings.Fail("tls.wrong-ca", "%s", page("wrong-ca")),
	certs.NoServerAuth:   findings.Fail("tls.no-server-auth", "%s", page("no-server-auth")),
	certs.WeakSignature:  findings.Fail("tls.weak-signature", "%s", page("weak-signature")),
	certs.Unverifiable:   findings.Fail("tls.unverifiable", "%s", page("unverifiable")),
	certs.CAExpired:      findings.Fail("tls.ca-expired", "%s", page("ca-expired")),
	certs.CAExpiresSoon:  findings.Warn("tls.ca-expires-soon", "%s", page("ca-expires-soon")),
	certs.CANotYetValid:  findings.Fail("tls.ca-not-yet-valid", "%s", page("ca-not-yet-valid")),
	certs.CAUnusable:     findings.Fail("tls.ca-unusable", "%s", page("ca-unusable")),
}

// page returns the command that explains a code.
func page(code string) hint.Hint { return hint.Explain("tls." + code) }

// BlockedBy returns the layer that reports that there is no answer, or "".
func (s State) BlockedBy() string {
	if s.NoConnection || s.Silent && s.FilesErr == "" {
		return "daemon"
	}
	return ""
}

func (s State) Findings() []engine.Finding {
	switch {
	case s.NoConnection:
		return nil // layer daemon reports it
	case s.FilesErr != "":
		return []engine.Finding{noFiles.Found(s.FilesErr)}
	case s.Silent:
		return nil
	case s.Plain:
		return []engine.Finding{s.plain()}
	case s.NotTLS:
		return []engine.Finding{notTLS.Found(s.At, s.Error)}
	case !s.SpeaksTLS:
		return []engine.Finding{broken.Found(s.At, s.Error)}
	}
	return s.certificate()
}

// plain returns the finding for an endpoint where docker does not use TLS.
func (s State) plain() engine.Finding {
	switch {
	case s.SpeaksTLS && s.Context != "":
		return expected.Found(s.At, "the context has no certificates")
	case s.SpeaksTLS:
		return expected.Advising(hint.Shell("export DOCKER_TLS_VERIFY=1")).Found(s.At, "DOCKER_TLS_VERIFY is not set")
	}
	return plain.Found(s.At)
}

// certificate returns the findings about the certificates.
func (s State) certificate() (all []engine.Finding) {
	for _, p := range append(s.Causes, s.Expiring...) {
		if d, ok := problems[p.Kind]; ok {
			all = append(all, d.Found(p.Text))
		} else {
			all = append(all, problems[certs.Unverifiable].Found(p.Text))
		}
	}
	switch {
	case s.Outdated != "":
		all = append(all, outdatedOne.Found(s.Outdated, s.CertDir, s.At, s.Rejected))
	case s.Rejected != "":
		all = append(all, rejected.Found(s.At, s.CertDir, s.Rejected))
	}
	if s.NoClientAuth {
		all = append(all, noAuth.Found(s.At))
	}
	switch {
	case len(all) > 0:
	case s.SkipVerify:
		all = append(all, unverified.Found())
	default:
		all = append(all, good.Found(s.Until.Format("2006-01-02")))
	}
	return all
}
