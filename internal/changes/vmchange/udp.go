package vmchange

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
)

// followedUDP are the names of the rules that ports follow makes for as long as it runs.
var followedUDP = regexp.MustCompile(`^docker-vpn-helper-[0-9]{1,5}-udp$`)

// SyncUDP makes the VM's NAT rules for followed UDP ports those of the given ports, and
// returns for each port why it could not have one; an error is about all of them. The rules are known by their names, and
// no journal has them: only one run at a time follows a machine, and it removes what
// another has left.
func SyncUDP(ctx context.Context, t *target.Target, want []int) (failed map[int]error, err error) {
	unlock, err := lockPorts(ctx, t)
	if err != nil {
		return nil, err
	}
	defer unlock()
	t.VM.Forget()
	vm, err := t.VM.Info(ctx)
	if err != nil {
		return nil, err
	}
	slot, ok := vm.NATSlot()
	if !ok {
		return nil, errors.New("no network adapter of the VM is attached to NAT")
	}
	var remove []string
	have := map[int]bool{}
	for _, f := range vm.Forwards {
		switch {
		case !followedUDP.MatchString(f.Name):
		case f == udpRule(slot, f.HostPort) && slices.Contains(want, f.HostPort):
			have[f.HostPort] = true
		default:
			remove = append(remove, f.Name)
		}
	}
	failed = map[int]error{}
	add, err := newUDPRules(ctx, t, vm, slot, want, have, failed)
	if err != nil {
		return nil, err
	}
	return failed, t.VirtualBox.ChangeRules(ctx, &vm, slot, remove, add)
}

// newUDPRules are the rules that are missing. What cannot be is in failed.
func newUDPRules(ctx context.Context, t *target.Target, vm vbox.VM, slot int, want []int, have map[int]bool, failed map[int]error) (add []vbox.Forward, err error) {
	missing := slices.DeleteFunc(slices.Clone(want), func(port int) bool { return have[port] })
	if len(missing) == 0 {
		return nil, nil
	}
	finder, err := t.VirtualBox.FindPorts(ctx, vm, t.Network)
	if err != nil {
		return nil, err
	}
	for _, port := range missing {
		rule := udpRule(slot, port)
		stale := slices.ContainsFunc(vm.Forwards, func(f vbox.Forward) bool { return f.Name == rule.Name })
		if err := finder.Check(ctx, rule.Proto, port); err != nil && !stale {
			failed[port] = err
			continue
		}
		add = append(add, rule)
	}
	return add, nil
}

func udpRule(slot, port int) vbox.Forward {
	return vbox.Forward{Slot: slot, Name: fmt.Sprintf("docker-vpn-helper-%d-udp", port), Proto: "udp", HostIP: "127.0.0.1", HostPort: port, GuestPort: port}
}
