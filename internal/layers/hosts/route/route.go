// Package route is the way to a docker host on the network: its name, and which interface
// packets to it leave by.
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

// lookupTime bounds the lookup of a name.
const lookupTime = 2 * time.Second

// State is what was found.
type State struct {
	Name string `json:"name"`
	// Proxy is what ssh or docker connects through: the laptop's own route does not count then.
	Proxy string `json:"proxy,omitempty"`
	// Addr is the first address of the name. NotFound reports that it has none, LookupErr that
	// no answer came.
	Addr      netip.Addr `json:"addr,omitzero"`
	NotFound  bool       `json:"not_found,omitempty"`
	LookupErr string     `json:"lookup_error,omitempty"`
	// Link is the interface that packets leave by, Default that it is the default route's;
	// NoRoute that there is none.
	Link    string `json:"link,omitempty"`
	Default bool   `json:"default_route,omitempty"`
	Tunnel  bool   `json:"tunnel,omitempty"`
	NoRoute bool   `json:"no_route,omitempty"`
	// Refused reports that a route is there to refuse the packets, Unasked why the way is not known.
	Refused bool   `json:"refused,omitempty"`
	Unasked string `json:"unasked,omitempty"`
	// Forbidden reports that macOS does not let this program use the local network; App is the
	// application to allow.
	Forbidden bool   `json:"local_network_denied,omitempty"`
	App       string `json:"app,omitempty"`
	// VPN is the client that owns the route, where it can be known.
	VPN string `json:"client,omitempty"`
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

// SkippedBecause is set where the layer ssh says why, or this laptop cannot look up a name.
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

// The laptop's routes are the user's and the VPN's.
func (State) Changes() []engine.Change { return nil }
