// Package forward is the layer that survives a VPN: the NAT rule from a loopback
// port of the laptop to dockerd's port in the VM.
package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/endpoint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/shell"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/vbox/installation"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/virtualbox"
)

// State is what was found.
type State struct {
	Applies bool           `json:"applies"`
	NoVM    bool           `json:"no_vm"`
	Running bool           `json:"running"`
	Guest   int            `json:"guest_port"` // dockerd's
	NoNAT   bool           `json:"no_nat"`
	Rules   []vbox.Forward `json:"rules,omitempty"` // rules that lead to dockerd, the adopted one first
	Open    []vbox.Forward `json:"open,omitempty"`  // of these, rules that listen on other addresses than loopback
	// TakenBy is who listens on the rule's port instead of VirtualBox; empty if nobody does.
	TakenBy string `json:"taken_by,omitempty"`
	// HostOnlyWorks reports that dockerd answers at the host-only address, without any rule.
	HostOnlyWorks bool `json:"host_only_works"`
	// NoPort reports that no port is left for a new rule; Demanded that the user demands one.
	NoPort   string           `json:"no_port,omitempty"`
	Demanded bool             `json:"-"`
	Plan     *changes.AddRule `json:"-"`

	FixHint  string `json:"-"`
	PortHint string `json:"-"`
	NATHint  string `json:"-"`
}

