// Package match has the conditions of rules, and evaluates whether packets meet them. Pure.
package match

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Match is one condition of a rule.
type Match interface {
	Holds(p *packet.Packet, e *packet.Env) packet.Truth
}

// Never is a condition that no packet.Packet can meet: it is about protocols or headers that those
// do not have.
type Never struct{}

func (Never) Holds(*packet.Packet, *packet.Env) packet.Truth { return packet.No }

// Comment is a comment or a counter, which holds for every packet.
type Comment struct{}

func (Comment) Holds(*packet.Packet, *packet.Env) packet.Truth { return packet.Yes }

// Unknown is a condition that only the kernel can judge, such as a rate limit.
type Unknown struct{ Text string }

func (Unknown) Holds(*packet.Packet, *packet.Env) packet.Truth { return packet.Maybe }

// inverted is the opposite of a condition.
type inverted struct{ Match }

func (i inverted) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	return i.Match.Holds(p, e).Not()
}

// Invert returns the opposite of m if not is true, otherwise m.
func Invert(not bool, m Match) Match {
	mark, ok := m.(Mark)
	switch {
	case !not:
		return m
	case ok && mark.Connection:
		// The opposite does not hold either for a packet without a connection.
		return AllOf{tracked{}, inverted{m}}
	}
	return inverted{m}
}

// AllOf holds if all of its conditions do.
type AllOf []Match

func (m AllOf) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	all := packet.Yes
	for _, one := range m {
		all = min(all, one.Holds(p, e))
	}
	return all
}

// Address matches addresses in a network.
type Address struct {
	Side packet.Side
	Net  netip.Prefix
}

func (m Address) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	a := m.Side.Addr(p)
	if !a.IsValid() && m.Net.Bits() > 0 {
		return packet.Maybe
	}
	return packet.Sure(m.Net.Bits() == 0 || m.Net.Contains(a))
}

// Masked matches the bits of an IPv4 address that Mask selects, whose bits need not be contiguous.
type Masked struct {
	Side       packet.Side
	Addr, Mask [4]byte
}

func (m Masked) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	a := m.Side.Addr(p)
	if !a.Is4() {
		return packet.Maybe
	}
	b := a.As4()
	for i := range b {
		if b[i]&m.Mask[i] != m.Addr[i]&m.Mask[i] {
			return packet.No
		}
	}
	return packet.Yes
}

// AddressRange matches addresses from From to To, inclusive.
type AddressRange struct {
	Side     packet.Side
	From, To netip.Addr
}

func (m AddressRange) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	a := m.Side.Addr(p)
	return packet.Sure(a.Compare(m.From) >= 0 && a.Compare(m.To) <= 0)
}

// Interface matches the name of the interface at which a packet comes in (Source) or goes out
// (Destination). A name that ends in "+" is a prefix.
type Interface struct {
	Side packet.Side
	Name string
}

func (m Interface) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return nameMatches(m.Name, m.Side.Link(p))
}

func nameMatches(pattern, name string) packet.Truth {
	if start, wild := strings.CutSuffix(pattern, "+"); wild {
		return packet.Sure(strings.HasPrefix(name, start))
	}
	return packet.Sure(name == pattern)
}

// Protocol matches an IP protocol; 0 matches all.
type Protocol struct{ Number int }

func (m Protocol) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(m.Number == 0 || p.Proto == m.Number)
}

// Ports matches ports in any of several ranges.
type Ports struct {
	Side   packet.Side
	Either bool     // the port of either side may match; Side is not used
	Ranges [][2]int // first and last port
}

func (m Ports) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if !p.HasPorts() {
		return packet.No
	}
	in := func(port int) bool {
		return slices.ContainsFunc(m.Ranges, func(r [2]int) bool { return r[0] <= port && port <= r[1] })
	}
	if m.Either {
		return packet.Sure(in(p.SrcPort) || in(p.DstPort))
	}
	return packet.Sure(in(m.Side.Port(p)))
}

