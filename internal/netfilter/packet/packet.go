// Package packet has what rules see: packets, their connections, and the host's configuration. It
// can express that a fact is not known. Pure.
package packet

import "net/netip"

// Family is the protocol family of a packet. The values are nft's names.
type Family string

// The families.
const (
	IPv4 Family = "ip"
	IPv6 Family = "ip6"
	ARP  Family = "arp"
)

// FamilyOf returns the family of packets to or from an address.
func FamilyOf(a netip.Addr) Family {
	if a.Is4() {
		return IPv4
	}
	return IPv6
}

// IP protocol numbers.
const (
	ICMP   = 1
	TCP    = 6
	UDP    = 17
	ICMPv6 = 58
)

// State is connection tracking's state of a packet.
type State string

// The states. A packet is Invalid until conntrack has seen it. "" means that it is not known.
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
	Reply      bool // the packet is an answer: its direction is opposite to the first packet's
	DNAT, SNAT bool // an address was translated
	// Orig are the addresses of the first packet before translation, Answer those of its answer.
	Orig, Answer Tuple
	// Bound means for each Side that the kernel has decided about its translation. It decides once
	// per connection.
	Bound [2]bool
	Mark  Bits
}

// Tuple is a source and a destination, with ports where the protocol has them.
type Tuple struct{ Src, Dst netip.AddrPort }

// Packet is a packet or a frame at one hook. Addresses and names that are not known are zero.
type Packet struct {
	Family  Family
	In, Out string // interfaces; for frames on a bridge, its ports
	// Bridge is the bridge of a frame; "" for packets that the host itself routes.
	Bridge  string
	Src     netip.Addr // of an ARP packet: the sender's IP address
	Dst     netip.Addr // of an ARP packet: the target's IP address
	Proto   int
	SrcPort int
	DstPort int
	Flags   TCPFlags
	ICMP    [2]int // type, code
	TTL     int    // or IPv6's hop limit; 0 if not known
	ARPOp   int    // 1 request, 2 reply
	SrcMAC  string
	DstMAC  string
	Mark    Bits
	Conn    Conn
}

// TCPFlags are the flags of a TCP header, with its bits.
type TCPFlags uint8

// The flags.
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

// Untracked reports whether the packet has no connection.
func (p *Packet) Untracked() bool {
	return p.Conn.State == Invalid || p.Conn.State == Untracked
}

// Side is source or destination: which of a packet's two addresses, ports or interfaces is meant.
type Side int

// The sides.
const (
	Source Side = iota
	Destination
)

// Addr returns the packet's address of that side.
func (s Side) Addr(p *Packet) netip.Addr {
	if s == Source {
		return p.Src
	}
	return p.Dst
}

// Port returns the packet's port of that side.
func (s Side) Port(p *Packet) int {
	if s == Source {
		return p.SrcPort
	}
	return p.DstPort
}

// Link returns the interface at which the packet comes in (Source) or goes out (Destination).
func (s Side) Link(p *Packet) string {
	if s == Source {
		return p.In
	}
	return p.Out
}
