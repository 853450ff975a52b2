package virtualbox

import (
	"context"
	"io/fs"
	"net/netip"
	"path"
	"path/filepath"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/memo"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/store"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// Machine is the VM of one machine of the store. It remembers VirtualBox's answers until Forget.
type Machine struct {
	virtualBox *Manager
	entry      store.Machine
	info       memo.Of[vbox.VM]
	guestAddr  memo.Of[netip.Addr]
	rulePort   memo.ByKey[int, int] // by the demanded port
}

// Info returns what VirtualBox reports about the VM.
func (m *Machine) Info(ctx context.Context) (vbox.VM, error) {
	return m.info.Get(ctx, func() (vbox.VM, error) { return m.virtualBox.LookUp(ctx, m.entry.VMName) })
}

// Forget drops the remembered answers.
func (m *Machine) Forget() {
	m.info.Forget()
	m.guestAddr.Forget()
	m.rulePort.Forget()
}

// Running reports whether the VM is running. For machines of other drivers it returns true.
func (m *Machine) Running(ctx context.Context) (bool, error) {
	if !m.entry.VirtualBox() {
		return true, nil
	}
	vm, err := m.Info(ctx)
	if notFound(err) {
		return false, nil
	}
	return vm.State == vbox.Running, err
}

// Missing reports whether VirtualBox does not know the VM.
func (m *Machine) Missing(ctx context.Context) bool {
	if !m.entry.VirtualBox() {
		return false
	}
	_, err := m.Info(ctx)
	return notFound(err)
}

func notFound(err error) bool { return vbox.KindOf(err) == vbox.NotFound }

// StateText returns one of these, or another state in VirtualBox's words.
const (
	StateUnknown = "" // VirtualBox cannot be asked
	StateRunning = string(vbox.Running)
	StateMissing = "missing"
)

// StateText returns the VM's state in one word.
func (m *Machine) StateText(ctx context.Context) string {
	if !m.entry.VirtualBox() {
		return StateUnknown
	}
	vm, err := m.Info(ctx)
	switch {
	case notFound(err):
		return StateMissing
	case err != nil:
		return StateUnknown
	}
	return string(vm.State)
}

// HostOnlyAdapter returns the host-only adapter to which the VM is attached; "" if there is none or
// VirtualBox does not answer.
func (m *Machine) HostOnlyAdapter(ctx context.Context) string {
	vm, err := m.Info(ctx)
	if err != nil {
		return ""
	}
	if nic, ok := vm.HostOnlyNIC(); ok && nic.Attachment == "hostonly" {
		return nic.HostOnly
	}
	return ""
}

// GuestAddr returns the address of the docker host's host-only NIC, as VirtualBox's guest additions
// report it; boot2docker has them. It returns the zero Addr if they do not, if VirtualBox does not
// answer, and while the VM is off. The address in config.json may be older: see AddressMoved.
func (m *Machine) GuestAddr(ctx context.Context) netip.Addr {
	a, _ := m.guestAddr.Get(ctx, func() (netip.Addr, error) {
		if !m.entry.VirtualBox() {
			return netip.Addr{}, nil
		}
		vm, err := m.Info(ctx)
		if err != nil || vm.State != vbox.Running {
			return netip.Addr{}, err
		}
		nic, ok := vm.HostOnlyNIC()
		if !ok {
			return netip.Addr{}, nil
		}
		// The property counts interfaces from 0, in the order of the guest's NICs.
		n := 0
		for _, other := range vm.NICs {
			if other.Slot < nic.Slot {
				n++
			}
		}
		out, err := m.virtualBox.Run(ctx, vbox.GuestProperty(m.entry.VMName, vbox.GuestAddrProperty(n)))
		if err != nil {
			return netip.Addr{}, err
		}
		return vbox.ParseGuestAddr(out.Stdout), nil
	})
	return a
}

// AddressMoved reports whether the docker host's host-only address is not the one in config.json:
// DHCP may assign another one at each start.
func (m *Machine) AddressMoved(ctx context.Context) bool {
	a := m.GuestAddr(ctx)
	return a.IsValid() && m.entry.IP.IsValid() && a != m.entry.IP
}

// NATAddress reports whether config.json has an address of VirtualBox's NAT instead of the
// host-only address (docker/machine#3108). Nothing outside the VM can reach it.
func (m *Machine) NATAddress(ctx context.Context) bool {
	ip := m.entry.IP
	if !m.entry.VirtualBox() || !ip.Is4() || m.entry.HostOnlyCIDR.Contains(ip) {
		return false
	}
	vm, err := m.Info(ctx)
	return err == nil && slices.ContainsFunc(vm.NICs, func(n vbox.NIC) bool {
		net, ok := n.NAT()
		return ok && net.Contains(ip)
	})
}

// Bridged reports whether the VM is on one of the laptop's own networks instead of a host-only one.
func (m *Machine) Bridged(ctx context.Context) bool {
	if !m.entry.VirtualBox() || m.entry.HostOnlyCIDR.Contains(m.entry.IP) {
		return false
	}
	vm, err := m.Info(ctx)
	_, hostOnly := vm.HostOnlyNIC()
	return err == nil && !hostOnly && slices.ContainsFunc(vm.NICs, func(n vbox.NIC) bool { return n.Attachment == "bridged" })
}

// WithoutNAT reports whether the VM has no NIC that is attached to NAT, so that no NAT rule is
// possible.
func (m *Machine) WithoutNAT(ctx context.Context) bool {
	if !m.entry.VirtualBox() {
		return false
	}
	vm, err := m.Info(ctx)
	_, nat := vm.NATSlot()
	return err == nil && !nat
}

// OnHostOnlyNetwork reports whether the VM is on a host-only network (VirtualBox 7 on macOS)
// instead of a host-only adapter. docker-machine cannot find its address there (docker/machine
// 0.16.2, drivers/virtualbox/virtualbox.go: "Machine does not have a host-only adapter").
func (m *Machine) OnHostOnlyNetwork(ctx context.Context) bool {
	if !m.entry.VirtualBox() {
		return false
	}
	vm, err := m.Info(ctx)
	nic, ok := vm.HostOnlyNIC()
	return err == nil && ok && nic.Attachment == "hostonlynetwork"
}

// LaptopAddr returns the laptop's address in the machine's host-only network, from config.json or,
// if it has none, as docker-machine chooses it by default. It is zero if the machine has no IPv4
// address.
func (m *Machine) LaptopAddr() netip.Prefix {
	if m.entry.HostOnlyCIDR.IsValid() || !m.entry.IP.Is4() {
		return m.entry.HostOnlyCIDR
	}
	net, _ := m.entry.IP.Prefix(24)
	return netip.PrefixFrom(net.Addr().Next(), 24)
}

// SettingsFile returns the path of the VM's settings file; "" if it is not where docker-machine
// creates it, in the machine's directory (docker/machine b170508b,
// drivers/virtualbox/virtualbox.go).
func (m *Machine) SettingsFile(ctx context.Context) string {
	file := filepath.Join(m.entry.Dir, m.entry.VMName, m.entry.VMName+".vbox")
	if !m.virtualBox.exists(ctx, file) {
		return ""
	}
	return file
}

// exists reports whether a file of the laptop exists. If its directory cannot be read, it does not.
func (v *Manager) exists(ctx context.Context, file string) bool {
	entries, err := v.laptop.ReadDir(ctx, path.Dir(file))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(file) })
}
