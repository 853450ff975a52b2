// Package route is the layer that a VPN takes out, the laptop's side of the host-only
// network: its adapter, and which interface a packet to the host-only address would leave by.
package route

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// State is what was found.
type State struct {
	// Applies reports that there may be a host-only network: the VM is VirtualBox's, has an
	// address, and is not known to be bridged.
	Applies bool `json:"applies"`
	// NoAddress reports that config.json has no address of a VM that has a host-only network.
	NoAddress bool `json:"no_address,omitempty"`
	// NATAddress reports that config.json has an address of VirtualBox's NAT, to which no
	// route leads. Quick does not ask.
	NATAddress bool `json:"nat_address,omitempty"`
	// NotTheVMs reports that the VM has another address than config.json's, which is of no
	// network of the laptop's adapter: the way to it matters to nothing. Quick does not ask.
	NotTheVMs bool        `json:"not_the_vms,omitempty"`
	View      routes.View `json:"view"`
	// Client is the VPN client that owns the route, where it can be known: asked where nothing
	// answers, and in a diagnosis where a tunnel has the route. Quick does not ask. Nothing is
	// decided by its name.
	Client routes.Client `json:"client"`
	// Silent reports that the route is right and nothing answers behind it. Quick does not ask.
	Silent bool `json:"silent"`
	// Recorded reports that docker works by the recorded endpoint. Only a diagnosis asks.
	Recorded bool `json:"endpoint_recorded,omitempty"`
	// NATWorks reports that docker works through the NAT rule all the same.
	NATWorks bool `json:"nat_works,omitempty"`
	// Forbidden reports that the route and the neighbor are right, and that macOS does not let
	// this program use the local network; App is the application to allow. Quick does not ask.
	Forbidden bool   `json:"local_network_denied,omitempty"`
	App       string `json:"app,omitempty"`

	OS string `json:"os"`
	// VMAdapter is the host-only adapter that the VM is attached to, asked only where
	// no interface of the laptop stands for it. Quick does not ask.
	VMAdapter string `json:"nic,omitempty"`
	// VMDown reports that the VM, which brings its adapter up, does not run.
	VMDown bool `json:"vm_down"`
}

