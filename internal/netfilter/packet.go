package netfilter

import (
	"net/netip"
	"slices"
)

// Truth is whether a match holds.
type Truth int

// Maybe is what cannot be known from the ruleset and the packet alone.
const (
	No Truth = iota
	Maybe
	Yes
)

// Sure is the Truth of what is known.
func Sure(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Not is the opposite.
func (t Truth) Not() Truth { return Yes - t }

// Family is what a packet is.
type Family string

// ARP packets pass ebtables alone.
const (
	IPv4 Family = "ip"
	IPv6 Family = "ip6"
	ARP  Family = "arp"
)

// IP protocol numbers.
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
)

// Bits is a mark of which only the bits in Known are known.
type Bits struct{ Value, Known uint32 }

// NoMark is the mark of a packet that no rule has marked.
var NoMark = Bits{Known: ^uint32(0)}

// matches reports whether the mark is value in the bits of mask.
func (b Bits) matches(value, mask uint32) Truth {
	if (b.Value^value)&mask&b.Known != 0 || value&^mask != 0 {
		return No
	}
	return max(Maybe, Sure(mask&^b.Known == 0))
}

// set clears the bits of mask and flips those of value, as MARK's --set-xmark does.
func (b Bits) set(value, mask uint32) Bits {
	return Bits{Value: b.Value&^mask ^ value, Known: b.Known | mask}
}

// State is what conntrack calls a packet.
type State string

// The states. Before conntrack has seen a packet, it is Invalid.
const (
	New         State = "NEW"
	Established State = "ESTABLISHED"
	Related     State = "RELATED"
	Invalid     State = "INVALID"
	Untracked   State = "UNTRACKED"
)

// Conn is the connection that a packet belongs to.
type Conn struct {
	State      State
	Reply      bool // the packet goes against the direction of the first one
	DNAT, SNAT bool
	// Orig is the first packet as it came, Answer what a reply looks like.
	Orig, Answer Tuple
	// Bound reports for each side that the kernel has decided about its translation: it
	// does so once.
	Bound [2]bool
	Mark  Bits
}

// Tuple is a source and a destination, with ports where the protocol has them.
type Tuple struct{ Src, Dst netip.AddrPort }

// Packet is a packet at one hook. Addresses and names that are not known are zero.
type Packet struct {
	Family  Family
	In, Out string // interfaces; for frames on a bridge, its ports
	// Bridge is the bridge of a frame; "" for packets that the host itself routes.
	Bridge  string
	Src     netip.Addr // of an ARP packet the sender's address
	Dst     netip.Addr
	Proto   int
	SrcPort int
	DstPort int
	Flags   TCPFlags
	ICMP    [2]int // type, code
	TTL     int
	ARPOp   int // 1 request, 2 reply
	SrcMAC  string
	DstMAC  string
	Mark    Bits
	Conn    Conn
}

// TCPFlags are those of the header.
type TCPFlags uint8

// The flags by their bits in the header.
const (
	FIN TCPFlags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// HasPorts reports whether the packet's protocol has ports.
func (p *Packet) HasPorts() bool { return p.Proto == TCP || p.Proto == UDP }

// Env is what rules may ask about the host.
type Env struct {
	Links []Link
	Sets  map[string]*Set
	// BridgeFilter reports that frames on bridges pass iptables, too (br_netfilter).
	BridgeFilter bool
	// RouteBack is the interface by which an answer to a packet leaves, "" if none does. sure is
	// false where it cannot be known.
	RouteBack func(p *Packet) (link string, sure bool)
}

// Link is an interface with its addresses.
type Link struct {
	Name  string
	Addrs []netip.Prefix
}

// AddrType is the kind of an address as the kernel's local routing table has it, in
// capitals: LOCAL, BROADCAST, MULTICAST, UNICAST, UNSPEC. link "" stands for all interfaces.
func (e *Env) AddrType(a netip.Addr, link string) string {
	switch {
	case !a.IsValid() || a.Is6() && a.IsUnspecified():
		return "UNSPEC"
	case a.IsMulticast():
		return "MULTICAST"
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}), a.Is4() && a.As4()[0] == 0:
		return "BROADCAST"
	case a.IsLoopback() && (link == "" || link == "lo"):
		return "LOCAL"
	}
	for _, l := range e.Links {
		if link != "" && l.Name != link {
			continue
		}
		for _, p := range l.Addrs {
			switch {
			case p.Addr() == a:
				return "LOCAL"
			case a.Is4() && p.Addr().Is4() && p.Bits() < 31 && last(p) == a:
				return "BROADCAST"
			}
		}
	}
	return "UNICAST"
}

// last is the highest address of an IPv4 network.
func last(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom4(b)
}

// Set is an ipset, or a set of nft.
type Set struct {
	// Fields are what an entry is made of: "ip", "net", "port", "mac" …
	Fields  []string
	Entries []SetEntry
	// Unknown reports that the set has entries that could not be read.
	Unknown bool
}

// SetEntry is one entry. Fields that the set does not have are zero.
type SetEntry struct {
	Net     netip.Prefix
	Proto   int
	Ports   [2]int
	NoMatch bool
}

// Has reports whether an address, and where the set has ports a port, is in the set.
func (s *Set) Has(a netip.Addr, proto, port int) Truth {
	best, found := -1, No
	for _, e := range s.Entries {
		if !e.Net.Contains(a) || e.Net.Bits() < best {
			continue
		}
		if slices.Contains(s.Fields, "port") && (e.Proto != proto || port < e.Ports[0] || port > e.Ports[1]) {
			continue
		}
		best, found = e.Net.Bits(), Sure(!e.NoMatch)
	}
	if found == No && s.Unknown {
		return Maybe
	}
	return found
}
