package match

import (
	"net/netip"
	"slices"

	"github.com/docker-vpn-helper/docker-vpn-helper/internal/netfilter/packet"
)

// Conntrack matches properties of a packet's connection, as iptables' module conntrack does
// (net/netfilter/xt_conntrack.c). Every field that is set must hold. A Not field inverts the field before it.
type Conntrack struct {
	States    []string // NEW, ESTABLISHED, …, DNAT, SNAT
	NotStates bool
	Reply     *bool
	Status    []string // EXPECTED, SEEN_REPLY, ASSURED, CONFIRMED, NONE
	NotStatus bool
	Proto     int
	NotProto  bool
	Nets      []TupleNet
	Ports     []TuplePorts
}

// End is one of the four endpoints that conntrack keeps of a connection.
type End int

// The ends: source and destination of the first packet before translation, and of its answer.
const (
	OrigSrc End = iota
	OrigDst
	AnswerSrc
	AnswerDst
)

func (e End) of(c *packet.Conn) netip.AddrPort {
	return [...]netip.AddrPort{c.Orig.Src, c.Orig.Dst, c.Answer.Src, c.Answer.Dst}[e]
}

// TupleNet matches the address at one end of a connection.
type TupleNet struct {
	End End
	Net netip.Prefix
	Not bool
}

// TuplePorts matches the port at one end of a connection.
type TuplePorts struct {
	End   End
	Ports [2]int
	Not   bool
}

func (m Conntrack) Holds(p *packet.Packet, _ *packet.Env) packet.Truth {
	c := &p.Conn
	result := packet.Yes
	if c.State == "" {
		return packet.Maybe
	}
	if len(m.States) > 0 {
		is := slices.Contains(m.States, string(c.State)) || !p.Untracked() && (c.DNAT && slices.Contains(m.States, "DNAT") || c.SNAT && slices.Contains(m.States, "SNAT"))
		if is == m.NotStates {
			return packet.No
		}
	}
	if p.Untracked() {
		return packet.Sure(len(m.States) > 0) // the kernel checks nothing else
	}
	if m.Reply != nil && *m.Reply != c.Reply {
		return packet.No
	}
	if m.Proto != 0 && (m.Proto == p.Proto) == m.NotProto {
		return packet.No
	}
	for _, n := range m.Nets {
		a := n.End.of(c).Addr()
		if !a.IsValid() {
			result = min(result, packet.Maybe)
		} else if n.Net.Contains(a) == n.Not {
			return packet.No
		}
	}
	for _, n := range m.Ports {
		port := int(n.End.of(c).Port())
		if port == 0 {
			result = min(result, packet.Maybe)
		} else if (port >= n.Ports[0] && port <= n.Ports[1]) == n.Not {
			return packet.No
		}
	}
	if len(m.Status) > 0 {
		s := m.statusHolds(c)
		if m.NotStatus {
			s = s.Not()
		}
		result = min(result, s)
	}
	return result
}

// statusHolds returns whether the connection has one of the statuses. A new connection has none: it is
// confirmed only when its first packet leaves the host. NONE never matches, because its bit mask is 0.
func (m Conntrack) statusHolds(c *packet.Conn) packet.Truth {
	switch {
	case c.State == packet.New:
		return packet.No
	case slices.Contains(m.Status, "SEEN_REPLY"), slices.Contains(m.Status, "CONFIRMED"):
		return packet.Yes
	case slices.Contains(m.Status, "ASSURED"):
		return packet.Maybe
	}
	return packet.No
}
