package virtualbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// RuleName is the name of our NAT rule to dockerd.
const RuleName = "docker-vpn-helper"

// DaemonRules returns the VM's NAT rules from a port of 127.0.0.1 to dockerd, ours first. A rule
// without a host IP listens on all addresses. Rules on other loopback addresses do not count,
// because docker is given the name localhost.
func (m *Machine) DaemonRules(vm vbox.VM) []vbox.Forward {
	var rules []vbox.Forward
	for _, f := range vm.Forwards {
		if f.Proto == "tcp" && f.GuestPort == m.entry.DaemonPort() && f.HostPort != 0 && slices.Contains([]string{"", host.Loopback, "localhost"}, f.HostIP) {
			rules = append(rules, f)
		}
	}
	rank := func(f vbox.Forward) int {
		if f.Name == RuleName {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(rules, func(a, b vbox.Forward) int { return rank(a) - rank(b) })
	return rules
}

// sshdPort is sshd's port, in the VM and on the laptop.
const sshdPort = 22

// SSHRule returns the NAT rule through which the laptop reaches a VM's sshd, preferably
// docker-machine's, which is named "ssh". A rule for the laptop's port 22 does not count:
// VirtualBox accepts it, but cannot listen where the laptop's own sshd does.
func SSHRule(vm vbox.VM) (rule vbox.Forward, ok bool) {
	for _, f := range vm.Forwards {
		here := f.HostIP == "" || f.HostIP == "0.0.0.0" || vbox.Loopback(f.HostIP)
		if f.Proto != "tcp" || f.GuestPort != sshdPort || !here || f.HostPort == 0 || f.HostPort == sshdPort {
			continue
		}
		if !ok || f.Name == "ssh" {
			rule, ok = f, true
		}
	}
	return rule, ok
}

// AddRule adds a NAT rule to the NIC in slot. vm is what is known about the VM; it is updated if
// the VM has been started or stopped since.
func (v *Manager) AddRule(ctx context.Context, vm *vbox.VM, slot int, rule vbox.Forward) error {
	err := v.changeRules(ctx, vm, func() []string { return vbox.AddForward(*vm, slot, rule) })
	if err != nil {
		return fmt.Errorf("adding NAT rule %s: %w", rule.Name, err)
	}
	return nil
}

// DeleteRule removes a NAT rule from the NIC in slot. vm is as in AddRule.
func (v *Manager) DeleteRule(ctx context.Context, vm *vbox.VM, slot int, name string) error {
	err := v.changeRules(ctx, vm, func() []string { return vbox.DeleteForward(*vm, slot, name) })
	if err != nil {
		return fmt.Errorf("removing NAT rule %s: %w", name, err)
	}
	return nil
}

// changeRules runs VBoxManage with args(). The arguments depend on whether vm is running. If that
// has changed, it updates vm and tries again.
func (v *Manager) changeRules(ctx context.Context, vm *vbox.VM, args func() []string) error {
	_, err := v.Run(ctx, args())
	if kind := vbox.KindOf(err); kind != vbox.Locked && kind != vbox.NotRunning {
		return err
	}
	now, lookErr := v.LookUpRef(ctx, vbox.VMRef{Name: vm.Name, UUID: vm.UUID})
	if lookErr != nil || now.State.Live() == vm.State.Live() {
		return err
	}
	*vm = now
	_, err = v.Run(ctx, args())
	return err
}

// ChangeRules removes rules by name from the NIC in slot and adds others. If the VM is off, it
// makes all changes or none. It skips changes that are already made, so it may be called again
// after a failure. vm is as in AddRule.
func (v *Manager) ChangeRules(ctx context.Context, vm *vbox.VM, slot int, remove []string, add []vbox.Forward) error {
	has := func(name string) bool {
		return slices.ContainsFunc(vm.Forwards, func(f vbox.Forward) bool { return f.Name == name })
	}
	for again := false; ; again = true {
		gone := slices.DeleteFunc(slices.Clone(remove), func(name string) bool { return !has(name) })
		missing := slices.DeleteFunc(slices.Clone(add), func(f vbox.Forward) bool { return has(f.Name) && !slices.Contains(gone, f.Name) })
		err := v.runAll(ctx, vbox.ChangeForwards(*vm, slot, gone, missing))
		if kind := vbox.KindOf(err); again || kind != vbox.Locked && kind != vbox.NotRunning {
			return err
		}
		// The VM has been started or stopped since.
		now, lookErr := v.LookUpRef(ctx, vbox.VMRef{Name: vm.Name, UUID: vm.UUID})
		if lookErr != nil {
			return err
		}
		*vm = now
	}
}

func (v *Manager) runAll(ctx context.Context, commands [][]string) error {
	for _, args := range commands {
		if _, err := v.Run(ctx, args); err != nil {
			return fmt.Errorf("changing NAT rules: %w", err)
		}
	}
	return nil
}
