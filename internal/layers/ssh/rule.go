package ssh

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/access"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// ruleName is what docker-machine calls the NAT rule for SSH; at each start of the VM it
// puts its own rule in that one's place.
const ruleName = "ssh"

// rule looks for the NAT rule to sshd. Where VirtualBox cannot be asked nothing is known.
func (s *State) rule(ctx context.Context, w *target.Target) {
	if !w.Machine.VirtualBox() {
		return
	}
	vm, err := w.VM.Info(ctx)
	if err != nil {
		return
	}
	rule, found := virtualbox.SSHRule(vm)
	s.Rule, s.NoRule = rule.Name, !found
	for _, f := range vm.Forwards {
		if f.Proto == "tcp" && f.GuestPort == 22 && f.HostPort == 22 {
			s.RuleAtOwnPort = f.Name
		}
	}
}

// ruleMissing is what is wrong with the NAT rules.
func (s State) ruleMissing() string {
	if s.RuleAtOwnPort != "" {
		return "VirtualBox has no NAT rule for SSH but " + strconv.Quote(s.RuleAtOwnPort) + " at port 22, which is that of the laptop's own sshd"
	}
	return "VirtualBox has no NAT rule for SSH"
}

// forwardHint is the command that makes VirtualBox forward to sshd, or do so again where it
// does not listen for the rule that it has. A running VM goes on meanwhile.
func forwardHint(ctx context.Context, w *target.Target) string {
	if w.Machine.Unfinished {
		return w.CreateAgainHint()
	}
	vm, err := w.VM.Info(ctx)
	slot, attached := vm.NATSlot()
	if err != nil || !attached {
		return page("rule-missing")
	}
	var lines []string
	run := func(args []string) {
		lines = append(lines, shell.Command(append([]string{"VBoxManage"}, args...)...))
	}
	old, found := virtualbox.SSHRule(vm)
	for _, f := range vm.Forwards {
		if f.Name == ruleName && !found {
			old, found = f, true
		}
	}
	rule := vbox.Forward{Name: ruleName, Proto: "tcp", HostIP: "127.0.0.1", GuestPort: 22}
	if found {
		run(vbox.DeleteForward(vm, old.Slot, old.Name))
		rule.Name = old.Name
		vm.Forwards = slices.DeleteFunc(slices.Clone(vm.Forwards), func(f vbox.Forward) bool { return f == old })
	}
	ports, err := w.VirtualBox.Ports(ctx, vm, w.Network)
	if err != nil {
		return page("rule-missing")
	}
	// docker-machine knows the port of config.json.
	if rule.HostPort, err = ports.FirstUsable(ctx, cmp.Or(w.Machine.SSHPort, 50022)); err != nil || rule.HostPort == 0 {
		return page("rule-missing")
	}
	run(vbox.AddForward(vm, slot, rule))
	return strings.Join(lines, "\n")
}

// restartHint restarts the VM, which goes on without its sshd. docker-machine cannot start
// one with VirtualBox 7 on macOS, where there are no host-only adapters.
func restartHint(ctx context.Context, w *target.Target) string {
	if v, err := w.VirtualBox.Version(ctx); err != nil || w.Laptop.OS() == host.Darwin && v.AtLeast(7, 0, 0) {
		return ""
	}
	return w.DockerMachine("restart")
}

// sshHint is the beginning of a command line of docker-machine's that logs in as we did; ""
// where docker-machine would not: it goes to config.json's port of 127.0.0.1, and without
// one to port 22, the laptop's own sshd (docker/machine b170508b, libmachine/drivers/base.go).
func sshHint(w *target.Target, addresses []access.Address) string {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(w.Machine.SSHPort))
	if w.Machine.VirtualBox() && !slices.Contains(addresses, access.Address{Addr: addr, NAT: true}) {
		return ""
	}
	return w.DockerMachine("ssh")
}
