package tls

import (
	"slices"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockerhost"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
)

var findings engine.Table

var (
	good        = findings.OK("tls.ok", "certificate %s: %s, until %s")
	nothingRead = findings.Unknown("tls.unknown", "no certificate could be read", nil)

	reissueImpossible = findings.Fail("tls.reissue-impossible", "the certificate has to be reissued, and cannot be: %s", nil)
	keyMismatch       = findings.Fail("tls.key-mismatch", "on the docker host, server.pem does not belong to server-key.pem: dockerd cannot start with them", hint.Fix())
	fileBroken        = findings.Fail("tls.file-broken", "%s%s", hint.Fix())
	fileBrokenLater   = findings.Warn("tls.file-broken", "%s: dockerd will hardly start with it again", hint.Fix("--reissue"))
	drift             = findings.Warn("tls.drift", "the served certificate is not %s", hint.Fix("--reissue"))

	nameMissing      = findings.Fail("tls.name-missing", "%s", hint.Fix())
	localhostMissing = findings.Warn("tls.name-missing", "the certificate lacks the name localhost: docker would refuse it behind a NAT rule", hint.Fix())
	addressMissing   = findings.Aside("tls.address-missing", "the certificate lacks the name %s, which docker does not need: other clients that connect by it reject it", hint.Fix("--reissue"))

	clientUnusable = findings.Add(engine.Definition{Code: "tls.client-cert-unusable", Status: engine.Fail, Weight: engine.Outranks, Title: "%s%s"})
	clientRejected = findings.Fail("tls.client-cert-rejected", "%s%s", nil)
	foreignCA      = findings.Fail("tls.client-cert-rejected", "ca.pem on the docker host is another than the store's: dockerd does not accept the client certificate", nil)
	noClientAuth   = findings.Warn("tls.no-client-auth", "dockerd asks for no client certificate: everyone who reaches the port is root on the docker host", nil)

	clockSkew = findings.Aside("tls.clock-skew", "%s", setClock)
	// A reissued certificate is valid by both clocks, so the clock matters only if dockerd refuses
	// the client's.
	clockBlamed = findings.Fail("tls.clock-skew", "%s, and dockerd refuses the client certificate", setClock)
)

var setClock = hint.Hint{{Argv: []string{"docker-machine", "ssh", hint.Machine}, Store: true, Shell: `"sudo date -u -s @$(date +%s)"`}}

// problems maps the problems of a certificate to findings.
var problems = map[certs.Kind]engine.Definition{
	certs.NameMissing:    nameMissing,
	certs.AddressMissing: nameMissing,
	certs.Expired:        findings.Fail("tls.expired", "%s", hint.Fix()),
	certs.ExpiresSoon:    findings.Warn("tls.expires-soon", "%s", hint.Fix()),
	certs.NotYetValid:    findings.Fail("tls.not-yet-valid", "%s", hint.Fix()),
	certs.WrongCA:        findings.Fail("tls.wrong-ca", "%s", hint.Fix()),
	certs.NoServerAuth:   findings.Fail("tls.no-server-auth", "%s", hint.Fix()),
	certs.WeakSignature:  findings.Fail("tls.weak-signature", "%s", hint.Fix()),
	certs.Unverifiable:   findings.Fail("tls.unverifiable", "%s", hint.Fix()),
	certs.CAExpired:      findings.Fail("tls.ca-expired", "%s", hint.Explain("tls.ca-expired")),
	certs.CAExpiresSoon:  findings.Warn("tls.ca-expires-soon", "%s", hint.Explain("tls.ca-expires-soon")),
	certs.CANotYetValid:  findings.Fail("tls.ca-not-yet-valid", "%s", hint.Explain("tls.ca-not-yet-valid")),
	certs.CAUnusable:     findings.Fail("tls.ca-unusable", "%s", hint.Explain("tls.ca-unusable")),
}

func (s State) BlockedBy() string {
	switch {
	case s.NotRunning:
		return "machine"
	case s.seen():
		return ""
	case s.SSHDown:
		return "ssh"
	}
	return "daemon"
}

// seen reports whether there was anything to judge.
func (s State) seen() bool {
	return s.Served != nil || s.Disk != nil || s.Broken != "" || s.clientRefused()
}

func (s State) Findings() []engine.Finding {
	if !s.seen() {
		return nil
	}
	out := slices.Concat(s.aboutClock(), s.aboutCA(), s.aboutFiles(), s.aboutServer(), s.aboutClient(), s.aboutCopies())
	if !slices.ContainsFunc(out, func(f engine.Finding) bool { return f.Weight != engine.Aside }) {
		out = append(out, s.wholeFinding())
	}
	for i := range out {
		out[i].Demanded = s.Requested
	}
	return out
}

func (s State) aboutClock() []engine.Finding {
	apart := dockerhost.DescribeClockSkew(s.ClockSkew)
	switch {
	case apart == "":
		return nil
	case s.clockBlamed():
		return []engine.Finding{clockBlamed.Found(apart)}
	}
	return []engine.Finding{clockSkew.Found(apart)}
}

// clockBlamed reports whether the docker host's clock is off, and dockerd refuses a client
// certificate that is valid by the laptop's clock.
func (s State) clockBlamed() bool {
	return s.ClientRejected != "" && s.ClientProblem == nil && dockerhost.DescribeClockSkew(s.ClockSkew) != ""
}

