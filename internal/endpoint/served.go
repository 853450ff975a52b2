package endpoint

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Served is dockerd's answer by the first way that shows a certificate: the
// endpoint, the host-only address, from inside the docker host.
func (f *Finder) Served(ctx context.Context, target Endpoint) Answer {
	var first Answer
	other := f.HostOnly()
	elsewhere := other != target && !f.Mode().IsRepair()
	if !target.Planned {
		defer f.AskAhead(ctx)()
		first = f.Ask(ctx, target)
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

// CertNames are the names that the server certificate needs so that docker works
// through the endpoint, and those that a reissue adds, so that it goes on
// working by every other way too.
func (f *Finder) CertNames(ctx context.Context, target Endpoint) (need, want []string) {
	if target.Host != "" {
		need = []string{target.Host}
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

// LastingNames are written to config.json with a reissue, so that every later
// docker-machine regenerate-certs keeps them.
func (f *Finder) LastingNames() []string { return []string{Localhost, host.Loopback} }
