// Package routes reads routing tables and interface lists, and decides which interface has the
// route to a machine's address. It runs nothing: it takes texts and values, and returns values and
// argument lists.
package routes

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
)

// View is what is known about the route to a machine's address.
type View struct {
	Addr       netip.Addr   `json:"addr"`      // the machine's host-only address
	LaptopAddr netip.Prefix `json:"host_only"` // the laptop's address there, 192.168.99.1/24; zero if unknown
	// VirtualBoxAdapter is VirtualBox's name of the host-only adapter. It is looked up only if the
	// View is Ambiguous; otherwise "".
	VirtualBoxAdapter string      `json:"adapter,omitempty"`
	Links             []host.Link `json:"links"` // nil if unknown
	Route             host.Route  `json:"route"` // the kernel's answer for Addr
	RouteErr          error       `json:"-"`     // ErrNoRoute, ErrRejected, or why there is no answer
	// NoNeighbor means that nothing has answered the kernel's neighbor lookup (ARP) lately.
	NoNeighbor bool `json:"no_neighbor,omitempty"`
}

// NeedsTable reports whether a tunnel has the packets by a host route that the kernel cloned for
// this one address. Only the routing table then shows whether the tunnel claims the host-only
// network, or everything.
func (v View) NeedsTable() bool {
	return v.RouteErr == nil && v.Route.Link != "" && !v.Route.Dst.IsValid() && Tunnel(v.Link(v.Route.Link))
}

// Verdict is the state of the route.
type Verdict string

const (
	OK            Verdict = "ok"             // through the host-only adapter
	Hijacked      Verdict = "hijacked"       // through a tunnel
	Missing       Verdict = "missing"        // through the default route's ordinary interface, or no route
	Colliding     Verdict = "colliding"      // through another interface that has the same network, or a route to it
	InterfaceDown Verdict = "interface-down" // the adapter is down or has no address
	Outside       Verdict = "outside"        // the machine's address is in another network than the laptop's
	NoAdapter     Verdict = "no-adapter"     // there is no host-only adapter
	Unknown       Verdict = "unknown"        // could not tell
)

// Judgement is a verdict with its evidence.
type Judgement struct {
	Verdict Verdict `json:"verdict"`
	Owner   string  `json:"owner,omitempty"`   // the link through which packets to the address leave
	Adapter string  `json:"adapter,omitempty"` // the host-only adapter
	// Evidence is a sentence. For Colliding, Outside, InterfaceDown and NoAdapter it is the
	// finding's title, for Unknown a part of it; for other verdicts the layer writes its own title.
	Evidence string `json:"evidence"`
}

// WhyUnanswered returns the error that prevented an answer about the route. It returns nil for "no
// route" and "a route refuses", which are answers.
func (v View) WhyUnanswered() error {
	if errors.Is(v.RouteErr, ErrNoRoute) || errors.Is(v.RouteErr, ErrRejected) {
		return nil
	}
	return v.RouteErr
}