// aboutCA returns why docker refuses what the machine CA has signed, and why that CA cannot sign a
// new certificate.
func (s State) aboutCA() (out []engine.Finding) {
	all := slices.Clone(s.Verdict.Causes)
	if s.Reissue.Refused != nil {
		all = append(all, *s.Reissue.Refused)
	}
	var reported []certs.Kind
	for i, p := range all {
		if !p.OfCA() || slices.Contains(reported, p.Kind) {
			continue
		}
		reported = append(reported, p.Kind)
		next, note := s.caHint(p.Kind)
		f := problems[p.Kind].Advising(next).Found(p.Text + note)
		if i < len(s.Verdict.Causes) && !s.planned() {
			f.Weight = engine.Outranks // no other repair makes docker work
		}
		out = append(out, f)
	}
	return out
}

// caHint returns what to do about a CA. A reissue may be enough, with another CA in ca.pem or
// without an intermediate. note is why docker-machine cannot do it, or "".
func (s State) caHint(kind certs.Kind) (next hint.Hint, note string) {
	switch {
	case s.planned():
		return hint.Fix(), ""
	case kind == certs.CAExpired:
		return s.regenerate(), s.tooOld()
	}
	return problems[kind].Hint, ""
}

// aboutFiles returns the findings about the files on the docker host's disk.
func (s State) aboutFiles() (out []engine.Finding) {
	if why := s.impossible(); s.signable() && why != "" {
		out = append(out, reissueImpossible.Advising(s.impossibleHint()).Found(why))
	}
	if s.KeyMismatch {
		out = append(out, keyMismatch.Found())
	}
	switch {
	case s.Broken == "":
	case s.Served != nil:
		out = append(out, fileBrokenLater.Found(s.Broken))
	case s.Store == nil:
		out = append(out, fileBroken.Advising(s.regenerate()).Found(s.Broken, ", and the store has none either"))
	default:
		out = append(out, fileBroken.Found(s.Broken, ""))
	}
	return out
}

// aboutServer returns the findings about the server's own certificate.
func (s State) aboutServer() (out []engine.Finding) {
	for _, p := range s.Verdict.Causes {
		if !p.OfCA() {
			out = append(out, problems[p.Kind].Advising(s.serverHint()).Found(p.Text))
		}
	}
	for _, p := range s.Verdict.Expiring {
		found := problems[p.Kind]
		if !s.Renewable {
			found.Hint = problems[certs.CAExpiresSoon].Hint
		}
		out = append(out, found.Found(p.Text))
	}
	switch {
	case slices.Contains(s.Missing, endpoint.Localhost):
		out = append(out, localhostMissing.Found())
	case len(s.Missing) > 0 && !s.due():
		out = append(out, addressMissing.Found(strings.Join(s.Missing, ", ")))
	}
	return out
}

// serverHint returns what to do about the server's own certificate.
func (s State) serverHint() hint.Hint {
	switch {
	case s.planned():
	case s.Reissue.Refused != nil:
		next, _ := s.caHint(s.Reissue.Refused.Kind)
		return next
	case s.ForeignCA:
		return s.regenerate()
	}
	return hint.Fix()
}

// aboutClient returns the findings about docker's own certificate. If dockerd refuses it, that
// outranks all other problems: only another certificate makes docker work.
func (s State) aboutClient() (out []engine.Finding) {
	note := s.tooOld()
	if s.caEnded() {
		note = "" // the CA's finding includes it
	}
	if s.ClientUnusable != "" {
		out = append(out, clientUnusable.Advising(s.newClient()).Found(s.ClientUnusable, note))
	}
	switch {
	case s.ClientRejected != "":
		title := "dockerd does not accept the client certificate: " + s.ClientRejected
		if s.ClientProblem != nil && !s.ClientProblem.OfCA() {
			title = s.ClientProblem.Text + ", and dockerd refuses it: " + s.ClientRejected
		}
		found := clientRejected.Advising(s.newClient())
		if found.Weight = engine.Outranks; s.clockBlamed() {
			found.Weight, note = engine.Plain, ""
		}
		out = append(out, found.Found(title, note))
	case s.ForeignCA:
		out = append(out, foreignCA.Advising(s.regenerate()).Found())
	}
	if s.NoClientAuth {
		out = append(out, noClientAuth.Advising(s.regenerate()).Found())
	}
	return out
}

// aboutCopies compares the served certificate with its copies. If they differ, a restart of dockerd
// or the next regenerate-certs would change what is served.
func (s State) aboutCopies() []engine.Finding {
	switch {
	case s.Served == nil:
		return nil
	case s.Store != nil && s.Store.Fingerprint != s.Served.Fingerprint:
		return []engine.Finding{drift.Found("the store's copy (server.pem)")}
	case s.Disk != nil && s.Disk.Fingerprint != s.Served.Fingerprint:
		return []engine.Finding{drift.Found("the one on the docker host's disk: dockerd has not been restarted since")}
	}
	return nil
}

func (s State) wholeFinding() engine.Finding {
	cert, where := s.Served, "served"
	if cert == nil {
		cert, where = s.Disk, "on the docker host"
	}
	if cert == nil {
		return nothingRead.Found()
	}
	return good.Found(where, strings.Join(cert.Names, ", "), cert.NotAfter.Format(time.DateOnly))
}
