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

// Shared is what docker-machine has for all machines of the store: the machine CA and a
// client certificate, of which each machine's directory has a copy. It is looked at only
// where this machine needs new ones.
type Shared struct {
	Dir, ClientCert, ClientKey, MachineDir string `json:"-"`
	// NewCA reports that the shared CA has not ended: this machine has not got it yet.
	NewCA bool `json:"new_ca,omitempty"`
	// Machines are the other machines that the shared CA is for.
	Machines []string `json:"machines,omitempty"`
	// Client is the shared client certificate, nil if docker could not use it;
	// ClientProblem is why a dockerd with this machine's ca.pem refuses it. ClientEnded
	// reports that it has ended, also where its key is not there.
	Client        *certs.Summary `json:"client,omitempty"`
	ClientProblem *certs.Problem `json:"-"`
	ClientEnded   bool           `json:"client_ended,omitempty"`
	// TooOld is docker-machine's version if that one renews no client certificate.
	TooOld string `json:"docker_machine_too_old,omitempty"`
}

func ended(p *certs.Problem) bool { return p != nil && p.Kind == certs.CAExpired }

// caEnded reports whether the machine CA has ended, which keeps docker from working.
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
	keyPEM, _ := t.Laptop.ReadFile(ctx, f.ClientKey) // without it they are no pair
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

// sharers are the other machines of the store that have the machine CA's certificates.
// docker-machine cannot give any to one without a driver, and refuses the whole command if
// it cannot read one of the machines.
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

// regenerate has docker-machine make a new server certificate, and a new CA where nothing
// that the old one signs is any good.
func (s State) regenerate() hint.Hint {
	switch {
	case s.caEnded() && !s.Shared.NewCA:
		return s.newCA()
	case s.HostOnlyNetwork:
		return withoutDockerMachine
	}
	return hint.DockerMachine("regenerate-certs", hint.Machine)
}

// withoutDockerMachine is for a VM to which docker-machine gives no certificate, because it
// does not find its address.
var withoutDockerMachine = hint.Explain("tls.without-docker-machine")

// newCA makes a new machine CA and gives it to every machine of the store, which the new
// CA cuts off otherwise. docker-machine looks after all machines of a command at once, and
// each that finds the CA ended makes a new one (v0.16.2, commands/commands.go,
// runActionForeachMachine; libmachine/cert/bootstrap.go): of 30 tries with two machines 21
// left a client certificate of a CA that was not kept. So one machine goes first. ";" and
// not "&&": while a VPN is on docker-machine ends with an error although the certificates
// are in place.
func (s State) newCA() hint.Hint {
	f := s.Shared
	if filepath.Base(f.Dir) != "certs" {
		return hint.Explain("tls.ca-expired") // not where docker-machine keeps it
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
	// A client certificate that has not ended is kept, and the new CA has not signed it.
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
		// It has been renewed, for another machine.
		return hint.Run("cp", f.ClientCert, f.ClientKey, f.MachineDir)
	case f.ClientProblem == nil: // by this ca.pem: dockerd has another
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

// tooOld is why docker-machine is too old for the hint.
func (s State) tooOld() string {
	if s.Shared.TooOld == "" {
		return ""
	}
	return "; docker-machine " + s.Shared.TooOld + " makes no new one, 0.14 or later is needed"
}
