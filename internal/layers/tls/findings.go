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
	case s.Served != nil || s.Disk != nil || s.Broken != "" || s.ClientUnusable != "":
		return ""
	case s.SSHDown:
		return "ssh"
	}
	return "daemon"
}

func (s State) Findings() []engine.Finding {
	if s.Served == nil && s.Disk == nil && s.Broken == "" && s.ClientUnusable == "" {
		return nil
	}
	var out []engine.Finding
	add := func(kind string, status engine.Status, weight engine.Weight, title, hint string) {
		out = append(out, engine.Finding{Code: "tls." + kind, Status: status, Title: title, Hint: hint, Weight: weight})
	}
	hint := s.FixHint
	out = append(out, s.clock()...)
	causes, expiring := s.Verdict.Causes, s.Verdict.Expiring
	var told []certs.Kind
	for i, p := range slices.Concat(causes, s.Signing) {
		weight := engine.Plain
		if i < len(causes) && len(s.Plan) == 0 {
			weight = engine.Outranks // no repair of anything else makes docker work
		}
		if p.OfCA() && !slices.Contains(told, p.Kind) {
			told = append(told, p.Kind)
			add(string(p.Kind), engine.Fail, weight, s.caText(p), s.caHint(p))
		}
	}
	if s.Impossible != "" {
		add("reissue-impossible", engine.Fail, engine.Plain, "the certificate has to be reissued, and cannot be: "+s.Impossible, s.ImpossibleHint)
	}
	if s.KeyMismatch {
		add("key-mismatch", engine.Fail, engine.Plain, "on the docker host, server.pem does not belong to server-key.pem: dockerd cannot start with them", hint)
	}
	switch {
	case s.Broken != "" && s.Served != nil:
		add("file-broken", engine.Warn, engine.Plain, s.Broken+": dockerd will hardly start with it again", s.ReissueHint)
	case s.Broken != "" && s.Store == nil:
		add("file-broken", engine.Fail, engine.Plain, s.Broken+", and the store has none either", s.CertsHint)
	case s.Broken != "":
		add("file-broken", engine.Fail, engine.Plain, s.Broken, hint)
	}
	for _, p := range causes {
		switch {
		case p.OfCA():
		case p.Kind == certs.AddressMissing:
			add("name-missing", engine.Fail, engine.Plain, p.Text, s.leafHint())
		default:
			add(string(p.Kind), engine.Fail, engine.Plain, p.Text, s.leafHint())
		}
	}
	for _, p := range expiring {
		h := hint
		if p.OfCA() || !s.Renewable {
			h = "docker-vpn-helper explain tls.ca-expires-soon"
		}
		add(string(p.Kind), engine.Warn, engine.Plain, p.Text, h)
	}
	if slices.Contains(s.Missing, endpoint.Localhost) {
		add("name-missing", engine.Warn, engine.Plain, "the served certificate does not name localhost: it is no good behind a NAT rule", hint)
	} else if len(s.Missing) > 0 && !s.Due {
		add("address-missing", engine.Warn, engine.Aside,
			"the served certificate does not name "+strings.Join(s.Missing, ", ")+": clients that dial it by that name refuse it", s.ReissueHint)
	}
	if s.ClientUnusable != "" {
		add("client-cert-unusable", engine.Fail, engine.Plain, s.ClientUnusable, s.ClientCertsHint)
	}
	if s.ClientRejected != "" {
		add("client-cert-rejected", engine.Fail, engine.Plain, "dockerd does not accept the client certificate: "+s.ClientRejected,
			s.ClientCertsHint)
	} else if s.ForeignCA {
		add("client-cert-rejected", engine.Fail, engine.Plain, "ca.pem on the docker host is another than the store's: dockerd does not accept the client certificate",
			s.CertsHint)
	}
	if s.NoClientAuth {
		add("no-client-auth", engine.Warn, engine.Plain, "dockerd asks for no client certificate: whoever reaches the port is root on the docker host",
			s.CertsHint)
	}
	out = append(out, s.drift()...)
	if len(out) == 0 || !slices.ContainsFunc(out, func(f engine.Finding) bool { return f.Weight != engine.Aside }) {
		out = append(out, s.fine())
	}
	return out
}

// leafHint is what to do about the server's own certificate.
func (s State) leafHint() string {
	switch {
	case len(s.Plan) > 0:
	case len(s.Signing) > 0:
		return s.caHint(s.Signing[0])
	case s.ForeignCA:
		return s.CertsHint
	}
	return s.FixHint
}

// caHint is what to do about a CA: a reissue may do, by another CA in ca.pem or without
// an intermediate.
func (s State) caHint(p certs.Problem) string {
	switch {
	case len(s.Plan) > 0:
		return s.FixHint
	case p.Kind == certs.CAExpired && s.CAHint != "":
		return s.CAHint
	}
	return "docker-vpn-helper explain tls." + string(p.Kind)
}

func (s State) caText(p certs.Problem) string {
	if len(s.Plan) == 0 && p.Kind == certs.CAExpired && s.CANote != "" {
		return p.Text + "; " + s.CANote
	}
	return p.Text
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
