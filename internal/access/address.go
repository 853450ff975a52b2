package access

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// sshdPort is the port of sshd in a VM.
const sshdPort = 22

// Address is an address at which the docker host's sshd may listen.
type Address struct {
	Addr string `json:"addr"` // host:port
	// NAT means that the connection goes through VirtualBox's NAT. The NAT accepts connections
	// whatever the docker host does, so an accepted one proves nothing.
	NAT bool `json:"nat"`
}

// Addresses returns the addresses of the docker host's sshd, first the one that no VPN can take.
// The laptop's own sshd, at 127.0.0.1:22 or another address of the laptop, is never among them.
func (a *Access) Addresses(ctx context.Context) []Address {
	if !a.Exists() {
		return nil
	}
	var all []Address
	if addr := a.natRuleAddress(ctx); addr != "" {
		all = append(all, Address{Addr: addr, NAT: true})
	}
	if addr := a.directAddress(ctx); addr != "" {
		all = append(all, Address{Addr: addr})
	}
	return all
}

// NoAddress returns an error that says why Addresses is empty.
func (a *Access) NoAddress(ctx context.Context) error {
	if a.Machine.VirtualBox() {
		return errors.New("VirtualBox has no NAT rule for SSH, and " + a.NoDirect(ctx))
	}
	return errors.New(a.NoDirect(ctx))
}

// NoDirect returns why sshd cannot be reached at the docker host's own address. It is only correct
// if Addresses is empty.
func (a *Access) NoDirect(ctx context.Context) string {
	switch hostName := a.hostName(); {
	case hostName == "":
		return "config.json has no address of the docker host"
	case a.Machine.SSHPort == 0 && !a.Machine.VirtualBox():
		return fmt.Sprintf("config.json has no SSH port for %s, where port 22 is this laptop's own sshd", hostName)
	case a.natAddress(ctx):
		return hostName + " is the address of VirtualBox's NAT, which reaches nothing from outside the VM"
	default:
		return hostName + " is an address of this laptop"
	}
}

// natRuleAddress returns the laptop's address that a NAT rule forwards to sshd; "" if there is
// none. docker-machine chooses a new port at each start (docker/machine b170508b,
// drivers/virtualbox/virtualbox.go, setPortForwarding). Therefore the rule in VirtualBox counts,
// and config.json only if VirtualBox cannot be asked.
func (a *Access) natRuleAddress(ctx context.Context) string {
	if !a.Machine.VirtualBox() {
		return ""
	}
	vm, err := a.VM.Info(ctx)
	switch {
	case err == nil:
		if rule, ok := virtualbox.SSHRule(vm); ok {
			return net.JoinHostPort(loopbackIP(rule), strconv.Itoa(rule.HostPort))
		}
		return ""
	case vbox.KindOf(err) == vbox.NotFound, a.Machine.SSHPort == 0:
		return ""
	}
	return net.JoinHostPort(host.Loopback, strconv.Itoa(a.Machine.SSHPort))
}

// loopbackIP returns the loopback address at which a rule is reached that listens on loopback or on
// all addresses.
func loopbackIP(f vbox.Forward) string {
	if ip, err := netip.ParseAddr(f.HostIP); err == nil && ip.IsLoopback() {
		return ip.String()
	}
	return host.Loopback
}

// hostName returns the docker host's own IP address, or the host name that config.json has instead;
// "" if it has neither.
func (a *Access) hostName() string {
	if a.Machine.IP.IsValid() {
		return a.Machine.IP.String()
	}
	return a.Machine.Host
}

// natAddress reports whether the docker host's address is the one that VMs have in VirtualBox's
// NAT. Another computer in the laptop's networks may have the same address.
func (a *Access) natAddress(ctx context.Context) bool { return a.VM != nil && a.VM.NATAddress(ctx) }

// directAddress returns the address of sshd at the docker host's own address; "" if that is not
// known, or belongs to the laptop or may belong to another computer.
func (a *Access) directAddress(ctx context.Context) string {
	port := a.Machine.SSHPort
	if a.Machine.VirtualBox() {
		port = sshdPort
	}
	if a.hostName() == "" || port == 0 || a.natAddress(ctx) || !a.Machine.Generic() && a.laptopHas(ctx, a.Machine.IP) {
		return ""
	}
	return net.JoinHostPort(a.hostName(), strconv.Itoa(port))
}

// laptopHas reports whether an address is one of the laptop's own: DHCP may have assigned a VM's
// address to the laptop, in a network with the same numbers as the host-only one.
func (a *Access) laptopHas(ctx context.Context, addr netip.Addr) bool {
	links, err := a.Laptop.Links(ctx)
	return err == nil && slices.ContainsFunc(links, func(l host.Link) bool {
		return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
	})
}