// Layer is the layer of the NAT rule. Where there can be none, a new certificate or a
// restart of dockerd would be in vain: a repair ends here.
func Layer() engine.Layer {
	return engine.Layer{Name: "forward", Needs: []string{"machine"}, Ground: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *target.Target) (engine.State, error) {
	s := State{Applies: w.Machine.VirtualBox(), Guest: w.Machine.DaemonPort(), Demanded: w.Port != 0, FixHint: w.Hint("fix")}
	if !s.Applies {
		return s, nil
	}
	vm, err := w.VM.Info(ctx)
	var vberr *vbox.Error
	if errors.As(err, &vberr) && vberr.Kind == vbox.NotFound {
		s.NoVM = true
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.Running = vm.State == vbox.Running
	slot, ok := vm.NATSlot()
	if !ok {
		s.NoNAT = true
		s.HostOnlyWorks = !s.Demanded && w.Endpoints.Ask(ctx, w.Endpoints.HostOnly()).Verified()
		s.NATHint = natHint(w, vm)
		return s, nil
	}
	s.Rules = w.VM.DaemonRules(vm)
	for _, r := range vm.Forwards {
		if r.Proto == "tcp" && r.GuestPort == s.Guest && !vbox.Loopback(r.HostIP) {
			s.Open = append(s.Open, r)
		}
	}
	if len(s.Rules) > 0 && s.Running {
		if s.TakenBy, err = takenBy(ctx, w, vm, s.Rules[0]); err != nil {
			return nil, err
		}
	}
	if len(s.Rules) > 0 && s.TakenBy == "" {
		return s, nil
	}
	s.HostOnlyWorks = !w.Mode.IsRepair() && w.Endpoints.Ask(ctx, w.Endpoints.HostOnly()).Verified()
	port, err := changes.ChoosePort(ctx, w, vm)
	var none *virtualbox.PortError
	if errors.As(err, &none) {
		s.NoPort, s.PortHint = none.Text, none.Hint
		return s, nil
	}
	if err != nil && ctx.Err() != nil && !w.Mode.IsRepair() {
		return s, nil // what is wrong is known; which port a rule would get, other VMs have not said in time
	}
	if err != nil {
		return nil, err
	}
	s.Plan = &changes.AddRule{VM: vm.Name, UUID: vm.UUID, Slot: slot, Port: port, Exact: w.Port != 0, Guest: s.Guest}
	for _, r := range vm.Forwards {
		if r.Name == virtualbox.RuleName && s.Plan.Old == nil {
			s.Plan.Old = &r
		}
	}
	return s, nil
}

// takenBy names who answers on the rule's port when it is not this VM. An
// answer with this machine's certificate settles it; else the listener's name
// does, for VirtualBox accepts a rule whose bind has failed.
func takenBy(ctx context.Context, w *target.Target, vm vbox.VM, rule vbox.Forward) (string, error) {
	answer := w.Endpoints.Ask(ctx, endpoint.Endpoint{Host: endpoint.Localhost, Port: rule.HostPort})
	if answer.Identity == endpoint.Mine {
		return "", nil
	}
	if answer.DialErr != nil {
		use, err := w.Laptop.PortUse(ctx, rule.HostPort)
		if err != nil || use == host.PortTaken {
			return "", err
		}
		return "nobody (VirtualBox has the rule and does not listen)", nil
	}
	if answer.Identity == endpoint.Other {
		if name := w.Endpoints.MachineBehind(ctx, answer); name != "" {
			return "machine " + name, nil
		}
	}
	listeners, err := w.Network.Listeners(ctx, rule.HostPort)
	if err != nil {
		return "", nil // who it is stays unknown; dockerd's rung says what it is not
	}
	for _, l := range reached(listeners) {
		switch {
		case l.Command == "": // not told to this user; VBoxHeadless is none's to look into where it is setuid root
		case installation.IsProcess(l.Command), hungUp(answer.TLSErr) && servesVM(ctx, w, vm, rule, l):
			return "", nil
		default:
			return fmt.Sprintf("%s (pid %d)", l.Command, l.PID), nil
		}
	}
	return "", nil
}

// reached are the listeners that get what is sent to 127.0.0.1: those on that
// address, else those on every one.
func reached(all []routes.Listener) []routes.Listener {
	here := slices.DeleteFunc(slices.Clone(all), func(l routes.Listener) bool {
		a := l.Addr.Addr().Unmap()
		return !a.Is4() || !a.IsLoopback()
	})
	if len(here) > 0 {
		return here
	}
	return slices.DeleteFunc(slices.Clone(all), func(l routes.Listener) bool { return !l.Addr.Addr().IsUnspecified() })
}

// hungUp reports whether the connection ended without a word, as one through NAT does to
// a guest that refuses it.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)
}

// servesVM reports whether a listener also listens for another rule of the VM: it is what
// runs the VM then, by whatever name.
func servesVM(ctx context.Context, w *target.Target, vm vbox.VM, rule vbox.Forward, l routes.Listener) bool {
	for _, f := range vm.Forwards {
		if f.Proto != "tcp" || f.HostPort == rule.HostPort {
			continue
		}
		listeners, err := w.Network.Listeners(ctx, f.HostPort)
		if err == nil && slices.ContainsFunc(reached(listeners), func(o routes.Listener) bool { return o.PID == l.PID || o.Command == l.Command }) {
			return true
		}
	}
	return false
}

// natHint attaches a network adapter of the VM to NAT: the first, which docker-machine takes
// for that, unless it has another use. VirtualBox does so only while the VM is off.
func natHint(w *target.Target, vm vbox.VM) string {
	used := map[int]bool{}
	for _, n := range vm.NICs {
		used[n.Slot] = n.Attachment == "hostonly" || n.Attachment == "hostonlynetwork"
	}
	slot := 1
	for used[slot] {
		slot++
	}
	commands := []string{shell.Command(append([]string{"VBoxManage"}, vbox.UseNAT(vm.Name, slot)...)...), w.Hint("fix")}
	if vm.State.Live() {
		commands = append([]string{w.DockerMachine("stop")}, commands...)
	}
	return strings.Join(commands, " && ")
}

// untilVPN is what a missing NAT rule means where docker works without one.
const untilVPN = ": dockerd answers at the host-only address, until a VPN takes it away"

func (s State) Findings() []engine.Finding {
	switch {
	case !s.Applies:
		return []engine.Finding{{Code: "forward.ok", Status: engine.OK, Title: "a NAT rule does not apply to this driver"}}
	case s.NoVM:
		return nil
	case s.NoNAT:
		f := engine.Finding{Code: "forward.nat-missing", Status: engine.Fail, Hint: s.NATHint, Demanded: s.Demanded,
			Title: "no network adapter of the VM is attached to NAT, so no port can be forwarded"}
		if s.HostOnlyWorks {
			f.Status = engine.Warn
			f.Title += untilVPN
		}
		return []engine.Finding{f}
	}
	var out []engine.Finding
	for _, r := range s.Open {
		at := r.HostIP
		if at == "" || at == "0.0.0.0" {
			at = "every address of the laptop"
		}
		out = append(out, engine.Finding{Code: "forward.open-to-network", Status: engine.Warn,
			Title: fmt.Sprintf("NAT rule %s listens on %s, port %d: others in the network reach dockerd's port", r.Name, at, r.HostPort)})
	}
	switch {
	case s.NoPort != "":
		out = append(out, engine.Finding{Code: "forward.port-taken", Status: engine.Fail, Title: s.NoPort, Hint: s.PortHint, Demanded: s.Demanded})
	case len(s.Rules) == 0:
		f := engine.Finding{Code: "forward.rule-missing", Status: engine.Fail,
			Title: fmt.Sprintf("no NAT rule for guest port %d", s.Guest), Hint: s.FixHint}
		if len(s.Open) > 0 {
			f.Title += " on 127.0.0.1 alone"
		}
		if s.HostOnlyWorks {
			f.Status = engine.Warn
			f.Title += untilVPN
		}
		out = append(out, f)
	case s.TakenBy != "":
		out = append(out, engine.Finding{Code: "forward.port-taken", Status: engine.Fail,
			Title: fmt.Sprintf("NAT rule %s wants 127.0.0.1:%d, which belongs to %s", s.Rules[0].Name, s.Rules[0].HostPort, s.TakenBy),
			Hint:  s.FixHint})
	default:
		out = append(out, engine.Finding{Code: "forward.ok", Status: engine.OK,
			Title: fmt.Sprintf("NAT rule %s: 127.0.0.1:%d -> guest %d", s.Rules[0].Name, s.Rules[0].HostPort, s.Rules[0].GuestPort)})
	}
	return out
}

func (s State) BlockedBy() string {
	if s.NoVM {
		return "machine"
	}
	return ""
}

func (s State) Changes() []engine.Change {
	if s.Plan == nil {
		return nil
	}
	return []engine.Change{s.Plan}
}
