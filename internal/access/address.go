package access

import (
	"context"
	"net"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
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

// Addresses are those of the docker host's sshd, the one that no VPN can take first.
// docker-machine chooses the forwarded port anew at each start (docker/machine b170508b,
// drivers/virtualbox/virtualbox.go, setPortForwarding), so VirtualBox's rule is
// believed, and config.json only where there is no such rule.
func (a *Access) Addresses(ctx context.Context) []Address {
	if !a.Exists() {
		return nil
	}
	var all []Address
	if port := a.forwardedPort(ctx); port > 0 {
		all = append(all, Address{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), NAT: true})
	}
	if direct, ok := a.direct(); ok {
		all = append(all, direct)
	}
	return all
}

// direct is the docker host's own address; ok is false where none is known.
func (a *Access) direct() (direct Address, ok bool) {
	name := a.Machine.Host
	if a.Machine.IP.IsValid() {
		name = a.Machine.IP.String()
	}
	port := sshdPort
	if !a.Machine.VirtualBox() && a.Machine.SSHPort > 0 {
		port = a.Machine.SSHPort
	}
	return Address{Addr: net.JoinHostPort(name, strconv.Itoa(port))}, name != ""
}

// forwardedPort is the port on 127.0.0.1 that VirtualBox forwards to sshd; 0 where
// there is none.
func (a *Access) forwardedPort(ctx context.Context) int {
	if !a.Machine.VirtualBox() {
		return 0
	}
	port := a.Machine.SSHPort
	if vm, err := a.VM.Info(ctx); err == nil {
		if p := sshRule(vm); p > 0 {
			port = p
		}
	}
	return port
}

// sshRule is the port on 127.0.0.1 of a NAT rule to sshd; 0 where there is none. The
// rule that docker-machine makes, "ssh", goes before any other.
func sshRule(vm vbox.VM) int {
	port := 0
	for _, f := range vm.Forwards {
		onLoopback := f.HostIP == "" || f.HostIP == "0.0.0.0" || vbox.Loopback(f.HostIP)
		if f.Proto == "tcp" && f.GuestPort == sshdPort && onLoopback && (port == 0 || f.Name == "ssh") {
			port = f.HostPort
		}
	}
	return port
}
