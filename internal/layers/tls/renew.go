package tls

import (
	"context"
	"crypto/tls"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// Shared is what docker-machine keeps once for all machines of the store: the machine CA and a
// client certificate, which it copies to each machine's directory. It is read only if this machine
// needs new ones.
type Shared struct {
	Dir, ClientCert, ClientKey, MachineDir string `json:"-"`
	// NewCA means that the shared CA has not expired: this machine only lacks its copy.
	NewCA bool `json:"new_ca,omitempty"`
	// Machines are the other machines that use the shared CA.
	Machines []string `json:"machines,omitempty"`
	// Client is the shared client certificate, nil if docker could not use it. ClientProblem is why
	// a dockerd with this machine's ca.pem refuses it, or nil. ClientEnded means that it has
	// expired, whether or not its key is there.
	Client        *certs.Summary `json:"client,omitempty"`
	ClientProblem *certs.Problem `json:"-"`
	ClientEnded   bool           `json:"client_ended,omitempty"`
	// TooOld is docker-machine's version if it is too old to renew client certificates, or "".
	TooOld string `json:"docker_machine_too_old,omitempty"`
}

func ended(p *certs.Problem) bool { return p != nil && p.Kind == certs.CAExpired }

// caEnded reports whether the machine CA has expired, which keeps docker from working.
func (s State) caEnded() bool {
	for i := range s.Verdict.Causes {
		if ended(&s.Verdict.Causes[i]) {
			return true
		}
	}
	return ended(s.Reissue.Refused) || ended(s.ClientProblem)
}

// clientRefused reports whether docker needs another client certificate.
func (s State) clientRefused() bool { return s.ClientRejected != "" || s.ClientUnusable != "" }

func shared(ctx context.Context, t *target.Target, s State) Shared {
	if !s.caEnded() && !s.clientRefused() {
		return Shared{}
	}
	m := t.Machine
	f := Shared{Dir: filepath.Dir(m.CACert), ClientCert: m.ClientCert, ClientKey: m.ClientKey, MachineDir: m.CertDir}
	if ca, err := t.Endpoints.ReadCert(ctx, m.CACert); err == nil {
		f.NewCA = true
		for _, p := range certs.CheckCA(ca, nil, t.Now()) {
			f.NewCA = f.NewCA && !ended(&p)
		}
	}
	f.client(ctx, t)
	if s.caEnded() && !f.NewCA {
		f.Machines = sharers(ctx, t)
	}
	s.Shared = f
	if s.renews() {
		if v, err := dockermachine.Installed(ctx, t.Laptop); err == nil && !v.RenewsClientCerts() {
			f.TooOld = v.String()
		}
	}
	return f
}

// client reads the shared client certificate.
func (f *Shared) client(ctx context.Context, t *target.Target) {
	certPEM, err := t.Laptop.ReadFile(ctx, f.ClientCert)
	if err != nil {
		return
	}
	chain, err := certs.ParseCerts(certPEM)
	if err != nil {
		return
	}
	f.ClientEnded = t.Now().After(chain[0].NotAfter)
	keyPEM, _ := t.Laptop.ReadFile(ctx, f.ClientKey) // if it is missing, pairing fails below
	_, unpaired := tls.X509KeyPair(certPEM, keyPEM)
	roots, err := t.Endpoints.CAs(ctx)
	if err != nil || unpaired != nil {
		return
	}
	f.Client = certs.Summarize(chain[0])
	if causes := certs.JudgeClient(roots, chain, t.Now()).Causes; len(causes) > 0 {
		f.ClientProblem = &causes[0]
	}
}

// sharers returns the other machines of the store whose certificates the machine CA signs. It
// leaves out machines without a driver, which get no certificates, and those that cannot be read:
// docker-machine would refuse the whole command.
func sharers(ctx context.Context, t *target.Target) []string {
	names, err := t.Store.Names(ctx)
	if err != nil {
		return nil
	}
	var others []string
	for _, name := range names {
		m, err := t.Store.Load(ctx, name)
		if err == nil && name != t.Machine.Name && m.CACert == t.Machine.CACert && m.Driver != "none" {
			others = append(others, name)
		}
	}
	return others
}

// regenerate makes docker-machine issue a new server certificate, and first a new CA if the old one
// has expired.
func (s State) regenerate() hint.Hint {
	switch {
	case s.caEnded() && !s.Shared.NewCA:
		return s.newCA()
	case s.HostOnlyNetwork:
		return withoutDockerMachine
	}
	return hint.DockerMachine("regenerate-certs", hint.Machine)
}

// withoutDockerMachine is for a VM that gets no certificate from docker-machine, which does not
// find its address.
var withoutDockerMachine = hint.Explain("tls.without-docker-machine")

// newCA makes a new machine CA and gives it to every machine of the store; without that they would
// be cut off. docker-machine handles all machines of a command at once, and each that finds the CA
// expired makes a new one (v0.16.2, commands/commands.go, runActionForeachMachine;
// libmachine/cert/bootstrap.go): in 21 of 30 tries with two machines, the client certificate was
// from a CA that was not kept. So one machine goes first. The separator is ";" and not "&&",
// because while a VPN is on, docker-machine ends with an error although the certificates are in
// place.
func (s State) newCA() hint.Hint {
	f := s.Shared
	if filepath.Base(f.Dir) != "certs" {
		return hint.Explain("tls.ca-expired") // docker-machine does not keep it there
	}
	if s.HostOnlyNetwork {
		return withoutDockerMachine
	}
	line := hint.DockerMachine("regenerate-certs", "--client-certs", hint.Machine)
	if len(f.Machines) > 0 {
		line = line.Then(";", hint.DockerMachine(append([]string{"regenerate-certs"}, f.Machines...)...))
	}
	if f.ClientEnded && filepath.Dir(f.ClientCert) == f.Dir {
		return line
	}
	// docker-machine keeps a client certificate that has not expired, although the new CA did not
	// sign it.
	return hint.Run("mv", f.Dir, f.Dir+".old").Then("&&", line)
}

// newClient gives the machine's directory a client certificate that dockerd accepts.
func (s State) newClient() hint.Hint {
	f := s.Shared
	switch {
	case s.caEnded():
		return s.regenerate()
	case f.Client == nil:
		return hint.Explain("tls.client-cert-unusable")
	case f.ClientProblem == nil && filepath.Dir(f.ClientCert) != f.MachineDir && (s.Client == nil || s.ClientUnusable != "" || s.Client.Fingerprint != f.Client.Fingerprint):
		// It was renewed for another machine.
		return hint.Run("cp", f.ClientCert, f.ClientKey, f.MachineDir)
	case f.ClientProblem == nil: // it is valid by this ca.pem, so dockerd uses another
		return s.regenerate()
	case f.ClientProblem.Kind == certs.Expired && s.HostOnlyNetwork:
		return withoutDockerMachine
	case f.ClientProblem.Kind == certs.Expired:
		return hint.DockerMachine("regenerate-certs", "--client-certs", hint.Machine)
	}
	return hint.Explain("tls.client-cert-rejected")
}

// renews reports whether the hint needs docker-machine's flag --client-certs.
func (s State) renews() bool {
	if s.caEnded() {
		return !s.Shared.NewCA
	}
	return s.clientRefused() && s.Shared.Client != nil && s.Shared.ClientProblem != nil && s.Shared.ClientProblem.Kind == certs.Expired
}

// tooOld returns the note that docker-machine is too old for the hint, or "".
func (s State) tooOld() string {
	if s.Shared.TooOld == "" {
		return ""
	}
	return "; docker-machine " + s.Shared.TooOld + " makes no new one, 0.14 or later is needed"
}
