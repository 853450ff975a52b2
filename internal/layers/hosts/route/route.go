// Package route is the layer of the network between laptop and docker host: the docker host's name, and
// the interface through which packets to it leave.
package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/engine"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/hint"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/host"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/laptop"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/routes"
	"github.com/docker-vpn-helper/docker-vpn-helper/internal/target"
)

// lookupTime is the timeout of looking up a name.
const lookupTime = 2 * time.Second

// State is what was found.
type State struct {
	Name string `json:"name"`
	// Proxy is the proxy or jump host through which ssh or docker connects. With one the laptop's
	// route to the docker host does not matter, and the other fields are not set.
	Proxy string `json:"proxy,omitempty"`

	Addr      netip.Addr `json:"addr,omitzero"`          // the first address of the name
	NotFound  bool       `json:"not_found,omitempty"`    // the name has no address
	LookupErr string     `json:"lookup_error,omitempty"` // why it could not be looked up

	Link    string `json:"link,omitempty"`          // the interface through which packets leave
	Default bool   `json:"default_route,omitempty"` // by the default route
	Tunnel  bool   `json:"tunnel,omitempty"`        // Link is a tunnel
	NoRoute bool   `json:"no_route,omitempty"`
	Refused bool   `json:"refused,omitempty"` // the route refuses the packets
	Unasked string `json:"unasked,omitempty"` // why the route is not known
	VPN     string `json:"client,omitempty"`  // the VPN client that owns the route, if it is known
	// Forbidden means that macOS does not let this program use the local network; App is the
	// application to allow.
	Forbidden bool   `json:"local_network_denied,omitempty"`
	App       string `json:"app,omitempty"`
}

// Layer describes it to the engine.
func Layer() engine.Layer {
	return engine.Layer{Name: "route", Findings: findings, Inspect: inspect}
}

func inspect(ctx context.Context, t *target.Target) (engine.State, error) {
	var s State
	var port string // of ssh:// the layer ssh looks after
	switch t.Kind {
	case target.TCP:
		s.Name = t.TCP.Host()
		_, port, _ = net.SplitHostPort(t.TCP.Addr)
		if t.TCP.Proxy != "" {
			s.Proxy = t.TCP.ProxyName()
		}
	default:
		c, err := t.UserSSH.Config(ctx)
		if err != nil {
			return s, nil // the layer ssh reports it
		}
		s.Name, s.Proxy = c.Host, c.Proxy
	}
	if s.Proxy != "" || !s.lookUp(ctx, t.Laptop) {
		return s, nil
	}
	to := laptop.Destination{Addr: s.Addr}
	view, err := t.Network.Route(ctx, to)
	if err != nil {
		return nil, err
	}
	s.Link, s.Default = view.Route.Link, view.Route.Dst.Bits() == 0
	s.NoRoute, s.Refused = errors.Is(view.RouteErr, routes.ErrNoRoute), errors.Is(view.RouteErr, routes.ErrRejected)
	if err := view.WhyUnanswered(); err != nil {
		s.Unasked = err.Error()
	}
	if s.Tunnel = routes.Tunnel(view.Link(s.Link)); s.Tunnel {
		s.VPN = t.Network.VPN(ctx, view).Name
	} else if port != "" && t.Network.DeniesLocalNetwork(ctx, to, net.JoinHostPort(s.Addr.String(), port)) {
		s.Forbidden, s.App = true, t.Network.App(ctx)
	}
	return s, nil
}

// lookUp finds the address of the name, and reports whether there is one.
func (s *State) lookUp(ctx context.Context, l host.Laptop) bool {
	addr, err := netip.ParseAddr(s.Name)
	if err == nil {
		s.Addr = addr
		return true
	}
	resolver, ok := l.(host.Resolver)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addrs, err := resolver.Lookup(ctx, s.Name)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound, err == nil && len(addrs) == 0:
		s.NotFound = true
	case err != nil:
		s.LookupErr = err.Error()
	default:
		s.Addr = addrs[0]
		return true
	}
	return false
}

var findings engine.Table

var (
	leaves      = findings.OK("route.ok", "%s leaves by %s")
	viaProxy    = findings.OK("route.ok", "docker connects through %s")
	nameUnknown = findings.Fail("route.name-unknown", "%s is not the name of any host: DNS has no address for it", hint.Explain("route.name-unknown"))
	noDNS       = findings.Fail("route.name-unknown", "looking up %s failed: %s", hint.Explain("route.name-unknown"))
	noRoute     = findings.Fail("route.missing", "there is no route to %s", hint.Explain("route.missing"))
	refuses     = findings.Fail("route.missing", "a route of this laptop refuses packets to %s: a VPN client, a firewall or a person has added it", hint.Explain("route.missing"))
	unasked     = findings.Unknown("route.unknown", "could not tell which way traffic to %s goes: %s", nil)
	forbidden   = findings.Fail("route.local-network-denied", "macOS does not let %[1]s use the local network: connections to %[2]s fail at once (no route to host); allow %[1]s in System Settings > Privacy & Security > Local Network",
		hint.Run("open", laptop.LocalNetworkSettings))
)

// SkippedBecause returns why nothing was inspected, or "". Either the layer ssh reports a problem, or
// the laptop cannot look up names.
func (s State) SkippedBecause() string {
	if s.Proxy == "" && !s.NotFound && s.LookupErr == "" && !s.Addr.IsValid() {
		return "the name was not looked up"
	}
	return ""
}

func (s State) Findings() []engine.Finding {
	if s.SkippedBecause() != "" {
		return nil
	}
	return []engine.Finding{s.finding()}
}

func (s State) finding() engine.Finding {
	what := s.Name
	if s.Addr.IsValid() && s.Addr.String() != s.Name {
		what = fmt.Sprintf("%s (%s)", s.Name, s.Addr)
	}
	link := s.Link
	switch {
	case s.VPN != "":
		link += " (VPN: " + s.VPN + ")"
	case s.Tunnel:
		link += " (a tunnel)"
	case s.Default:
		link += " (the default route)"
	}
	switch {
	case s.Proxy != "":
		return viaProxy.Found(s.Proxy)
	case s.NotFound:
		return nameUnknown.Found(s.Name)
	case s.LookupErr != "":
		return noDNS.Found(s.Name, s.LookupErr)
	case s.NoRoute:
		return noRoute.Found(what)
	case s.Refused:
		return refuses.Found(what)
	case s.Unasked != "":
		return unasked.Found(what, s.Unasked)
	case s.Forbidden:
		return forbidden.Found(cmp.Or(s.App, "the terminal program"), what)
	}
	return leaves.Found(what, link)
}

// Changes returns none: the laptop's routes belong to the user and the VPN.
func (State) Changes() []engine.Change { return nil }
