package netfilter

import (
	"net/netip"
	"slices"
	"strings"
)

// Match is one condition of a rule.
type Match interface {
	Holds(p *Packet, e *Env) Truth
}

// Never is a condition that no packet here meets: it is about protocols or headers that none has.
type Never struct{}

// Holds implements Match.
func (Never) Holds(*Packet, *Env) Truth { return No }

// Comment is text for people, or a counter: it holds for every packet.
type Comment struct{}

// Holds implements Match.
func (Comment) Holds(*Packet, *Env) Truth { return Yes }

// Unknown is a condition that only the kernel can judge, such as a rate limit.
type Unknown struct{ Text string }

// Holds implements Match.
func (Unknown) Holds(*Packet, *Env) Truth { return Maybe }

// inverted is the opposite of a condition.
type inverted struct{ Match }

// Holds implements Match.
func (i inverted) Holds(p *Packet, e *Env) Truth { return i.Match.Holds(p, e).Not() }

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

// Holds implements Match.
func (m AllOf) Holds(p *Packet, e *Env) Truth {
	all := Yes
	for _, one := range m {
		all = min(all, one.Holds(p, e))
	}
	return all
}

// Side is the end of a packet that a condition is about.
type Side int

// The sides.
const (
	Source Side = iota
	Destination
)

func (s Side) addr(p *Packet) netip.Addr {
	if s == Source {
		return p.Src
	}
	return p.Dst
}

func (s Side) port(p *Packet) int {
	if s == Source {
		return p.SrcPort
	}
	return p.DstPort
}

func (s Side) link(p *Packet) string {
	if s == Source {
		return p.In
	}
	return p.Out
}

// Address matches a network.
type Address struct {
	Side Side
	Net  netip.Prefix
}

// Holds implements Match.
func (m Address) Holds(p *Packet, _ *Env) Truth {
	a := m.Side.addr(p)
	if !a.IsValid() && m.Net.Bits() > 0 {
		return Maybe
	}
	return Sure(m.Net.Bits() == 0 || m.Net.Contains(a))
}

// Masked matches the bits of an IPv4 address that a mask with holes selects.
type Masked struct {
	Side       Side
	Addr, Mask [4]byte
}

// Holds implements Match.
func (m Masked) Holds(p *Packet, _ *Env) Truth {
	a := m.Side.addr(p)
	if !a.Is4() {
		return Maybe
	}
	b := a.As4()
	for i := range b {
		if b[i]&m.Mask[i] != m.Addr[i]&m.Mask[i] {
			return No
		}
	}
	return Yes
}

// AddressRange matches addresses between two, both included.
type AddressRange struct {
	Side     Side
	From, To netip.Addr
}

// Holds implements Match.
func (m AddressRange) Holds(p *Packet, _ *Env) Truth {
	a := m.Side.addr(p)
	return Sure(a.Compare(m.From) >= 0 && a.Compare(m.To) <= 0)
}

// Interface matches the name of the interface that a packet comes from or goes to. A name
// that ends in "+" stands for all that begin so.
type Interface struct {
	Side Side
	Name string
}

// Holds implements Match.
func (m Interface) Holds(p *Packet, _ *Env) Truth { return nameMatches(m.Name, m.Side.link(p)) }

func nameMatches(pattern, name string) Truth {
	if start, wild := strings.CutSuffix(pattern, "+"); wild {
		return Sure(strings.HasPrefix(name, start))
	}
	return Sure(name == pattern)
}

// Protocol matches an IP protocol; 0 stands for all.
type Protocol struct{ Number int }

// Holds implements Match.
func (m Protocol) Holds(p *Packet, _ *Env) Truth { return Sure(m.Number == 0 || p.Proto == m.Number) }

// Ports matches a port between two numbers, both included, of a list.
type Ports struct {
	Side   Side
	Either bool // of both sides; Side is not used
	Ranges [][2]int
}

// Holds implements Match.
func (m Ports) Holds(p *Packet, _ *Env) Truth {
	if !p.HasPorts() {
		return No
	}
	in := func(port int) bool {
		return slices.ContainsFunc(m.Ranges, func(r [2]int) bool { return r[0] <= port && port <= r[1] })
	}
	if m.Either {
		return Sure(in(p.SrcPort) || in(p.DstPort))
	}
	return Sure(in(m.Side.port(p)))
}

// Flags matches the TCP flags of Mask that are those of Set.
type Flags struct{ Mask, Set TCPFlags }