// Judge returns the verdict: that of the first case that matches, from the top. Names of VPN
// clients play no part.
func Judge(v View) Judgement {
	adapter, hasAdapter := v.adapter()
	owner := v.Link(Expand(v.Route.Link, v.Links))
	j := Judgement{Owner: owner.Name, Adapter: adapter.Name}
	say := func(verdict Verdict, format string, args ...any) Judgement {
		j.Verdict, j.Evidence = verdict, fmt.Sprintf(format, args...)
		return j
	}
	// A missing adapter is the finding, whichever other interface the packets take, unless that
	// interface has a route to this very network: then that route is in the way.
	claimed := v.RouteErr == nil && (v.Route.Dst.IsValid() && v.Route.Dst.Bits() >= v.Net().Bits() || claims(owner, v))
	noRoute, rejected := errors.Is(v.RouteErr, ErrNoRoute), errors.Is(v.RouteErr, ErrRejected)
	elsewhere, outside := v.outside(adapter)

	switch {
	case !v.Addr.Is4():
		return say(Unknown, "no IPv4 address to look for")
	case v.WhyUnanswered() != nil:
		return say(Unknown, "asking for the route to %s: %s", v.Addr, v.RouteErr)
	case !noRoute && !rejected && owner.Name == "":
		return say(Unknown, "the route to %s names no interface", v.Addr)

	case holds(owner, v.Addr) || v.isLaptops():
		return say(Colliding, "%s is an address of this laptop itself", v.Addr)
	case rejected && Tunnel(owner):
		return say(Hijacked, "a route through %s refuses packets to %s", owner.Name, v.Addr)
	case rejected:
		return say(Colliding, "a route refuses packets to %s: a VPN client, a firewall or a person has added it", v.Addr)

	case hasAdapter && owner.Name == adapter.Name && !adapter.Up:
		return say(InterfaceDown, "%s is down", adapter.Name)
	case hasAdapter && owner.Name == adapter.Name:
		return say(OK, "traffic to %s goes through %s", v.Addr, adapter.Name)
	case outside && v.Links != nil:
		return say(Outside, "%s", elsewhere)

	case claimed && Tunnel(owner):
		return say(Hijacked, "traffic to %s goes into %s%s", v.Net(), owner.Name, notBy(adapter))
	case claimed:
		return say(Colliding, "traffic to %s goes into %s%s: %[2]s has the same network", v.Addr, owner.Name, notBy(adapter))

	case !hasAdapter && v.Links == nil && Tunnel(owner):
		return say(Hijacked, "traffic to %s goes into %s", v.Addr, owner.Name)
	case !hasAdapter && v.Links == nil:
		return say(Unknown, "traffic to %s goes into %s; this laptop's interfaces could not be listed", v.Addr, orNothing(owner))
	case !hasAdapter:
		return say(NoAdapter, "no host-only adapter for %s; traffic to %s goes into %s", v.Net(), v.Addr, orNothing(owner))
	case !adapter.Up:
		return say(InterfaceDown, "%s is down", adapter.Name)
	case !onNet(adapter, v.Net()):
		return say(InterfaceDown, "%s has no address in %s", adapter.Name, v.Net())

	case noRoute:
		return say(Missing, "no route to %s", v.Net())
	case Tunnel(owner):
		return say(Hijacked, "traffic to %s goes into %s%s", v.Net(), owner.Name, notBy(adapter))
	default:
		return say(Missing, "no route to %s through %s; traffic goes into %s", v.Net(), adapter.Name, owner.Name)
	}
}

// adapter returns the link of the host-only network: the one that VirtualBox named; or the one that
// has the laptop's host-only address; or one that looks like VirtualBox's and has an address in
// that network; or the only one of VirtualBox's that has no IPv4 address.
func (v View) adapter() (host.Link, bool) {
	for _, l := range v.Links {
		if v.VirtualBoxAdapter != "" && l.Name == v.VirtualBoxAdapter {
			return l, true
		}
	}
	switch holder, inNet, unaddressed := v.candidates(); {
	case len(holder) > 0 && (len(inNet) == 0 || v.LaptopAddr.Contains(v.Addr)):
		return holder[0], true
	case len(inNet) > 0:
		return inNet[0], true
	case len(unaddressed) == 1:
		return unaddressed[0], true
	}
	return host.Link{}, false
}

// candidates returns the links that may belong to the host-only network: those with the laptop's
// host-only address, VirtualBox's with an address in the network, and VirtualBox's without any IPv4
// address.
func (v View) candidates() (holder, inNet, unaddressed []host.Link) {
	for _, l := range v.Links {
		if Tunnel(l) || (v.VirtualBoxAdapter != "" && !isHostOnlyName(l.Name)) {
			continue
		}
		switch {
		case v.LaptopAddr.IsValid() && holds(l, v.LaptopAddr.Addr()) && !physical(l):
			holder = append(holder, l)
		case isHostOnlyName(l.Name) && onNet(l, v.Net()):
			inNet = append(inNet, l)
		case numbered(l.Name, "vboxnet") && !hasIPv4(l):
			unaddressed = append(unaddressed, l)
		}
	}
	return holder, inNet, unaddressed
}

// Ambiguous reports whether only VirtualBox knows which of several adapters the VM is on: two may
// have the same address, and the VM's own may have none, or one of another network.
func (v View) Ambiguous() bool {
	if v.LaptopAddr.IsValid() && !v.LaptopAddr.Contains(v.Addr) {
		return true
	}
	holder, inNet, unaddressed := v.candidates()
	return len(holder)+len(inNet)+len(unaddressed) > 1
}

// isLaptops reports whether a link of the laptop has the machine's address.
func (v View) isLaptops() bool {
	return slices.ContainsFunc(v.Links, func(l host.Link) bool { return holds(l, v.Addr) })
}

func notBy(adapter host.Link) string {
	if adapter.Name == "" {
		return ""
	}
	return " instead of " + adapter.Name
}

func orNothing(owner host.Link) string {
	if owner.Name == "" {
		return "nothing"
	}
	return owner.Name
}

// claims reports whether the link's own network is the host-only network, or a part of it that
// includes the machine's address.
func claims(l host.Link, v View) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Contains(v.Addr) && p.Bits() >= v.Net().Bits() })
}
