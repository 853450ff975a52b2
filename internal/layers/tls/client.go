package tls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// client reads docker's own certificate, and what dockerd made of it.
func (s *State) client(ctx context.Context, w *target.Target, roots []*x509.Certificate, answer endpoint.Answer) {
	if err := answer.Rejected(); err != nil {
		s.ClientRejected = err.Error()
	}
	if err := answer.ClientUnusable(); err != nil {
		s.ClientUnusable = err.Error()
	}
	own, err := w.Endpoints.ClientCert(ctx)
	if err != nil {
		return // docker cannot use it either: ClientUnusable
	}
	s.Client = summary(own)
	if causes := certs.JudgeClient(roots, []*x509.Certificate{own}, w.Now()).Causes; len(roots) > 0 && len(causes) > 0 {
		s.ClientProblem = &causes[0]
	}
}

// newClient is the command line that gives the machine's directory a client certificate
// that dockerd accepts; renews reports whether it needs docker-machine's flag --client-certs.
func (s *State) newClient(ctx context.Context, w *target.Target) (line string, renews bool) {
	shared := filepath.Dir(w.Machine.ClientCert)
	certPEM, err := w.Laptop.ReadFile(ctx, w.Machine.ClientCert)
	if err != nil {
		return "docker-vpn-helper explain tls.client-cert-unusable", false
	}
	keyPEM, _ := w.Laptop.ReadFile(ctx, w.Machine.ClientKey) // without it they are no pair
	_, unpaired := tls.X509KeyPair(certPEM, keyPEM)
	chain, err := certs.ParseCerts(certPEM)
	roots, rootsErr := w.Endpoints.CAs(ctx)
	if err != nil || unpaired != nil || rootsErr != nil {
		return "docker-vpn-helper explain tls.client-cert-unusable", false
	}
	causes := certs.JudgeClient(roots, chain, w.Now()).Causes
	switch {
	case len(causes) == 0 && shared != w.Machine.CertDir && (s.Client == nil || s.ClientUnusable != "" || s.Client.Fingerprint != certs.Summarize(chain[0]).Fingerprint):
		// It has been renewed, for another machine.
		return shell.Command("cp", w.Machine.ClientCert, w.Machine.ClientKey, w.Machine.CertDir), false
	case len(causes) == 0: // by this ca.pem: dockerd has another
		return s.CertsHint, false
	case causes[0].Kind == certs.Expired:
		return w.DockerMachine("regenerate-certs", "--client-certs"), true
	}
	return "docker-vpn-helper explain tls.client-cert-rejected", false
}