// Holds implements Match.
func (m Flags) Holds(p *Packet, _ *Env) Truth { return Sure(p.Proto == TCP && p.Flags&m.Mask == m.Set) }

// ICMPType matches a type and codes of ICMP.
type ICMPType struct{ Type, MinCode, MaxCode int }

// Holds implements Match.
func (m ICMPType) Holds(p *Packet, _ *Env) Truth {
	if p.Proto != ICMP && p.Proto != ICMPv6 {
		return No
	}
	return Sure(m.Type == AnyICMP || p.ICMP[0] == m.Type && p.ICMP[1] >= m.MinCode && p.ICMP[1] <= m.MaxCode)
}

// AnyICMP is iptables' "any", which is stored as a type that does not exist.
const AnyICMP = 255

// AddressType matches the kind of an address, such as LOCAL.
type AddressType struct {
	Side  Side
	Types []string
	// Link reports that the address must be of that kind on the packet's own interface.
	Link bool
}

// Holds implements Match.
func (m AddressType) Holds(p *Packet, e *Env) Truth {
	link := ""
	if m.Link {
		if link = p.In; link == "" {
			link = p.Out
		}
	}
	kind := e.AddrType(m.Side.addr(p), link)
	if p.Family != IPv6 {
		return Sure(slices.Contains(m.Types, kind))
	}
	// net/netfilter/xt_addrtype.c: every type of the list must be that of the address, and
	// the host's own addresses are UNICAST, too.
	for _, t := range m.Types {
		if t != kind && !(t == "UNICAST" && kind == "LOCAL") {
			return No
		}
	}
	return Yes
}

// Mark matches bits of the packet's mark, or of its connection's. A packet without a
// connection matches neither a connection's mark nor its opposite (net/netfilter/xt_connmark.c,
// nft_ct.c).
type Mark struct {
	Connection  bool
	Value, Mask uint32
}

// Holds implements Match.
func (m Mark) Holds(p *Packet, _ *Env) Truth {
	if m.Connection {
		if untracked(p) {
			return No
		}
		return p.Conn.Mark.matches(m.Value, m.Mask)
	}
	return p.Mark.matches(m.Value, m.Mask)
}

// tracked holds for packets whose connection conntrack knows.
type tracked struct{}

// Holds implements Match.
func (tracked) Holds(p *Packet, _ *Env) Truth { return Sure(!untracked(p)) }

// untracked reports whether conntrack knows nothing of the packet's connection.
func untracked(p *Packet) bool { return p.Conn.State == Invalid || p.Conn.State == Untracked }

// InSet matches what is in a set. Sides has one for each field of the set's entries.
type InSet struct {
	Name  string
	Sides []Side
}

// Holds implements Match.
func (m InSet) Holds(p *Packet, e *Env) Truth {
	s := e.Sets[m.Name]
	if s == nil || len(m.Sides) < len(s.Fields) {
		return Maybe
	}
	addr, port := netip.Addr{}, 0
	for i, field := range s.Fields {
		switch field {
		case "ip", "net":
			addr = m.Sides[i].addr(p)
		case "port":
			port = m.Sides[i].port(p)
		default:
			return Maybe
		}
	}
	return s.Has(addr, p.Proto, port)
}

// HopLimit matches the TTL, or IPv6's hop limit, between two numbers.
type HopLimit struct{ Min, Max int }

// Holds implements Match.
func (m HopLimit) Holds(p *Packet, _ *Env) Truth {
	if p.TTL == 0 {
		return Maybe
	}
	return Sure(p.TTL >= m.Min && p.TTL <= m.Max)
}

// ReversePath matches packets whose answers leave by the interface that they came from.
type ReversePath struct {
	AnyLink bool // or by any other interface
}

// Holds implements Match.
func (m ReversePath) Holds(p *Packet, e *Env) Truth {
	switch {
	case p.In == "lo", p.Src.IsLinkLocalUnicast() && p.In != "":
		return Yes // the kernel does not look for a route
	case e.RouteBack == nil:
		return Maybe
	}
	link, sure := e.RouteBack(p)
	if !sure {
		return Maybe
	}
	return Sure(link != "" && (m.AnyLink || link == p.In))
}

// PhysDev matches the port of the bridge that a packet came from or goes to.
type PhysDev struct {
	Side Side
	Name string // "" for any: the packet came, or goes, through a bridge's port
}

// Holds implements Match.
func (m PhysDev) Holds(p *Packet, e *Env) Truth {
	if !e.BridgeFilter {
		return No
	}
	return Maybe
}
