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

// sshdPort is where sshd listens in a VM.
const sshdPort = 22

// Address is an address at which the docker host's sshd may answer.
type Address struct {
	Addr string `json:"addr"` // host:port
	// NAT reports that VirtualBox's NAT stands in between: it accepts a connection
	// whatever the docker host does, so an accepted one shows nothing.
	NAT bool `json:"nat"`
}

// Addresses are those of the docker host's sshd, the one that no VPN can take first. None
// of them is the laptop's own sshd, at 127.0.0.1:22 or at another address of the laptop.
func (a *Access) Addresses(ctx context.Context) []Address {
	if !a.Exists() {
		return nil
	}
	var all []Address
	if addr := a.forwarded(ctx); addr != "" {
		all = append(all, Address{Addr: addr, NAT: true})
	}
	if addr := a.direct(ctx); addr != "" {
		all = append(all, Address{Addr: addr})
	}
	return all
}

// NoAddress is why there is no address of sshd.
func (a *Access) NoAddress(ctx context.Context) error {
	if a.Machine.VirtualBox() {
		return errors.New("VirtualBox has no NAT rule for SSH, and " + a.NoDirect(ctx))
	}
	return errors.New(a.NoDirect(ctx))
}

// NoDirect is why sshd cannot be reached at the docker host's own address. It is right only
// where Addresses has none.
func (a *Access) NoDirect(ctx context.Context) string {
	switch name := a.name(); {
	case name == "":
		return "config.json has no address of the docker host"
	case a.Machine.SSHPort == 0 && !a.Machine.VirtualBox():
		return fmt.Sprintf("config.json has no SSH port for %s, where port 22 is this laptop's own sshd", name)
	case a.natAddress(ctx):
		return name + " is the address of VirtualBox's NAT, which reaches nothing from outside the VM"
	default:
		return name + " is an address of this laptop"
	}
}

// forwarded is where VirtualBox forwards to sshd; "" if it does not. docker-machine
// chooses the port anew at each start (docker/machine b170508b,
// drivers/virtualbox/virtualbox.go, setPortForwarding), so the rule in VirtualBox is
// believed, and config.json only where VirtualBox cannot be asked.
func (a *Access) forwarded(ctx context.Context) string {
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

// loopbackIP is where a rule that listens on loopback, or everywhere, is reached.
func loopbackIP(f vbox.Forward) string {
	if ip, err := netip.ParseAddr(f.HostIP); err == nil && ip.IsLoopback() {
		return ip.String()
	}
	return host.Loopback
}

// name is the docker host's own address, or the name that stands in its place; "" where
// config.json has neither.
func (a *Access) name() string {
	if a.Machine.IP.IsValid() {
		return a.Machine.IP.String()
	}
	return a.Machine.Host
}

// natAddress reports whether the docker host's address is that of VirtualBox's NAT, which
// another computer may have in the networks that the laptop reaches.
func (a *Access) natAddress(ctx context.Context) bool { return a.VM != nil && a.VM.NATAddress(ctx) }

// direct is sshd at the docker host's own address; "" if that is not known, or is the
// laptop's or another's.
func (a *Access) direct(ctx context.Context) string {
	port := a.Machine.SSHPort
	if a.Machine.VirtualBox() {
		port = sshdPort
	}
	if a.name() == "" || port == 0 || a.natAddress(ctx) || !a.Machine.Generic() && a.laptopHas(ctx, a.Machine.IP) {
		return ""
	}
	return net.JoinHostPort(a.name(), strconv.Itoa(port))
}

// laptopHas reports whether an address is one of the laptop's own: DHCP may have given it a
// VM's, in a network that has the host-only one's numbers.
func (a *Access) laptopHas(ctx context.Context, addr netip.Addr) bool {
	links, err := a.Laptop.Links(ctx)
	return err == nil && slices.ContainsFunc(links, func(l host.Link) bool {
		return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Addr() == addr })
	})
}
