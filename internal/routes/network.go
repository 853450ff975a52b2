package routes

import (
	"fmt"
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// Net returns the network of the machine's address: the laptop's network there, or else the /24
// around Addr, docker-machine's default (--virtualbox-hostonly-cidr).
func (v View) Net() netip.Prefix {
	if p, ok := v.Laptop(); ok {
		return p.Masked()
	}
	p, _ := v.Addr.Prefix(24)
	return p
}

// Laptop returns the laptop's own address in the network of the machine's address: LaptopAddr, or
// the adapter's current one, which may have changed. ok is false if neither is in that network, or
// if nothing is known.
func (v View) Laptop() (p netip.Prefix, ok bool) {
	if v.LaptopAddr.IsValid() && v.LaptopAddr.Contains(v.Addr) {
		return v.LaptopAddr, true
	}
	for _, l := range v.Links {
		if !isHostOnlyName(l.Name) || numbered(v.VirtualBoxAdapter, "vboxnet") && l.Name != v.VirtualBoxAdapter {
			continue
		}
		for _, p := range l.Addrs {
			if p.Contains(v.Addr) {
				return p, true
			}
		}
	}
	return netip.Prefix{}, false
}

// outside returns the evidence that the machine's address is in none of the adapter's networks: the
// VM got it from elsewhere, and no route leads to it.
func (v View) outside(adapter host.Link) (evidence string, ok bool) {
	if _, ok := v.Laptop(); ok || !v.LaptopAddr.IsValid() {
		return "", false
	}
	for _, p := range adapter.Addrs {
		if !p.Addr().Is4() {
			continue
		}
		for _, l := range v.Links {
			if l.Name != adapter.Name && isHostOnlyName(l.Name) && onNet(l, v.Net()) {
				return fmt.Sprintf("the VM is on %s (%s), and its address %s is of %s's network: another network's DHCP server gave it out",
					adapter.Name, p, v.Addr, l.Name), true
			}
		}
		return fmt.Sprintf("the VM's address %s is outside %s's network %s: it is a static address, or another network's DHCP server gave it out",
			v.Addr, adapter.Name, p.Masked()), true
	}
	return fmt.Sprintf("the VM's address %s is outside the host-only network %s: it is a static address, or another network's DHCP server gave it out",
		v.Addr, v.LaptopAddr.Masked()), true
}
