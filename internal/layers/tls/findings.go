package tls

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
)

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
	return s.Served != nil || s.Disk != nil || s.Broken != "" || s.ClientUnusable != "" || s.ClientRejected != ""
}

func (s State) Findings() []engine.Finding {
	if !s.seen() {
		return nil
	}
	out := s.clock()
	add := func(kind string, status engine.Status, weight engine.Weight, title, hint string) {
		out = append(out, engine.Finding{Code: "tls." + kind, Status: status, Title: title, Hint: hint, Weight: weight, Demanded: s.Demanded})
	}
	s.caFindings(add)
	s.fileFindings(add)
	s.leafFindings(add)
	s.clientFindings(add)
	out = append(out, s.drift()...)
	if len(out) == 0 || !slices.ContainsFunc(out, func(f engine.Finding) bool { return f.Weight != engine.Aside }) {
		out = append(out, s.fine())
	}
	return out
}

type adder func(kind string, status engine.Status, weight engine.Weight, title, hint string)

// caFindings are about the machine CA: why docker refuses what it has signed, and why it
// cannot sign anew.
func (s State) caFindings(add adder) {
	causes := s.Verdict.Causes
	var told []certs.Kind
	for i, p := range slices.Concat(causes, s.Signing) {
		weight := engine.Plain
		if i < len(causes) && len(s.Plan) == 0 {
			weight = engine.Outranks // no repair of anything else makes docker work
		}
		if p.OfCA() && !slices.Contains(told, p.Kind) {
			told = append(told, p.Kind)
			hint, note := s.caHint(p)
			add(string(p.Kind), engine.Fail, weight, p.Text+note, hint)
		}
	}
}

// caHint is what to do about a CA: a reissue may do, by another CA in ca.pem or without
// an intermediate. note is why docker-machine cannot do it.
func (s State) caHint(p certs.Problem) (hint, note string) {
	switch {
	case len(s.Plan) > 0:
		return s.FixHint, ""
	case p.Kind == certs.CAExpired && s.CAHint != "":
		return s.CAHint, s.RenewNote
	}
	return "docker-vpn-helper explain tls." + string(p.Kind), ""
}

// fileFindings are about the files on the docker host's disk.
func (s State) fileFindings(add adder) {
	if s.Impossible != "" {
		add("reissue-impossible", engine.Fail, engine.Plain, "the certificate has to be reissued, and cannot be: "+s.Impossible, s.ImpossibleHint)
	}
	if s.KeyMismatch {
		add("key-mismatch", engine.Fail, engine.Plain, "on the docker host, server.pem does not belong to server-key.pem: dockerd cannot start with them", s.FixHint)
	}
	switch {
	case s.Broken != "" && s.Served != nil:
		add("file-broken", engine.Warn, engine.Plain, s.Broken+": dockerd will hardly start with it again", s.ReissueHint)
	case s.Broken != "" && s.Store == nil:
		add("file-broken", engine.Fail, engine.Plain, s.Broken+", and the store has none either", s.CertsHint)
	case s.Broken != "":
		add("file-broken", engine.Fail, engine.Plain, s.Broken, s.FixHint)
	}
}

// leafFindings are about the server's own certificate.
func (s State) leafFindings(add adder) {
	for _, p := range s.Verdict.Causes {
		switch {
		case p.OfCA():
		case p.Kind == certs.AddressMissing:
			add("name-missing", engine.Fail, engine.Plain, p.Text, s.leafHint())
		default:
			add(string(p.Kind), engine.Fail, engine.Plain, p.Text, s.leafHint())
		}
	}
	for _, p := range s.Verdict.Expiring {
		hint := s.FixHint
		if p.OfCA() || !s.Renewable {
			hint = "docker-vpn-helper explain tls.ca-expires-soon"
		}
		add(string(p.Kind), engine.Warn, engine.Plain, p.Text, hint)
	}
	if slices.Contains(s.Missing, endpoint.Localhost) {
		add("name-missing", engine.Warn, engine.Plain, "the served certificate does not name localhost: it is no good behind a NAT rule", s.FixHint)
	} else if len(s.Missing) > 0 && !s.Due {
		add("address-missing", engine.Warn, engine.Aside,
			"the served certificate does not name "+strings.Join(s.Missing, ", ")+": clients that dial it by that name refuse it", s.ReissueHint)
	}
}

// leafHint is what to do about the server's own certificate.
func (s State) leafHint() string {
	switch {
	case len(s.Plan) > 0:
	case len(s.Signing) > 0:
		hint, _ := s.caHint(s.Signing[0])
		return hint
	case s.ForeignCA:
		return s.CertsHint
	}
	return s.FixHint
}

// clientFindings are about docker's own certificate. That dockerd refuses it is the cause
// whatever else is wrong: nothing but another certificate makes docker work.
func (s State) clientFindings(add adder) {
	note := s.RenewNote
	if s.CAHint != "" {
		note = "" // the CA's finding has it
	}
	if s.ClientUnusable != "" {
		add("client-cert-unusable", engine.Fail, engine.Outranks, s.ClientUnusable+note, s.ClientHint)
	}
	title := "dockerd does not accept the client certificate: " + s.ClientRejected
	if s.ClientProblem != nil && !s.ClientProblem.OfCA() {
		title = s.ClientProblem.Text + ", and dockerd refuses it: " + s.ClientRejected
	}
	switch {
	case s.ClientRejected != "" && s.clockBlamed():
		add("client-cert-rejected", engine.Fail, engine.Plain, title, s.ClientHint)
	case s.ClientRejected != "":
		add("client-cert-rejected", engine.Fail, engine.Outranks, title+note, s.ClientHint)
	case s.ForeignCA:
		add("client-cert-rejected", engine.Fail, engine.Plain, "ca.pem on the docker host is another than the store's: dockerd does not accept the client certificate", s.CertsHint)
	}
	if s.NoClientAuth {
		add("no-client-auth", engine.Warn, engine.Plain, "dockerd asks for no client certificate: whoever reaches the port is root on the docker host", s.CertsHint)
	}
}

// drift compares the served certificate with its copies: a restart of dockerd
// or the next regenerate-certs would change what is served.
func (s State) drift() []engine.Finding {
	warn := func(title string) []engine.Finding {
		return []engine.Finding{{Code: "tls.drift", Status: engine.Warn, Title: title, Hint: s.ReissueHint}}
	}
	switch {
	case s.Served == nil:
		return nil
	case s.Store != nil && s.Store.Fingerprint != s.Served.Fingerprint:
		return warn("the served certificate is not the store's copy (server.pem)")
	case s.Disk != nil && s.Disk.Fingerprint != s.Served.Fingerprint:
		return warn("the served certificate is not the one on the docker host's disk: dockerd has not been restarted since")
	}
	return nil
}

func (s State) fine() engine.Finding {
	cert, where := s.Served, "served"
	if cert == nil {
		cert, where = s.Disk, "on the docker host"
	}
	if cert == nil {
		return engine.Finding{Code: "tls.unknown", Status: engine.Unknown, Title: "no certificate could be read"}
	}
	return engine.Finding{Code: "tls.ok", Status: engine.OK,
		Title: fmt.Sprintf("certificate %s: %s, until %s", where, strings.Join(cert.Names, ", "), cert.NotAfter.Format(time.DateOnly))}
}