// Flags matches TCP packets of whose flags in Mask exactly those in Set are set.
type Flags struct{ Mask, Set packet.TCPFlags }

func (m Flags) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(p.Proto == packet.TCP && p.Flags&m.Mask == m.Set)
}

// ICMPType matches an ICMP type and a range of codes.
type ICMPType struct{ Type, MinCode, MaxCode int }

func (m ICMPType) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if p.Proto != packet.ICMP && p.Proto != packet.ICMPv6 {
		return packet.No
	}
	return packet.Sure(m.Type == AnyICMP || p.ICMP[0] == m.Type && p.ICMP[1] >= m.MinCode && p.ICMP[1] <= m.MaxCode)
}

// AnyICMP as Type matches every type. iptables stores its "any" like that.
const AnyICMP = 255

// AddressType matches the kind of an address, such as LOCAL.
type AddressType struct {
	Side  packet.Side
	Types []string
	// Link means that the address must be of that kind on the packet's interface.
	Link bool
}

func (m AddressType) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	link := ""
	if m.Link {
		if link = p.In; link == "" {
			link = p.Out
		}
	}
	kind := e.AddrType(m.Side.Addr(p), link)
	if p.Family != packet.IPv6 {
		return packet.Sure(slices.Contains(m.Types, kind))
	}
	// For IPv6 the address must be of all types in the list, and the host's own addresses are
	// both LOCAL and UNICAST (net/netfilter/xt_addrtype.c).
	for _, t := range m.Types {
		if t != kind && !(t == "UNICAST" && kind == "LOCAL") {
			return packet.No
		}
	}
	return packet.Yes
}

// Mark matches bits of the packet's mark, or with Connection of its connection's mark. A packet without a
// connection matches neither that nor its opposite (net/netfilter/xt_connmark.c, nft_ct.c).
type Mark struct {
	Connection  bool
	Value, Mask uint32
}

func (m Mark) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if m.Connection {
		if p.Untracked() {
			return packet.No
		}
		return p.Conn.Mark.Matches(m.Value, m.Mask)
	}
	return p.Mark.Matches(m.Value, m.Mask)
}

// tracked holds for packets that have a connection.
type tracked struct{}

func (tracked) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(!p.Untracked())
}

// InSet matches packets that are in a set. Sides has one side for each field of the set.
type InSet struct {
	Name  string
	Sides []packet.Side
}

func (m InSet) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	s := e.Sets[m.Name]
	if s == nil || len(m.Sides) < len(s.Fields) {
		return packet.Maybe
	}
	addr, port := netip.Addr{}, 0
	for i, field := range s.Fields {
		switch field {
		case "ip", "net":
			addr = m.Sides[i].Addr(p)
		case "port":
			port = m.Sides[i].Port(p)
		default:
			return packet.Maybe
		}
	}
	return s.Has(addr, p.Proto, port)
}

// HopLimit matches a TTL or IPv6 hop limit from Min to Max, inclusive.
type HopLimit struct{ Min, Max int }

func (m HopLimit) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if p.TTL == 0 {
		return packet.Maybe
	}
	return packet.Sure(p.TTL >= m.Min && p.TTL <= m.Max)
}

// ReversePath matches packets whose answers are routed through the interface at which they came in.
type ReversePath struct {
	AnyLink bool // the answers may be routed through any interface
}

func (m ReversePath) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	switch {
	case p.In == "lo", p.Src.IsLinkLocalUnicast() && p.In != "":
		return packet.Yes // the kernel does not look for a route
	case e.RouteBack == nil:
		return packet.Maybe
	}
	link, sure := e.RouteBack(p)
	if !sure {
		return packet.Maybe
	}
	return packet.Sure(link != "" && (m.AnyLink || link == p.In))
}

// PhysDev matches the bridge port at which a packet comes in or goes out. It is evaluated only
// roughly: without br_netfilter no packet has one.
type PhysDev struct{}

func (m PhysDev) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	if !e.BridgeFilter {
		return packet.No
	}
	return packet.Maybe
}
