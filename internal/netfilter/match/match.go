// Package match has the conditions of rules, and evaluates whether a packet meets them. Pure.
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

// Never is a condition that no packet here meets: it is about protocols or headers that none has.
type Never struct{}

func (Never) Holds(*packet.Packet, *packet.Env) packet.Truth { return packet.No }

// Comment is text for people, or a counter: it holds for every packet.
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

// Invert is m, or its opposite.
func Invert(not bool, m Match) Match {
	mark, ok := m.(Mark)
	switch {
	case !not:
		return m
	case ok && mark.Connection:
		// Where there is no connection, there is no mark that could differ.
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

// Address matches a network.
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

// Masked matches the bits of an IPv4 address that a mask with holes selects.
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

// AddressRange matches addresses between two, both included.
type AddressRange struct {
	Side     packet.Side
	From, To netip.Addr
}

func (m AddressRange) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	a := m.Side.Addr(p)
	return packet.Sure(a.Compare(m.From) >= 0 && a.Compare(m.To) <= 0)
}

// Interface matches the name of the interface that a packet comes from or goes to. A name
// that ends in "+" stands for all that begin so.
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

// Protocol matches an IP protocol; 0 stands for all.
type Protocol struct{ Number int }

func (m Protocol) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(m.Number == 0 || p.Proto == m.Number)
}

// Ports matches a port between two numbers, both included, of a list.
type Ports struct {
	Side   packet.Side
	Either bool // of both sides; Side is not used
	Ranges [][2]int
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

// Flags matches the TCP flags of Mask that are those of Set.
type Flags struct{ Mask, Set packet.TCPFlags }

func (m Flags) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(p.Proto == packet.TCP && p.Flags&m.Mask == m.Set)
}

// ICMPType matches a type and codes of ICMP.
type ICMPType struct{ Type, MinCode, MaxCode int }

func (m ICMPType) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if p.Proto != packet.ICMP && p.Proto != packet.ICMPv6 {
		return packet.No
	}
	return packet.Sure(m.Type == AnyICMP || p.ICMP[0] == m.Type && p.ICMP[1] >= m.MinCode && p.ICMP[1] <= m.MaxCode)
}

// AnyICMP is iptables' "any", which is stored as a type that does not exist.
const AnyICMP = 255

// AddressType matches the kind of an address, such as LOCAL.
type AddressType struct {
	Side  packet.Side
	Types []string
	// Link reports that the address must be of that kind on the packet's own interface.
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
	// net/netfilter/xt_addrtype.c: every type of the list must be that of the address, and
	// the host's own addresses are UNICAST, too.
	for _, t := range m.Types {
		if t != kind && !(t == "UNICAST" && kind == "LOCAL") {
			return packet.No
		}
	}
	return packet.Yes
}

// Mark matches bits of the packet's mark, or of its connection's. A packet without a
// connection matches neither a connection's mark nor its opposite (net/netfilter/xt_connmark.c,
// nft_ct.c).
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

// tracked holds for packets whose connection conntrack knows.
type tracked struct{}

func (tracked) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	return packet.Sure(!p.Untracked())
}

// InSet matches what is in a set. Sides has one for each field of the set's entries.
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

// HopLimit matches the TTL, or IPv6's hop limit, between two numbers.
type HopLimit struct{ Min, Max int }

func (m HopLimit) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	if p.TTL == 0 {
		return packet.Maybe
	}
	return packet.Sure(p.TTL >= m.Min && p.TTL <= m.Max)
}

// ReversePath matches packets whose answers leave by the interface that they came from.
type ReversePath struct {
	AnyLink bool // or by any other interface
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

// PhysDev matches the port of the bridge that a packet came from or goes to.
type PhysDev struct {
	Side packet.Side
	Name string // "" for any: the packet came, or goes, through a bridge's port
}

func (m PhysDev) Holds(p *packet.Packet, e *packet.Env) packet.Truth {
	if !e.BridgeFilter {
		return packet.No
	}
	return packet.Maybe
}
