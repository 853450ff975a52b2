// Package route is the rung that a VPN takes out: which interface a packet to
// the host-only address would leave by.
package route

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/changes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/stack"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/world"
)

// State is what was found.
type State struct {
	Applies bool        `json:"applies"`
	View    routes.View `json:"view"`
	// Client is the VPN client that owns the route, where it can be known. It is
	// advice only; nothing is decided by it.
	Client routes.Client `json:"client"`
	// Silent says that the route is right and nothing answers behind it.
	Silent bool `json:"silent"`

	OS      string `json:"os"`
	FixHint string `json:"-"`
}

// Layer is the rung. Where the NAT rule carries the traffic a lost route is
// only a warning: the rule is the cure.
func Layer() stack.Layer {
	return stack.Layer{Name: "route", Needs: []string{"machine"}, Local: true, LaptopOnly: true, Inspect: inspect}
}

func inspect(ctx context.Context, w *world.World) (stack.State, error) {
	s := State{Applies: w.VirtualBox() && w.HostOnly().IsValid(), OS: w.Laptop.OS(), FixHint: w.Hint("fix")}
	if !s.Applies {
		return s, nil
	}
	view, err := w.RouteView(ctx)
	if err != nil {
		return nil, err
	}
	s.View = view
	if w.Frugal || w.Repairing() {
		return s, nil // the rest is advice
	}
	switch s.judge().Verdict {
	case routes.Hijacked:
		s.Client = w.VPN(ctx, view)
	case routes.OK:
		s.Silent = w.HostOnlySilent(ctx)
	}
	return s, nil
}

func (s State) judge() routes.Judgement { return routes.Judge(s.View) }

// net is the host-only network.
func (s State) net() netip.Prefix { return s.View.HostOnly.Masked() }

// Findings implements stack.State.
func (s State) Findings() []stack.Finding {
	if !s.Applies {
		return []stack.Finding{{Code: "route.ok", Status: stack.OK, Title: "no host-only network to reach"}}
	}
	j := s.judge()
	warn := func(code, title, hint string) []stack.Finding {
		return []stack.Finding{{Code: code, Status: stack.Warn, Title: title, Hint: hint}}
	}
	adapter := j.Adapter
	if adapter == "" {
		adapter = "the host-only adapter"
	}
	switch j.Verdict {
	case routes.OK:
		if s.Silent {
			return warn("route.stale", fmt.Sprintf("%s leaves by %s, and nothing answers there", s.View.Addr, j.Owner), s.FixHint)
		}
		return []stack.Finding{{Code: "route.ok", Status: stack.OK, Title: fmt.Sprintf("%s leaves by %s", s.View.Addr, j.Owner)}}
	case routes.Hijacked:
		by := j.Owner
		if s.Client.Name != "" {
			by += " (" + s.Client.Name + ")"
		}
		return warn("route.hijacked", fmt.Sprintf("%s leaves by %s, not %s", s.View.Addr, by, adapter), "")
	case routes.Missing:
		return warn("route.missing", fmt.Sprintf("%s leaves by %s, the default route, not %s", s.View.Addr, j.Owner, adapter), s.FixHint)
	case routes.Colliding:
		return warn("route.colliding", fmt.Sprintf("%s is a network of %s too, not only of %s", s.net(), j.Owner, adapter), "")
	case routes.InterfaceDown:
		return warn("route.interface-down", fmt.Sprintf("%s is down or has lost its address: %s", adapter, j.Evidence), s.FixHint)
	case routes.NoAdapter:
		return warn("route.interface-down", fmt.Sprintf("no interface has an address in %s: %s", s.net(), j.Evidence), s.FixHint)
	}
	return []stack.Finding{{Code: "route.unknown", Status: stack.Unknown, Title: "could not tell which way " + s.View.Addr.String() + " leaves: " + j.Evidence}}
}

// Changes implements stack.State. A route that a connected VPN owns is reported
// and never fought: the client would put it back at once.
func (s State) Changes() []world.Change {
	if !s.Applies {
		return nil
	}
	j := s.judge()
	switch j.Verdict {
	case routes.Missing:
		if j.Adapter != "" {
			return []world.Change{&changes.RestoreRoute{OS: s.OS, Net: s.View.HostOnly, Adapter: j.Adapter}}
		}
	case routes.InterfaceDown:
		if j.Adapter != "" && s.View.HostOnly.IsValid() {
			return []world.Change{&changes.ConfigureAdapter{Adapter: j.Adapter, Addr: s.View.HostOnly}}
		}
	}
	return nil
}
