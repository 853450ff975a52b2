package ssh

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/dockermachine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// ruleName is docker-machine's name for the NAT rule to sshd. It replaces the rule of that name at
// each start of the VM.
const ruleName = "ssh"

// rule looks up the NAT rule to sshd. If VirtualBox cannot be asked, nothing is recorded.
func (s *State) rule(ctx context.Context, t *target.Target) {
	if !t.Machine.VirtualBox() {
		return
	}
	vm, err := t.VM.Info(ctx)
	if err != nil {
		return
	}
	rule, found := virtualbox.SSHRule(vm)
	s.VM, s.Rule, s.NoRule = vm, rule.Name, !found
	for _, f := range vm.Forwards {
		if f.Proto == "tcp" && f.GuestPort == 22 && f.HostPort == 22 {
			s.RuleAtOwnPort = f.Name
		}
	}
}

// ruleMissing describes what is wrong with the NAT rules.
func (s State) ruleMissing() string {
	if s.RuleAtOwnPort != "" {
		return "VirtualBox has no NAT rule for SSH but " + strconv.Quote(s.RuleAtOwnPort) + " at port 22, which is that of the laptop's own sshd"
	}
	return "VirtualBox has no NAT rule for SSH"
}

// forwarding finds out how a NAT rule to sshd can be added.
func (s *State) forwarding(ctx context.Context, t *target.Target) {
	if s.CreateUnfinished {
		s.DockerMachine = dockermachine.Found(t.Laptop)
		return
	}
	vm := s.VM
	if old, found := oldRule(vm); found {
		vm.Forwards = slices.DeleteFunc(slices.Clone(vm.Forwards), func(f vbox.Forward) bool { return f == old })
	}
	ports, err := t.VirtualBox.FindPorts(ctx, vm, t.Network)
	if err != nil {
		return
	}
	// Prefer config.json's port, which docker-machine uses.
	s.FreePort, err = ports.FirstUsable(ctx, cmp.Or(t.Machine.SSHPort, 50022))
	if err != nil {
		s.FreePort = 0
	}
}

// oldRule returns the rule that a new one replaces.
func oldRule(vm vbox.VM) (old vbox.Forward, found bool) {
	old, found = virtualbox.SSHRule(vm)
	for _, f := range vm.Forwards {
		if f.Name == ruleName && !found {
			return f, true
		}
	}
	return old, found
}

// forward makes VirtualBox forward a port to sshd, or listen again for the rule that it has. The VM
// keeps running.
func (s State) forward(otherwise hint.Hint) hint.Hint {
	if s.CreateUnfinished {
		return hint.CreateAgain(s.DockerMachine)
	}
	slot, attached := s.VM.NATSlot()
	if !attached || s.FreePort == 0 {
		return otherwise
	}
	var next hint.Hint
	rule := vbox.Forward{Name: ruleName, Proto: "tcp", HostIP: host.Loopback, HostPort: s.FreePort, GuestPort: 22}
	if old, found := oldRule(s.VM); found {
		rule.Name = old.Name
		next = hint.VBoxManage(vbox.DeleteForward(s.VM, old.Slot, old.Name)...)
	}
	return next.Then("", hint.VBoxManage(vbox.AddForward(s.VM, slot, rule)...))
}

// restartable reports whether docker-machine can restart the VM. With VirtualBox 7 on macOS, which
// has no host-only adapters, it cannot start one.
func restartable(ctx context.Context, t *target.Target) bool {
	v, err := t.VirtualBox.Version(ctx)
	return err == nil && !(t.Laptop.OS() == host.Darwin && v.AtLeast(7, 0, 0))
}

// viaDockerMachine reports whether "docker-machine ssh" logs in at one of the addresses. It uses
// config.json's port on 127.0.0.1, or without one port 22, the laptop's own sshd (docker/machine
// b170508b, libmachine/drivers/base.go).
func viaDockerMachine(t *target.Target, addresses []access.Address) bool {
	addr := net.JoinHostPort(host.Loopback, strconv.Itoa(t.Machine.SSHPort))
	return !t.Machine.VirtualBox() || slices.Contains(addresses, access.Address{Addr: addr, NAT: true})
}
