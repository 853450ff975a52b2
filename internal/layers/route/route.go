// Package route is the layer that a VPN breaks, the laptop's side of the host-only network: its
// adapter, and the interface through which packets to the host-only address leave.
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

// State is what was found. Fields marked "not in quick mode" stay zero in it.
type State struct {
	// Applies means that there may be a host-only network: the machine is a VirtualBox VM with an
	// address, and is not known to be bridged.
	Applies bool `json:"applies"`
	// NoAddress means that config.json has no address, although the VM has a host-only network.
	NoAddress bool `json:"no_address,omitempty"`
	// NATAddress means that config.json has an address of VirtualBox's NAT, to which no route leads.
	// Not in quick mode.
	NATAddress bool `json:"nat_address,omitempty"`
	// NotTheVMs means that config.json's address is outside the adapter's network and the VM has
	// another one, so that the route to config.json's does not matter. Not in quick mode.
	NotTheVMs bool        `json:"not_the_vms,omitempty"`
	View      routes.View `json:"view"`
	// Client is the VPN client that owns the route, as far as it is known. It is looked up if
	// nothing answers, or in a diagnosis if a tunnel has the route; not in quick mode. No decision
	// depends on its name.
	Client routes.Client `json:"client"`
	// Silent means that the route is right but nothing answers behind it. Not in quick mode.
	Silent bool `json:"silent"`
	// Recorded means that docker works at the recorded endpoint. Only in a diagnosis.
	Recorded bool `json:"endpoint_recorded,omitempty"`
	// NATWorks means that docker works through the NAT rule although a VPN has the route.
	NATWorks bool `json:"nat_works,omitempty"`
	// Forbidden means that the route and the neighbor are right, but that macOS does not let this
	// program use the local network. App is the application to allow. Not in quick mode.
	Forbidden bool   `json:"local_network_denied,omitempty"`
	App       string `json:"app,omitempty"`

	OS string `json:"os"`
	// VMAdapter is the host-only adapter to which the VM is attached, looked up only if no interface
	// of the laptop matches it. Not in quick mode.
	VMAdapter string `json:"nic,omitempty"`
	// VMDown means that the VM is not running. Only a running VM brings its adapter up.
	VMDown bool `json:"vm_down"`
}

// Layer returns the layer for the engine. All its problems are warnings: the daemon layer decides
// whether docker works, and a NAT rule replaces a lost route.
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
		// A right route is healthy only if something answers behind it.
		if verdict == routes.OK && running(ctx, t) && !t.Endpoints.HostOnlyAnswers(ctx) {
			s.silent(ctx, t)
		}
	case t.Mode.IsQuick():
		return s, nil // the rest is too slow for quick mode
	case verdict == routes.Hijacked:
		s.Client = t.Network.VPN(ctx, view)
	case verdict == routes.OK && t.Endpoints.HostOnlySilent(ctx):
		// A VM that is off explains the silence. If its state is unknown, the route may be the cause.
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

// worksByNAT reports whether docker works through the NAT rule. A repair checks only the recorded
// endpoint.
func worksByNAT(ctx context.Context, t *target.Target) bool {
	e, ok := t.Endpoints.VerifiedRecord(ctx)
	if !ok && !t.Mode.IsRepair() && !t.Mode.IsQuick() {
		e = t.Endpoints.ForDocker(ctx)
	}
	return e.IsForwarded() && t.Endpoints.Verify(ctx, e) == nil
}

// silent records why nothing answers. If the docker host has another address now, the route is not
// to blame.
func (s *State) silent(ctx context.Context, t *target.Target) {
	if s.Forbidden = s.forbidden(ctx, t); s.Forbidden {
		s.App = t.Network.App(ctx)
		return
	}
	if s.Silent = !t.VM.AddressMoved(ctx); s.Silent {
		s.Client = t.Network.VPN(ctx, s.View)
	}
}

// forbidden reports whether macOS denies this program the local network.
func (s *State) forbidden(ctx context.Context, t *target.Target) bool {
	addr := net.JoinHostPort(t.HostOnlyAddr().String(), strconv.Itoa(t.Machine.DaemonPort()))
	return !s.View.NoNeighbor && t.Network.DeniesLocalNetwork(ctx, t.HostOnlyDestination(), addr)
}

// otherDriver checks machines of other drivers for the one problem of the laptop that no other
// layer detects.
func (s *State) otherDriver(ctx context.Context, t *target.Target) {
	if t.Machine.VirtualBox() || !t.HostOnlyAddr().IsValid() || t.Mode.IsQuick() || t.Mode.IsRepair() {
		return
	}
	if s.Forbidden = s.forbidden(ctx, t); s.Forbidden {
		s.View.Addr, s.App = t.HostOnlyAddr(), t.Network.App(ctx)
	}
}

// lookUpVMAdapter looks up the adapter to which the VM is attached. If the VM is off, that alone
// explains why its adapter is missing or down.
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

// running reports whether the VM is known to be running.
func running(ctx context.Context, t *target.Target) bool {
	up, err := t.VM.Running(ctx)
	return up && err == nil
}

func (s State) judge() routes.Judgement { return routes.Judge(s.View) }

// laptopAddr returns the laptop's own address in the host-only network. If it is not known, it is
// the network's first address, which docker-machine and VirtualBox use.
func (s State) laptopAddr() netip.Prefix {
	if p, ok := s.View.Laptop(); ok {
		return p
	}
	return netip.PrefixFrom(s.View.Net().Addr().Next(), s.View.Net().Bits())
}
