// Package route is the layer that a VPN takes out: which interface a packet to
// the host-only address would leave by.
package route

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// State is what was found.
type State struct {
	Applies bool `json:"applies"`
	// NoAddress reports that config.json has no address of a VM that has a host-only network.
	NoAddress bool `json:"no_address,omitempty"`
	// NATAddress reports that config.json has an address of VirtualBox's NAT, to which no
	// route leads.
	NATAddress bool        `json:"nat_address,omitempty"`
	View       routes.View `json:"view"`
	// Client is the VPN client that owns the route, where it can be known. It is
	// advice only; nothing is decided by it.
	Client routes.Client `json:"client"`
	// Silent reports that the route is right and nothing answers behind it.
	Silent bool `json:"silent"`
	// Forbidden reports that the route and the neighbor are right, and that macOS does not
	// let this program use the local network; App is the application to allow.
	Forbidden bool   `json:"local_network_denied,omitempty"`
	App       string `json:"app,omitempty"`

	OS string `json:"os"`
	// NIC is the host-only adapter that the VM is attached to, asked only where
	// no interface of the laptop stands for it.
	NIC string `json:"nic,omitempty"`
	// VMDown reports that the VM, which brings its adapter up, does not run.
	VMDown bool `json:"vm_down"`
}

// outsidePage explains an address that no route of the laptop leads to.
var outsidePage = hint.Explain("route.address-outside")

