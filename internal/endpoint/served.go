package endpoint

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Served is dockerd's answer by the first way that shows a certificate: the
// endpoint, the host-only address, from inside the docker host.
func (f *Finder) Served(ctx context.Context, e Endpoint) Answer {
	var first Answer
	other := f.HostOnly()
	elsewhere := other != e && !f.Mode().IsRepair()
	if !e.Planned {
		defer f.AskAhead(ctx)()
		first = f.Ask(ctx, e)
		if first.Leaf != nil || f.Mode().IsQuick() {
			return first
		}
	}
	if elsewhere {
		if a := f.Ask(ctx, other); a.Leaf != nil {
			return a
		}
	}
	if a := f.Ask(ctx, f.Inside()); a.Leaf != nil || first.Endpoint.Host == "" {
		return a
	}
	return first
}

// CertNames are the first two of six sets of names of a server certificate:
//
//	need                      the endpoint's name, for which docker verifies the certificate
//	want                      what a reissue adds, so that docker works by every other way, too
//	tls.State.Missing         of want, what the certificate lacks; without need, which certs.Judge finds
//	certs.Request             what the new certificate has: the old one's names, then want
//	LastingNames              what config.json lists, so that docker-machine regenerate-certs keeps it
//	hostchange.UnlistedNames  of LastingNames, what config.json does not list yet
func (f *Finder) CertNames(ctx context.Context, e Endpoint) (need, want []string) {
	if e.Host != "" {
		need = []string{e.Host}
	}
	if f.Machine.VirtualBox() && (f.Mode().IsQuick() || !f.VM.WithoutNAT(ctx)) { // else the address is all
		want = f.LastingNames()
	}
	if ip := f.Machine.IP; ip.IsValid() && (f.Mode().IsQuick() || !f.VM.NATAddress(ctx)) {
		want = append(want, ip.String())
	}
	if f.Machine.Host != "" {
		want = append(want, f.Machine.Host)
	}
	if !f.Mode().IsQuick() && f.VM.AddressMoved(ctx) {
		want = append(want, f.VM.GuestAddr(ctx).String())
	}
	return need, want
}

// CheckTrust is why docker's client would not accept the answer's certificate under the
// endpoint's name, nil if it would.
func (f *Finder) CheckTrust(ctx context.Context, a Answer) error {
	cas, err := f.CAs(ctx)
	if err != nil {
		return err
	}
	return certs.Judge(cas, a.Chain(), a.Endpoint.Host, f.Now()).Err()
}

// LastingNames are written to config.json with a reissue: see CertNames.
func (f *Finder) LastingNames() []string { return []string{Localhost, host.Loopback} }
