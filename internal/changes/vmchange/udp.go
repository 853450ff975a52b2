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

// followedUDP matches the names of the rules that ports follow adds while it runs.
var followedUDP = regexp.MustCompile(`^docker-vpn-helper-[0-9]{1,5}-udp$`)

// SyncUDP adds and removes NAT rules, so that the VM has one for each of the followed UDP ports in
// want and no others. failed says for a port why it has none; err is about all of them. The rules
// are recognized by their names. No journal records them: only one run at a time follows a machine,
// and it removes what an earlier one left.
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

// newUDPRules returns the rules that are missing. It records in failed which of them are not
// possible.
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
