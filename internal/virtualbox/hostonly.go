package virtualbox

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
)

// HostOnlyIfs are the host-only adapters that VirtualBox has; none where it does not
// answer, or has networks instead.
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

// HostOnlyNets are the host-only networks that VirtualBox has (7.x on macOS). Where it does
// not answer none is known.
func (v *Manager) HostOnlyNets(ctx context.Context) (nets []vbox.HostOnlyNet, err error) {
	out, err := v.Run(ctx, vbox.ListHostOnlyNets())
	if err != nil {
		return nil, err
	}
	return vbox.ParseHostOnlyNets(out.Stdout)
}

// Allow is what makes VirtualBox give the laptop an address that it refuses now.
type Allow struct {
	Line string    // of networks.conf
	Hint hint.Hint // that adds it
}

// Forbids reports whether VirtualBox would not give the laptop an address on a
// host-only adapter. A file that cannot be read is taken to allow everything.
func (v *Manager) Forbids(ctx context.Context, addr netip.Prefix) (allow Allow, forbidden bool) {
	number, err := v.Version(ctx)
	if err != nil || !addr.IsValid() || !installation.LimitsHostOnly(number) {
		return Allow{}, false
	}
	conf := installation.NetworksConf{}
	data, err := v.laptop.ReadFile(ctx, installation.NetworksConfPath)
	switch {
	case err == nil:
		conf = installation.ParseNetworksConf(data)
	case !errors.Is(err, fs.ErrNotExist):
		return Allow{}, false
	}
	line := installation.NetworksConfLine(addr, conf)
	return Allow{Line: line, Hint: installation.AllowHint(line, conf)}, !installation.Allowed(addr, conf)
}

// SetAddress gives a host-only adapter the laptop's address on it, which brings its
// route back too. An adapter that is gone is made; which name a new one gets is
// VirtualBox's choice, and under another one it would be of no use to the VM.
func (v *Manager) SetAddress(ctx context.Context, adapter string, addr netip.Prefix) error {
	_, err := v.Run(ctx, vbox.IfConfig(adapter, addr))
	var complaint *vbox.Error
	if !errors.As(err, &complaint) || complaint.Kind != vbox.HostOnlyMissing {
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
