// Package forward is the layer that survives a VPN: the NAT rule from a port on the laptop's
// loopback address to dockerd's port in the VM.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// State is what was found.
type State struct {
	Applies   bool           `json:"applies"`
	NoVM      bool           `json:"no_vm"`
	Running   bool           `json:"running"`
	GuestPort int            `json:"guest_port"` // dockerd's
	NoNAT     bool           `json:"no_nat"`
	VMLive    bool           `json:"live"`            // the VM has a process: an adapter can be attached only after it is stopped
	VMSaved   bool           `json:"saved,omitempty"` // its saved state includes the adapters, so they cannot be changed
	Rules     []vbox.Forward `json:"rules,omitempty"` // rules that lead to dockerd, the one in use first
	Open      []vbox.Forward `json:"open,omitempty"`  // rules to dockerd that the network can use; one on all addresses is in Rules, too
	// TakenBy names what listens on the rule's port instead of VirtualBox; "" if nothing does.
	TakenBy string `json:"taken_by,omitempty"`
	// HostOnlyWorks means that dockerd answers at the host-only address, without any rule.
	HostOnlyWorks bool `json:"host_only_works"`

	// If a rule must be added: the VM, its NAT adapter, the port for the rule, and the rule that it
	// replaces. Demanded means that the user chose the port.
	VM       string        `json:"vm,omitempty"`
	UUID     string        `json:"uuid,omitempty"`
	Slot     int           `json:"slot,omitempty"`
	Port     int           `json:"port,omitempty"`
	Demanded bool          `json:"port_demanded,omitempty"`
	Old      *vbox.Forward `json:"old_rule,omitempty"`
	// NoPort is why no port is usable, or ""; NextPort is one that --port could request, or 0.
	NoPort   string `json:"no_port,omitempty"`
	NextPort int    `json:"next_port,omitempty"`
}

// Layer returns the layer for the engine. Without a NAT rule, a new certificate or a restart of
// dockerd would be useless, so a repair ends here.
func Layer() engine.Layer {
	return engine.Layer{Name: "forward", Needs: []string{"machine"}, Foundation: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{Applies: t.Machine.VirtualBox(), GuestPort: t.Machine.DaemonPort(), Demanded: t.RulePort != 0}
	if !s.Applies {
		return s, nil
	}
	vm, err := t.VM.Info(ctx)
	if vbox.KindOf(err) == vbox.NotFound {
		s.NoVM = true
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.VM, s.UUID, s.Running = vm.Name, vm.UUID, vm.State == vbox.Running
	slot, ok := vm.NATSlot()
	if s.Slot, s.NoNAT = slot, !ok; s.NoNAT {
		s.Slot, s.VMLive, s.VMSaved = slotForNAT(vm), vm.State.Live(), vm.State.HasSavedState()
		s.HostOnlyWorks = !s.Demanded && t.Endpoints.Ask(ctx, t.Endpoints.HostOnly()).Verified()
		return s, nil
	}
	s.Rules = t.VM.DaemonRules(vm)
	for _, r := range vm.Forwards {
		if r.Proto == "tcp" && r.GuestPort == s.GuestPort && !vbox.Loopback(r.HostIP) {
			s.Open = append(s.Open, r)
		}
		if r.Name == virtualbox.RuleName && s.Old == nil {
			s.Old = &r
		}
	}
	if len(s.Rules) > 0 && s.Running {
		if s.TakenBy, err = takenBy(ctx, t, vm, s.Rules[0]); err != nil {
			return nil, err
		}
	}
	if len(s.Rules) > 0 && s.TakenBy == "" {
		return s, nil
	}
	s.HostOnlyWorks = !t.Mode.IsRepair() && t.Endpoints.Ask(ctx, t.Endpoints.HostOnly()).Verified()
	err = s.choosePort(ctx, t)
	if err != nil && ctx.Err() != nil && !t.Mode.IsRepair() {
		err = nil // report the missing rule, even though its port was not found in time
	}
	return s, err
}

// choosePort finds the port for a rule that must be added.
func (s *State) choosePort(ctx context.Context, t *target.Target) (err error) {
	s.Port, err = t.VM.RulePort(ctx, t.RulePort, t.Network)
	var none *virtualbox.PortError
	if errors.As(err, &none) {
		s.NoPort, s.NextPort = none.Text, none.Next
		return nil
	}
	return err
}

// takenBy names what answers on the rule's port instead of this VM, or returns "". VirtualBox
// accepts rules whose bind fails, so the certificate decides; without one, the listener's name
// does.
func takenBy(ctx context.Context, t *target.Target, vm vbox.VM, rule vbox.Forward) (string, error) {
	answer := t.Endpoints.Ask(ctx, endpoint.Forwarded(rule.HostPort))
	if answer.Identity == endpoint.Mine {
		return "", nil
	}
	if answer.DialErr != nil {
		use, err := t.Laptop.PortUse(ctx, rule.HostPort)
		if err != nil || use == host.PortTaken {
			return "", err
		}
		return "no program (VirtualBox has the rule and does not listen)", nil
	}
	if answer.Identity == endpoint.Other {
		if name := t.Endpoints.MachineBehind(ctx, answer); name != "" {
			return "machine " + name, nil
		}
	}
	listeners, err := t.Network.Listeners(ctx, rule.HostPort)
	if err != nil {
		return "", nil // the program stays unknown; the daemon layer finds out whether it is dockerd
	}
	for _, l := range reached(listeners) {
		switch {
		case l.Command == "": // hidden from this user: VBoxHeadless may be setuid root
		case installation.IsProcess(l.Command), hungUp(answer.TLSErr) && servesVM(ctx, t, vm, rule, l):
			return "", nil
		default:
			return fmt.Sprintf("%s (pid %d)", l.Command, l.PID), nil
		}
	}
	return "", nil
}

// reached returns the listeners that receive connections to 127.0.0.1: those on that very address,
// or if there are none, those on all addresses.
func reached(all []routes.Listener) []routes.Listener {
	here := slices.DeleteFunc(slices.Clone(all), func(l routes.Listener) bool {
		return l.Addr.Addr().Unmap().String() != host.Loopback
	})
	if len(here) > 0 {
		return here
	}
	return slices.DeleteFunc(slices.Clone(all), func(l routes.Listener) bool { return !l.Addr.Addr().IsUnspecified() })
}

// hungUp reports whether the connection ended without any answer. Through NAT, that is how it looks
// when the guest refuses it.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// servesVM reports whether a listener also listens for another rule of the VM. Then it runs the VM,
// whatever its name is.
func servesVM(ctx context.Context, t *target.Target, vm vbox.VM, rule vbox.Forward, l routes.Listener) bool {
	for _, f := range vm.Forwards {
		if f.Proto != "tcp" || f.HostPort == rule.HostPort {
			continue
		}
		listeners, err := t.Network.Listeners(ctx, f.HostPort)
		if err == nil && slices.ContainsFunc(reached(listeners), func(o routes.Listener) bool { return o.PID == l.PID || o.Command == l.Command }) {
			return true
		}
	}
	return false
}

// slotForNAT returns the slot of the network adapter to attach to NAT: the first, as docker-machine
// does, unless the laptop reaches the VM through it, which may be a bridged one.
func slotForNAT(vm vbox.VM) int {
	used := map[int]bool{}
	_, hostOnly := vm.HostOnlyNIC()
	for _, n := range vm.NICs {
		used[n.Slot] = n.Attachment == "hostonly" || n.Attachment == "hostonlynetwork" || n.Attachment == "bridged" && !hostOnly
	}
	slot := 1
	for used[slot] {
		slot++
	}
	return slot
}
