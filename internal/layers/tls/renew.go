package tls

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// advise finds out how docker-machine makes a new machine CA or client certificate, where
// docker needs one.
func (s *State) advise(ctx context.Context, w *target.Target) {
	defer func() {
		if !w.Mode.IsQuick() && w.VM.OnHostOnlyNetwork(ctx) {
			s.withoutDockerMachine()
		}
	}()
	renews := false
	over := func(p certs.Problem) bool { return p.Kind == certs.CAExpired }
	if slices.ContainsFunc(slices.Concat(s.Verdict.Causes, s.Signing), over) || s.ClientProblem != nil && over(*s.ClientProblem) {
		shared, err := w.Endpoints.ReadCert(ctx, w.Machine.CACert)
		if err == nil && !slices.ContainsFunc(certs.CheckCA(shared, nil, w.Now()), over) {
			s.CAHint = s.CertsHint // there is a new one, and this machine has not got it yet
		} else {
			s.CAHint, renews = newCA(ctx, w), true
			s.CertsHint = s.CAHint // nothing that the old one signs is any good
		}
	}
	switch {
	case s.ClientRejected == "" && s.ClientUnusable == "":
	case s.CAHint != "":
		s.ClientHint = s.CAHint
	default:
		s.ClientHint, renews = s.newClient(ctx, w)
	}
	if !renews {
		return
	}
	if v, err := dockermachine.Installed(ctx, w.Laptop); err == nil && !v.RenewsClientCerts() {
		s.RenewNote = fmt.Sprintf("; docker-machine %s makes no new one, 0.14 or later is needed", v)
	}
}

// withoutDockerMachine takes regenerate-certs out of the hints: where docker-machine does
// not find the VM's address it gives the VM no certificate either.
func (s *State) withoutDockerMachine() {
	for _, hint := range []*string{&s.CertsHint, &s.CAHint, &s.ClientHint} {
		if strings.Contains(*hint, "regenerate-certs") {
			*hint = "docker-vpn-helper explain tls.without-docker-machine"
		}
	}
}

// newCA is the command line that makes a new machine CA and gives it to every machine of
// the store, which the new CA cuts off otherwise. docker-machine looks after all machines
// of a command at once, and each that finds the CA over makes a new one (v0.16.2,
// commands/commands.go, runActionForeachMachine; libmachine/cert/bootstrap.go): of 30 tries
// with two machines 21 left a client certificate of a CA that was not kept. So one
// machine goes first. ";" and not "&&": while a VPN is on docker-machine ends with an error
// although the certificates are in place.
func newCA(ctx context.Context, w *target.Target) string {
	shared := filepath.Dir(w.Machine.CACert)
	if filepath.Base(shared) != "certs" {
		return "docker-vpn-helper explain tls.ca-expired" // not where docker-machine keeps it
	}
	line := w.DockerMachine("regenerate-certs", "--client-certs")
	if others := sharers(ctx, w); len(others) > 0 {
		line += "; " + w.DockerMachineFor(others, "regenerate-certs")
	}
	// A client certificate that has not ended is kept, and the new CA has not signed it.
	client, err := w.Endpoints.ReadCert(ctx, w.Machine.ClientCert)
	if err != nil || filepath.Dir(w.Machine.ClientCert) != shared || !w.Now().After(client.NotAfter) {
		line = shell.Command("mv", shared, shared+".old") + " && " + line
	}
	return line
}

// sharers are the other machines of the store that have the machine CA's certificates.
// docker-machine cannot give any to one without a driver, and refuses the whole command if
// it cannot read one of the machines.
func sharers(ctx context.Context, w *target.Target) []string {
	names, err := w.Store.Names(ctx)
	if err != nil {
		return nil
	}
	var others []string
	for _, name := range names {
		m, err := w.Store.Load(ctx, name)
		if err == nil && name != w.Machine.Name && m.CACert == w.Machine.CACert && m.Driver != "none" {
			others = append(others, name)
		}
	}
	return others
}
