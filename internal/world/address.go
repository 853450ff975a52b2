package world

import (
	"context"
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// GuestAddr is the address that the docker host itself says it has on its
// host-only NIC: VirtualBox's guest additions, which boot2docker has, tell it.
// The zero Addr where nobody does.
func (w *World) GuestAddr(ctx context.Context) netip.Addr {
	a, _ := w.guest.Get(ctx, func() (netip.Addr, error) {
		vm, err := w.VM(ctx)
		if err != nil || vm.State != vbox.Running {
			return netip.Addr{}, err
		}
		nic, ok := vm.HostOnlyNIC()
		if !ok {
			return netip.Addr{}, nil
		}
		// Interfaces are counted from 0 in the order of the NICs that the guest sees.
		n := 0
		for _, other := range vm.NICs {
			if other.Slot < nic.Slot {
				n++
			}
		}
		out, err := w.VBoxManage(ctx, vbox.GuestProperty(w.Machine.VMName, vbox.GuestAddrProperty(n)))
		if err != nil {
			return netip.Addr{}, err
		}
		return vbox.ParseGuestAddr(out.Stdout), nil
	})
	return a
}

// AddressMoved says that the docker host has another host-only address than
// config.json has: DHCP gives it out anew at each start.
func (w *World) AddressMoved(ctx context.Context) bool {
	a := w.GuestAddr(ctx)
	return a.IsValid() && w.HostOnly().IsValid() && a != w.HostOnly()
}
