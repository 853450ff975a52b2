package virtualbox

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

// HostOnlyIfs returns VirtualBox's host-only adapters; none if VirtualBox does not answer, or has
// host-only networks instead.
func (v *Manager) HostOnlyIfs(ctx context.Context) []vbox.HostOnlyIf {
	out, err := v.Run(ctx, vbox.ListHostOnlyIfs())
	if err != nil {
		return nil
	}
	ifs, err := vbox.ParseHostOnlyIfs(out.Stdout)
	if err != nil {
		return nil
	}
	return ifs
}

// HostOnlyNets returns VirtualBox's host-only networks (7.x on macOS).
func (v *Manager) HostOnlyNets(ctx context.Context) (nets []vbox.HostOnlyNet, err error) {
	out, err := v.Run(ctx, vbox.ListHostOnlyNets())
	if err != nil {
		return nil, err
	}
	return vbox.ParseHostOnlyNets(out.Stdout)
}

// Forbids reports whether VirtualBox refuses an address for the laptop on a host-only adapter, and
// what would allow it. If VirtualBox's file of allowed networks cannot be read, it counts as
// allowing all.
func (v *Manager) Forbids(ctx context.Context, addr netip.Prefix) (allow installation.Allowance, forbidden bool) {
	number, err := v.Version(ctx)
	if err != nil || !addr.IsValid() || !installation.LimitsHostOnly(number) {
		return allow, false
	}
	conf := installation.NetworksConf{}
	data, err := v.laptop.ReadFile(ctx, installation.NetworksConfPath)
	switch {
	case err == nil:
		conf = installation.ParseNetworksConf(data)
	case !errors.Is(err, fs.ErrNotExist):
		return allow, false
	}
	return installation.Allow(addr, conf), !installation.Allowed(addr, conf)
}

// SetAddress sets the laptop's address on a host-only adapter, which also restores its route. It
// creates the adapter if it is missing. VirtualBox chooses a new adapter's name; under another name
// the VM could not use it, so SetAddress removes it again and fails.
func (v *Manager) SetAddress(ctx context.Context, adapter string, addr netip.Prefix) error {
	_, err := v.Run(ctx, vbox.IfConfig(adapter, addr))
	if vbox.KindOf(err) != vbox.HostOnlyMissing {
		return err
	}
	out, created := v.Run(ctx, vbox.CreateHostOnlyIf())
	if created != nil {
		return err
	}
	if name := vbox.ParseCreated(out.Stdout); name != adapter {
		if name != "" {
			_, _ = v.Run(ctx, vbox.RemoveHostOnlyIf(name))
		}
		return err
	}
	_, err = v.Run(ctx, vbox.IfConfig(adapter, addr))
	return err
}
