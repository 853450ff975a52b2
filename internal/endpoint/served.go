package endpoint

import (
	"context"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/certs"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Served returns dockerd's answer from the first of these that shows a certificate: the endpoint e,
// the host-only address, dockerd's port inside the docker host. A repair skips the host-only
// address.
func (f *Finder) Served(ctx context.Context, e Endpoint) Answer {
	var first Answer
	other := f.HostOnly()
	askOther := other != e && !f.Mode().IsRepair()
	if !e.Planned {
		defer f.AskAhead(ctx)()
		first = f.Ask(ctx, e)
		if first.Leaf != nil || f.Mode().IsQuick() {
			return first
		}
	}
	if askOther {
		if a := f.Ask(ctx, other); a.Leaf != nil {
			return a
		}
	}
	if a := f.Ask(ctx, f.Inside()); a.Leaf != nil || first.Endpoint.Host == "" {
		return a
	}
	return first
}

// CertNames returns the first two of six sets of names of a server certificate:
//
//	need                      the endpoint's name, for which docker verifies the certificate
//	want                      the names that a reissue adds, so that docker works at every other endpoint, too
//	tls.State.Missing         the names in want that the certificate lacks; certs.Judge checks need
//	certs.Request             the new certificate's names: the old one's, then want
//	LastingNames              the names for config.json, so that docker-machine regenerate-certs keeps them
//	hostchange.UnlistedNames  those of LastingNames that config.json does not list yet
func (f *Finder) CertNames(ctx context.Context, e Endpoint) (need, want []string) {
	if e.Host != "" {
		need = []string{e.Host}
	}
	if f.Machine.VirtualBox() && (f.Mode().IsQuick() || !f.VM.WithoutNAT(ctx)) { // without NAT there is only the address
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

// CheckTrust returns an error that says why docker would not accept the answer's certificates for
// the endpoint's name, or nil.
func (f *Finder) CheckTrust(ctx context.Context, a Answer) error {
	cas, err := f.CAs(ctx)
	if err != nil {
		return err
	}
	return certs.Judge(cas, a.Chain(), a.Endpoint.Host, f.Now()).Err()
}

// LastingNames returns the names that a reissue also writes to config.json. See CertNames.
func (f *Finder) LastingNames() []string { return []string{Localhost, host.Loopback} }
