package netfacts

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// RouteFor returns the route of a packet, or nil. in is the interface at which it arrives, "" if the
// docker host itself sends it. doubt describes a policy rule that may choose another route, but
// cannot be evaluated; "" if there is none.
func (f *Facts) RouteFor(src, dst netip.Addr, in string) (best *Route, doubt string) {
	family := packet.FamilyOf(dst)
	rules := slices.DeleteFunc(slices.Clone(f.Rules), func(r PolicyRule) bool { return r.Family != family })
	if len(rules) == 0 {
		rules = []PolicyRule{{Table: "local", Suppress: -1}, {Table: "main", Suppress: -1}, {Table: "default", Suppress: -1}}
	}
	for _, rule := range rules {
		if rule.From.IsValid() && !rule.From.Contains(src) || rule.To.IsValid() && !rule.To.Contains(dst) || rule.Link != "" && rule.Link != in || rule.Table == "" {
			continue
		}
		r := f.lookUp(rule.Table, dst)
		if r == nil || r.Dst.Bits() <= rule.Suppress || r.Type == "throw" {
			continue
		}
		if rule.Other != "" {
			doubt = "ip rule: " + strings.TrimSpace(rule.Other) + " lookup " + rule.Table
			continue
		}
		return r, doubt
	}
	return nil, doubt
}

// lookUp returns the route with the longest matching prefix in one table, or nil.
func (f *Facts) lookUp(table string, dst netip.Addr) *Route {
	var best *Route
	for i := range f.Routes {
		r := &f.Routes[i]
		if r.Table != table || !r.Dst.Contains(dst) {
			continue
		}
		if best == nil || r.Dst.Bits() > best.Dst.Bits() || r.Dst.Bits() == best.Dst.Bits() && r.Metric < best.Metric {
			best = r
		}
	}
	return best
}

// AddressOn returns the first address of an interface of the same address family as like, except
// for link-local ones; the zero Addr if there is none.
func (f *Facts) AddressOn(link string, like netip.Addr) netip.Addr {
	if l := f.Link(link); l != nil {
		for _, p := range l.Addresses {
			if p.Addr().Is4() == like.Is4() && !p.Addr().IsLinkLocalUnicast() {
				return p.Addr()
			}
		}
	}
	return netip.Addr{}
}

// The addresses that Outside returns. Filters must not treat them specially, as they do private and
// documentation networks. No packet is sent to them.
var (
	outside4 = netip.MustParseAddr("101.102.103.104")
	outside6 = netip.MustParseAddr("2a0a:1234:5678::1")
)

// Outside returns an address that represents all clients on the internet.
func Outside(family packet.Family) netip.Addr {
	if family == packet.IPv6 {
		return outside6
	}
	return outside4
}

// Public returns the interface through which the docker host reaches the internet, for one address
// family; "" if there is none.
func (f *Facts) Public(family packet.Family) (link string) {
	r, _ := f.RouteFor(netip.Addr{}, Outside(family), "")
	if r == nil || r.Type != "unicast" {
		return ""
	}
	return r.Link
}

// Env returns the configuration of the docker host on which conditions of rules depend.
func (f *Facts) Env(family packet.Family) *packet.Env {
	e := &packet.Env{Sets: f.Sets, BridgeFilter: f.BridgeFilter(family), RouteBack: f.routeBack}
	for _, l := range f.Links {
		e.Links = append(e.Links, packet.Link{Name: l.Name, Addrs: l.Addresses})
	}
	return e
}

// routeBack implements packet.Env.RouteBack.
func (f *Facts) routeBack(p *packet.Packet) (link string, sure bool) {
	r, doubt := f.RouteFor(p.Dst, p.Src, "")
	if r == nil || r.Type != "unicast" {
		return "", doubt == ""
	}
	return r.Link, doubt == ""
}

// BridgeFilter reports whether frames on bridges also pass iptables.
func (f *Facts) BridgeFilter(family packet.Family) bool {
	name := "net.bridge.bridge-nf-call-iptables"
	if family == packet.IPv6 {
		name = "net.bridge.bridge-nf-call-ip6tables"
	}
	return f.Sysctl[name] == "1"
}
