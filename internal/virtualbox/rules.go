package virtualbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// RuleName is the name of our NAT rule.
const RuleName = "docker-vpn-helper"

// DaemonRules are those NAT rules of the VM that lead from a port of 127.0.0.1 to dockerd, ours
// first. A rule without a host IP listens on every address. One on another loopback address is
// none: docker is given localhost.
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

// sshdPort is where sshd listens, in a VM and on a laptop.
const sshdPort = 22

// SSHRule is the NAT rule through which the laptop reaches a VM's sshd: the one that
// docker-machine makes, "ssh", rather than another. One at the laptop's port 22 is none:
// VirtualBox accepts it and cannot listen where the laptop's own sshd does.
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

// AddRule adds a NAT rule to the NIC in slot. vm is as it was last known; it is updated
// where the VM has been started or stopped since.
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

// changeRules runs args, which are others for a VM that runs than for one that does not.
// They are made anew where the VM's state turns out to have changed.
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

// ChangeRules removes rules of the NIC in slot by their names, and adds others. On a VM that
// does not run it is all or nothing. What is so already is left as it is, so that it may be
// called again after a failure. vm is as in AddRule.
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
		// It has been started or stopped since.
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
