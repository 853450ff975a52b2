package tls

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// BlockedBy implements stack.SelfBlocked.
func (s State) BlockedBy() string {
	switch {
	case s.NotRunning:
		return "machine"
	case s.Served != nil || s.Disk != nil || s.Broken != "" || s.ClientUnusable != "" || len(s.CAProblems) > 0:
		return ""
	case s.SSHDown:
		return "ssh"
	}
	return "daemon"
}

// Findings implements stack.State.
func (s State) Findings() []stack.Finding {
	if s.Served == nil && s.Disk == nil && s.Broken == "" && s.ClientUnusable == "" && len(s.CAProblems) == 0 {
		return nil
	}
	var out []stack.Finding
	add := func(kind string, status stack.Status, weight stack.Weight, title, hint string) {
		out = append(out, stack.Finding{Code: "tls." + kind, Status: status, Title: title, Hint: hint, Weight: weight})
	}
	hint := s.FixHint
	out = append(out, s.clock()...)
	for _, p := range s.CAProblems {
		status := stack.Warn
		if s.Due && p.Kind != certs.CAExpiresSoon {
			status = stack.Fail
		}
		add(string(p.Kind), status, stack.Plain, p.Text, "docker-vpn-helper explain tls."+string(p.Kind))
	}
	if s.Impossible != "" {
		add("reissue-impossible", stack.Fail, stack.Plain, "the certificate has to be reissued, and cannot be: "+s.Impossible, s.ImpossibleHint)
	}
	if s.KeyMismatch {
		add("key-mismatch", stack.Fail, stack.Plain, "on the docker host, server.pem does not belong to server-key.pem: dockerd cannot start with them", hint)
	}
	switch {
	case s.Broken != "" && s.Served != nil:
		add("file-broken", stack.Warn, stack.Plain, s.Broken+": dockerd will hardly start with it again", s.ReissueHint)
	case s.Broken != "" && s.Store == nil:
		add("file-broken", stack.Fail, stack.Plain, s.Broken+", and the store has none either", s.CertsHint)
	case s.Broken != "":
		add("file-broken", stack.Fail, stack.Plain, s.Broken, hint)
	}
	for _, p := range s.Problems {
		switch p.Kind {
		case certs.ExpiresSoon:
			h := hint
			if !s.Renewable {
				h = "docker-vpn-helper explain tls.ca-expires-soon"
			}
			add(string(p.Kind), stack.Warn, stack.Plain, p.Text, h)
		case certs.AddressMissing, certs.NameMissing:
			add("name-missing", stack.Fail, stack.Plain, p.Text, hint)
		default:
			add(string(p.Kind), stack.Fail, stack.Plain, p.Text, hint)
		}
	}
	if slices.Contains(s.Missing, world.Localhost) {
		add("name-missing", stack.Warn, stack.Plain, "the served certificate does not name localhost: it is no good behind a NAT rule", hint)
	} else if len(s.Missing) > 0 && !s.Due {
		add("address-missing", stack.Warn, stack.Aside,
			"the served certificate does not name "+strings.Join(s.Missing, ", ")+": clients that dial it by that name refuse it", s.ReissueHint)
	}
	if s.ClientUnusable != "" {
		add("client-cert-unusable", stack.Fail, stack.Plain, s.ClientUnusable, s.ClientCertsHint)
	}
	if s.ClientRejected != "" {
		add("client-cert-rejected", stack.Fail, stack.Plain, "dockerd does not accept the client certificate: "+s.ClientRejected,
			s.ClientCertsHint)
	} else if s.ForeignCA {
		add("client-cert-rejected", stack.Fail, stack.Plain, "ca.pem on the docker host is another than the store's: dockerd does not accept the client certificate",
			s.CertsHint)
	}
	if s.NoClientAuth {
		add("no-client-auth", stack.Warn, stack.Plain, "dockerd asks for no client certificate: whoever reaches the port is root on the docker host",
			s.CertsHint)
	}
	out = append(out, s.drift()...)
	if len(out) == 0 || !slices.ContainsFunc(out, func(f stack.Finding) bool { return f.Weight != stack.Aside }) {
		out = append(out, s.fine())
	}
	return out
}

// drift compares the served certificate with its copies: a restart of dockerd
// or the next regenerate-certs would change what is served.
func (s State) drift() []stack.Finding {
	warn := func(title string) []stack.Finding {
		return []stack.Finding{{Code: "tls.drift", Status: stack.Warn, Title: title, Hint: s.ReissueHint}}
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

func (s State) fine() stack.Finding {
	cert, where := s.Served, "served"
	if cert == nil {
		cert, where = s.Disk, "on the docker host"
	}
	if cert == nil {
		return stack.Finding{Code: "tls.unknown", Status: stack.Unknown, Title: "no certificate could be read"}
	}
	return stack.Finding{Code: "tls.ok", Status: stack.OK,
		Title: fmt.Sprintf("certificate %s: %s, until %s", where, strings.Join(cert.Names, ", "), cert.NotAfter.Format(time.DateOnly))}
}