// Layer describes it to the engine. Each of its faults is a warning: whether docker works is the
// layer daemon's to say, and the NAT rule is the cure of a lost route.
func Layer() engine.Layer {
	return engine.Layer{Name: "route", Needs: []string{"machine"}, Local: true, LaptopOnly: true, Optional: true, Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	s := State{Applies: t.Machine.VirtualBox() && t.HostOnlyAddr().IsValid(), OS: t.Laptop.OS()}
	if !s.Applies {
		s.NoAddress = t.Machine.VirtualBox()
		s.otherDriver(ctx, t)
		return s, nil
	}
	if !t.Mode.IsQuick() { // which must not ask VirtualBox
		s.Applies = !t.VM.Bridged(ctx)
		s.NATAddress = s.Applies && t.VM.NATAddress(ctx)
	}
	if !s.Applies || s.NATAddress {
		return s, nil
	}
	view, err := t.Network.Route(ctx, t.HostOnlyDestination())
	if err != nil {
		return nil, err
	}
	s.View = view
	if !t.Mode.IsQuick() && !t.Mode.IsRepair() {
		_, s.Recorded = t.Endpoints.VerifiedRecord(ctx)
	}
	verdict := s.judge().Verdict
	s.NATWorks = verdict == routes.Hijacked && worksByNAT(ctx, t)
	switch {
	case t.Mode.IsRepair():
		// A route that is right is healthy only if something answers behind it.
		if verdict == routes.OK && running(ctx, t) && !t.Endpoints.HostOnlyAnswers(ctx) {
			s.silent(ctx, t)
		}
	case t.Mode.IsQuick():
		return s, nil // the rest costs time
	case verdict == routes.Hijacked:
		s.Client = t.Network.VPN(ctx, view)
	case verdict == routes.OK && t.Endpoints.HostOnlySilent(ctx):
		// A VM that is off explains the silence. Where its state is unknown, the route may be at fault.
		if up, err := t.VM.Running(ctx); err == nil && !up {
			s.VMDown = true
		} else {
			s.silent(ctx, t)
		}
	}
	switch verdict {
	case routes.NoAdapter, routes.InterfaceDown:
		s.lookUpVMAdapter(ctx, t)
	case routes.Outside:
		s.NotTheVMs = t.VM.AddressMoved(ctx)
	}
	return s, nil
}

// worksByNAT reports whether docker works through the NAT rule. A repair asks only the
// endpoint that it has recorded.
func worksByNAT(ctx context.Context, t *target.Target) bool {
	e, ok := t.Endpoints.VerifiedRecord(ctx)
	if !ok && !t.Mode.IsRepair() && !t.Mode.IsQuick() {
		e = t.Endpoints.ForDocker(ctx)
	}
	return e.IsForwarded() && t.Endpoints.Verify(ctx, e) == nil
}

// silent looks at why nothing answers. A docker host that has another address
// now cannot, whatever the route is like.
func (s *State) silent(ctx context.Context, t *target.Target) {
	if s.Forbidden = s.forbidden(ctx, t); s.Forbidden {
		s.App = t.Network.App(ctx)
		return
	}
	if s.Silent = !t.VM.AddressMoved(ctx); s.Silent {
		s.Client = t.Network.VPN(ctx, s.View)
	}
}

// forbidden reports whether macOS keeps this program from the local network.
func (s *State) forbidden(ctx context.Context, t *target.Target) bool {
	addr := net.JoinHostPort(t.HostOnlyAddr().String(), strconv.Itoa(t.Machine.DaemonPort()))
	return !s.View.NoNeighbor && t.Network.DeniesLocalNetwork(ctx, t.HostOnlyDestination(), addr)
}

// otherDriver looks for the one fault of the laptop that cuts off a machine of another driver
// and that no other layer can tell.
func (s *State) otherDriver(ctx context.Context, t *target.Target) {
	if t.Machine.VirtualBox() || !t.HostOnlyAddr().IsValid() || t.Mode.IsQuick() || t.Mode.IsRepair() {
		return
	}
	if s.Forbidden = s.forbidden(ctx, t); s.Forbidden {
		s.View.Addr, s.App = t.HostOnlyAddr(), t.Network.App(ctx)
	}
}

// lookUpVMAdapter asks for the adapter that the VM is attached to. While the VM is off its adapter
// need not be there, nor be up: VMDown is the reason then.
func (s *State) lookUpVMAdapter(ctx context.Context, t *target.Target) {
	if s.VMDown = !running(ctx, t); s.VMDown {
		return
	}
	s.VMAdapter = t.VM.HostOnlyAdapter(ctx)
}

func (s State) SkippedBecause() string {
	switch {
	case s.NATAddress:
		return "config.json has the address of VirtualBox's NAT"
	case s.NotTheVMs:
		return "config.json has an address that the VM does not have"
	}
	return ""
}

func (s State) BlockedBy() string {
	if s.VMDown {
		return "machine"
	}
	return ""
}

// running reports whether the VM is known to run.
func running(ctx context.Context, t *target.Target) bool {
	up, err := t.VM.Running(ctx)
	return up && err == nil
}

func (s State) judge() routes.Judgement { return routes.Judge(s.View) }

// laptopAddr is the laptop's own address in the host-only network. Where it is not known it is
// the network's first one, which docker-machine and VirtualBox take.
func (s State) laptopAddr() netip.Prefix {
	if p, ok := s.View.Laptop(); ok {
		return p
	}
	return netip.PrefixFrom(s.View.Net().Addr().Next(), s.View.Net().Bits())
}
