package world

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// vboxVersion is what VBoxManage says of itself.
type vboxVersion struct {
	number vbox.Version
	warned bool
}

// VBoxVersion asks VBoxManage for its version. warned says that it complained, as
// it does before anything else, that its kernel modules are not loaded.
func (w *World) VBoxVersion(ctx context.Context) (v vbox.Version, warned bool, err error) {
	m := &w.version
	if w.Shared != nil {
		m = &w.Shared.version
	}
	all, err := m.Get(ctx, func() (vboxVersion, error) {
		out, err := w.VBoxManage(ctx, vbox.ShowVersion())
		if err != nil {
			return vboxVersion{}, err
		}
		v, err := vbox.ParseVersion(out.Stdout)
		return vboxVersion{v, vbox.Classify(string(out.Stdout)+string(out.Stderr)) == vbox.KernelDriver}, err
	})
	return all.number, all.warned, err
}

// SettingsFile is the VM's settings file if it is where docker-machine puts it
// (docker/machine b170508b, drivers/virtualbox/virtualbox.go: the VM's folder is
// in the machine's); "" if it is not.
func (w *World) SettingsFile(ctx context.Context) string {
	file := filepath.Join(w.Machine.Dir, w.Machine.VMName, w.Machine.VMName+".vbox")
	if !w.has(ctx, file) {
		return ""
	}
	return file
}

// HostOnlyRefused says that VirtualBox would not give a host-only adapter the
// laptop's address in the machine's network; conf is what it goes by. What
// cannot be read is taken to allow everything.
func (w *World) HostOnlyRefused(ctx context.Context) (laptop netip.Prefix, conf vbox.NetworksConf, refused bool) {
	if laptop = w.LaptopAddr(); !laptop.IsValid() {
		return laptop, conf, false
	}
	data, err := w.Laptop.ReadFile(ctx, vbox.NetworksConfPath)
	switch {
	case err == nil:
		conf = vbox.ParseNetworksConf(data)
	case !errors.Is(err, fs.ErrNotExist):
		return laptop, conf, false
	}
	return laptop, conf, !vbox.Allowed(laptop, conf)
}

// LaptopAddr is the laptop's own address in the host-only network, as config.json
// has it or as docker-machine gives it out unless told otherwise; zero where the
// machine has no IPv4 address.
func (w *World) LaptopAddr() netip.Prefix {
	if w.Machine.HostOnlyCIDR.IsValid() || !w.HostOnly().Is4() {
		return w.Machine.HostOnlyCIDR
	}
	net, _ := w.HostOnly().Prefix(24)
	return netip.PrefixFrom(net.Addr().Next(), 24)
}

// AppleSilicon says whether this is a Mac with an Apple chip, whatever this
// program was built for.
func (w *World) AppleSilicon(ctx context.Context) bool {
	if w.Laptop.OS() != host.Darwin {
		return false
	}
	out, err := w.Laptop.Run(ctx, host.Cmd{Argv: []string{"sysctl", "-n", "hw.optional.arm64"}})
	return err == nil && string(bytes.TrimSpace(out.Stdout)) == "1"
}
