// Package packet has what rules see: a packet, its connection, and what they may ask about the host.
// What cannot be known of it is a value, too. Pure.
package packet

import "net/netip"

// Family is what a packet is.
type Family string

// ARP packets pass ebtables alone.
const (
	IPv4 Family = "ip"
	IPv6 Family = "ip6"
	ARP  Family = "arp"
)

// FamilyOf is the family of packets to or from an address.
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

// Untracked reports whether conntrack knows nothing of the packet's connection.
func (p *Packet) Untracked() bool {
	return p.Conn.State == Invalid || p.Conn.State == Untracked
}

// Side is the end of a packet that a rule asks for or changes.
type Side int

// The sides.
const (
	Source Side = iota
	Destination
)

// Addr is the address at that end.
func (s Side) Addr(p *Packet) netip.Addr {
	if s == Source {
		return p.Src
	}
	return p.Dst
}

// Port is the port at that end.
func (s Side) Port(p *Packet) int {
	if s == Source {
		return p.SrcPort
	}
	return p.DstPort
}

// Link is the interface at that end.
func (s Side) Link(p *Packet) string {
	if s == Source {
		return p.In
	}
	return p.Out
}