// Layer describes it to the engine. Where the NAT rule carries the traffic a lost route is
// only a warning: the rule is the cure.
func Layer() engine.Layer {
	return engine.Layer{Name: "route", Needs: []string{"machine"}, Local: true, LaptopOnly: true, Optional: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *target.Target) (engine.State, error) {
	s := State{Applies: w.Machine.VirtualBox() && w.HostOnly().IsValid(), OS: w.Laptop.OS()}
	if !s.Applies {
		s.NoAddress = w.Machine.VirtualBox()
		return s, nil
	}
	if s.Applies = w.Mode.IsQuick() || !w.VM.Bridged(ctx); !s.Applies {
		return s, nil
	}
	if s.NATAddress = !w.Mode.IsQuick() && w.VM.NATAddress(ctx); s.NATAddress {
		return s, nil
	}
	view, err := w.Network.Route(ctx, w.HostOnlyNet())
	if err != nil {
		return nil, err
	}
	s.View = view
	verdict := s.judge().Verdict
	switch {
	case w.Mode.IsRepair():
		// A route that is right is verified by an answer; a tunnel's name is advice.
		if verdict == routes.OK && running(ctx, w) && !w.Endpoints.HostOnlyAnswers(ctx) {
			s.silent(ctx, w)
		}
	case w.Mode.IsQuick():
		return s, nil // the rest costs time
	case verdict == routes.Hijacked:
		s.Client = w.Network.VPN(ctx, view)
	case verdict == routes.OK && w.Endpoints.HostOnlySilent(ctx):
		// Nobody answers from a VM that is off. Where that cannot be asked, the silence stands.
		if up, err := w.VM.Running(ctx); err == nil && !up {
			s.VMDown = true
		} else {
			s.silent(ctx, w)
		}
	}
	if verdict == routes.NoAdapter || verdict == routes.InterfaceDown {
		s.adapter(ctx, w)
	}
	return s, nil
}

// silent looks at why nothing answers. A docker host that has another address
// now cannot, whatever the route is like.
func (s *State) silent(ctx context.Context, w *target.Target) {
	if s.Forbidden = s.forbidden(ctx, w); s.Forbidden {
		s.App = w.Network.App(ctx)
		return
	}
	if s.Silent = w.Mode.IsQuick() || !w.VM.AddressMoved(ctx); s.Silent {
		s.Client = w.Network.VPN(ctx, s.View)
	}
}

// forbidden reports whether macOS keeps this program from the local network. A VPN may
// refuse packets in the same way, and a neighbor that does not answer must not be taken
// for it, also where the kernel has found that out only now.
func (s *State) forbidden(ctx context.Context, w *target.Target) bool {
	if s.View.NoNeighbor || !w.Network.AsksForLocalNetwork(ctx) || !w.Endpoints.HostOnlyForbidden(ctx) {
		return false
	}
	view, err := w.Network.Route(ctx, w.HostOnlyNet())
	return err == nil && !view.NoNeighbor && !w.Network.VPN(ctx, s.View).Connected
}

// adapter asks for what the VM is attached to. An adapter that no VM uses need
// not be there, nor be up.
func (s *State) adapter(ctx context.Context, w *target.Target) {
	if w.Mode.IsQuick() {
		return
	}
	if s.VMDown = !running(ctx, w); s.VMDown {
		return
	}
	s.NIC = w.VM.HostOnlyAdapter(ctx)
}

func (s State) SkippedBecause() string {
	if s.NATAddress {
		return "config.json has the address of VirtualBox's NAT"
	}
	return ""
}

func (s State) BlockedBy() string {
	if s.VMDown {
		return "machine"
	}
	return ""
}

// running reports whether somebody can be there to answer. A frugal repair has had
// dockerd's answer already.
func running(ctx context.Context, w *target.Target) bool {
	if w.Mode.IsQuick() {
		return true
	}
	up, err := w.VM.Running(ctx)
	return up && err == nil
}

func (s State) judge() routes.Judgement { return routes.Judge(s.View) }

// laptop is the laptop's own address in the host-only network; where nothing
// tells it, the first one, which docker-machine and VirtualBox take.
func (s State) laptop() netip.Prefix {
	if p, ok := s.View.Laptop(); ok {
		return p
	}
	return netip.PrefixFrom(s.View.Net().Addr().Next(), s.View.Net().Bits())
}

func (s State) Findings() []engine.Finding {
	if s.NoAddress {
		return []engine.Finding{{Code: "route.unknown", Status: engine.Unknown, Title: "the VM's host-only address is unknown: config.json has none"}}
	}
	if s.NATAddress {
		return nil
	}
	if !s.Applies {
		return []engine.Finding{{Code: "route.ok", Status: engine.OK, Title: "no host-only network to reach"}}
	}
	j := s.judge()
	fix := hint.Fix()
	if !s.VMDown && len(s.Changes()) == 0 {
		fix = nil // there is nothing that a repair would do
	}
	warn := func(code, title string, next hint.Hint) []engine.Finding {
		return []engine.Finding{{Code: code, Status: engine.Warn, Title: title, Hint: next}}
	}
	adapter := j.Adapter
	if adapter == "" {
		adapter = "the host-only adapter"
	}
	switch j.Verdict {
	case routes.OK:
		if s.Forbidden {
			return warn("route.local-network-denied", fmt.Sprintf("macOS does not let %s use the local network: %s cannot be reached (no route to host, at once), although it leaves by %s; allow it in System Settings > Privacy & Security > Local Network",
				cmp.Or(s.App, "the terminal program"), s.View.Addr, j.Owner), hint.Run("open", laptop.LocalNetworkSettings))
		}
		if s.Silent && s.Client.Connected {
			return warn("route.stale", fmt.Sprintf("%s leaves by %s, and nothing answers there while %s is connected", s.View.Addr, j.Owner, s.Client.Name), nil)
		}
		if s.Silent {
			return warn("route.stale", fmt.Sprintf("%s leaves by %s, and nothing answers there", s.View.Addr, j.Owner), hint.Fix())
		}
		return []engine.Finding{{Code: "route.ok", Status: engine.OK, Title: fmt.Sprintf("%s leaves by %s", s.View.Addr, j.Owner)}}
	case routes.Hijacked:
		by := j.Owner
		if s.Client.Name != "" {
			by += " (" + s.Client.Name + ")"
		}
		return warn("route.hijacked", fmt.Sprintf("%s leaves by %s, not %s", s.View.Addr, by, adapter), nil)
	case routes.Missing:
		if j.Owner == "" {
			return warn("route.missing", fmt.Sprintf("there is no route to %s, neither by %s nor by default", s.View.Addr, adapter), hint.Fix())
		}
		way := "the default route"
		if dst := s.View.Route.Dst; dst.Bits() > 0 {
			way = "a route for " + dst.String()
		}
		return warn("route.missing", fmt.Sprintf("%s leaves by %s, %s, not %s", s.View.Addr, j.Owner, way, adapter), hint.Fix())
	case routes.Colliding:
		return warn("route.colliding", j.Evidence, nil)
	case routes.Outside:
		return warn("route.address-outside", j.Evidence, outsidePage)
	case routes.InterfaceDown:
		return warn("route.interface-down", j.Evidence, fix)
	case routes.NoAdapter:
		return warn("route.interface-down", j.Evidence, fix)
	}
	return []engine.Finding{{Code: "route.unknown", Status: engine.Unknown, Title: "could not tell which way " + s.View.Addr.String() + " leaves: " + j.Evidence}}
}

// A route that a connected VPN owns is reported
// and never fought: the client would put it back at once.
func (s State) Changes() []engine.Change {
	if !s.Applies || s.VMDown || s.NATAddress {
		return nil
	}
	j := s.judge()
	restore := []engine.Change{&changes.RestoreRoute{OS: s.OS, Net: s.laptop(), Adapter: j.Adapter}}
	configure := func(adapter string) []engine.Change {
		return []engine.Change{&changes.ConfigureAdapter{Adapter: adapter, Addr: s.laptop()}}
	}
	switch {
	case j.Verdict == routes.OK && s.Silent && !s.Client.Connected:
		// A route that is listed and dead comes alive when it is added again
		// (kubernetes/minikube#4302).
		return restore
	case j.Verdict == routes.Missing && j.Adapter != "":
		return restore
	case j.Verdict == routes.InterfaceDown && strings.HasPrefix(j.Adapter, "vboxnet"):
		// A bridge is vmnet's: VBoxManage configures adapters of its own alone.
		return configure(j.Adapter)
	case j.Verdict == routes.NoAdapter && s.NIC != "":
		return configure(s.NIC)
	}
	return nil
}
